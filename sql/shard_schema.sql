-- The name of the schema of the shard that an id belongs to.
CREATE OR REPLACE FUNCTION parley.shard_schema(id bigint)
    RETURNS text
    LANGUAGE sql IMMUTABLE
RETURN 'shard_' || lpad((id >> 50)::text, 4, '0');
