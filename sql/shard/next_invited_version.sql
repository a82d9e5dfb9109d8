-- Raises the version of a mailbox that the transaction has locked, for a change of its open invitations, and returns it.
CREATE OR REPLACE FUNCTION {shard}.next_invited_version(mailbox_id bigint)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    raised bigint := {shard}.next_version(mailbox_id);
BEGIN
    UPDATE {shard}.mailbox m SET invited_version = raised WHERE m.user_id = mailbox_id;
    RETURN raised;
END
$$;
