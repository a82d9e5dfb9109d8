-- The schema of the shard that an id is of.
CREATE OR REPLACE FUNCTION parley.shard_schema(id bigint)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'shard_' || to_char(id >> 50, 'FM0000')
$$;
REVOKE ALL ON FUNCTION parley.shard_schema(bigint) FROM PUBLIC;
