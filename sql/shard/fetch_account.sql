-- The account with an id.
--
-- id  a user of this shard
-- Rows: one or none. For an erased user the row has user_id and deleted_timestamp; all else is null.
CREATE OR REPLACE FUNCTION {shard}.fetch_account(id bigint)
    RETURNS TABLE (user_id bigint, username text, display_name text, password_hash text, created_timestamp bigint,
                   read_receipts boolean, show_presence boolean, group_invites text, metadata text, deleted_timestamp bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT a.user_id, a.username, a.display_name, a.password_hash, a.created_timestamp, a.read_receipts, a.show_presence,
           a.group_invites, a.metadata, NULL::bigint
    FROM {shard}.account a WHERE a.user_id = id;
    IF NOT FOUND THEN
        RETURN QUERY
        SELECT m.user_id, NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::boolean, NULL::boolean,
               NULL::text, NULL::text, m.erased_timestamp
        FROM {shard}.mailbox m WHERE m.user_id = id AND m.erased_timestamp IS NOT NULL;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_account(bigint) TO parley_server;
