-- Raises the version of a mailbox, which the transaction has locked, for one change.
CREATE OR REPLACE FUNCTION {shard}.next_version(mailbox_id bigint)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    raised bigint;
BEGIN
    UPDATE {shard}.mailbox m
    SET version = greatest(m.version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
    WHERE m.user_id = mailbox_id
    RETURNING m.version INTO raised;
    RETURN raised;
END
$$;
REVOKE ALL ON FUNCTION {shard}.next_version(bigint) FROM PUBLIC;
