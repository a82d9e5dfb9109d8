-- The account with a username, if it is in this shard.
--
-- name  a username, lower-case
-- Rows: one or none.
CREATE OR REPLACE FUNCTION {shard}.find_account(name text)
    RETURNS TABLE (user_id bigint, username text, display_name text, password_hash text,
                   created_timestamp bigint, read_receipts boolean, show_presence boolean, group_invites text,
                   metadata text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.user_id, a.username, a.display_name, a.password_hash, a.created_timestamp, a.read_receipts, a.show_presence,
           a.group_invites, a.metadata
    FROM {shard}.account a WHERE a.username = name;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.find_account(text) TO parley_server;
