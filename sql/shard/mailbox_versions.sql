-- Versions of mailboxes of this shard: what validates cached pages and waiting cursors.
--
-- user_ids  mailboxes asked for
-- Rows: one for each that exists, in no order.
CREATE OR REPLACE FUNCTION {shard}.mailbox_versions(user_ids bigint[])
    RETURNS TABLE (user_id bigint, version bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT m.user_id, m.version FROM {shard}.mailbox m WHERE m.user_id = ANY (user_ids);
END
$$;
REVOKE ALL ON FUNCTION {shard}.mailbox_versions(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.mailbox_versions(bigint[]) TO parley_server;
