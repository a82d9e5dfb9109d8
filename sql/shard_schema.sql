-- The schema of the shard that an id is of. Without settings of its own, so that its callers' plans take it in.
CREATE OR REPLACE FUNCTION parley.shard_schema(id bigint)
    RETURNS text
    LANGUAGE sql IMMUTABLE
AS $$
    SELECT 'shard_' || pg_catalog.lpad((id OPERATOR(pg_catalog.>>) 50)::text, 4, '0')
$$;
REVOKE ALL ON FUNCTION parley.shard_schema(bigint) FROM PUBLIC;
