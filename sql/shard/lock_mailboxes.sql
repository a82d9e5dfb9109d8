-- Locks mailboxes of the shard for the transaction that calls.
--
-- ids  ascending
-- Result: their versions, in the same order; 0 for one that is not there or whose user is erased. The latter is locked too.
CREATE OR REPLACE FUNCTION {shard}.lock_mailboxes(ids bigint[])
    RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    versions bigint[] := '{}';
    locked bigint;
BEGIN
    FOR i IN 1 .. cardinality(ids) LOOP
        SELECT CASE WHEN m.erased_timestamp IS NULL THEN m.version ELSE 0 END INTO locked
        FROM {shard}.mailbox m WHERE m.user_id = ids[i] FOR UPDATE;
        versions := versions || coalesce(locked, 0);
    END LOOP;
    RETURN versions;
END
$$;
REVOKE ALL ON FUNCTION {shard}.lock_mailboxes(bigint[]) FROM PUBLIC;
