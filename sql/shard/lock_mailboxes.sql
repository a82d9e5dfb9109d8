-- Locks mailboxes of this shard until the caller's transaction ends.
--
-- ids  ascending
-- Result: the mailboxes in the same order with their versions; version 0 for one that does not exist or whose user is erased. The
-- row of an erased user is locked too.
CREATE OR REPLACE FUNCTION {shard}.lock_mailboxes(ids bigint[])
    RETURNS parley.mailbox_version[]
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    locked parley.mailbox_version[] := '{}';
    found_version bigint;
BEGIN
    FOR i IN 1 .. cardinality(ids) LOOP
        SELECT CASE WHEN m.erased_timestamp IS NULL THEN m.version ELSE 0 END INTO found_version
        FROM {shard}.mailbox m WHERE m.user_id = ids[i] FOR UPDATE;
        locked := locked || ROW(ids[i], coalesce(found_version, 0))::parley.mailbox_version;
    END LOOP;
    RETURN locked;
END
$$;
