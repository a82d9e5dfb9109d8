-- Raises the version of a mailbox that the transaction has locked, for one change, and returns it.
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
    SET version = greatest(m.version + 1, parley.clock_us())
    WHERE m.user_id = mailbox_id
    RETURNING m.version INTO raised;
    RETURN raised;
END
$$;
