-- A user's open invitations as the API shows them, the newest first.
--
-- Result: a JSON array as text; null: the mailbox does not exist or is erased.
CREATE OR REPLACE FUNCTION {shard}.fetch_invitations(mailbox_id bigint)
    RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN (SELECT {shard}.open_invitations(mailbox_id) FROM {shard}.mailbox m
            WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL);
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_invitations(bigint) TO parley_server;
