-- The account with an id.
--
-- id  a user of this shard
-- Rows: one or none.
CREATE OR REPLACE FUNCTION {shard}.fetch_account(id bigint)
    RETURNS TABLE (user_id bigint, username text, display_name text, password_hash text, created_timestamp bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.user_id, a.username, a.display_name, a.password_hash, a.created_timestamp
    FROM {shard}.account a WHERE a.user_id = id;
END
$$;
REVOKE ALL ON FUNCTION {shard}.fetch_account(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.fetch_account(bigint) TO parley_server;
