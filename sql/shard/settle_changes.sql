-- Deletes entries of this shard's change outbox, as parley.settle_changes.
CREATE OR REPLACE FUNCTION {shard}.settle_changes(mailbox_ids bigint[], versions bigint[], ordinals bigint[])
    RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the outbox was empty and a full scan was cheap.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    deleted integer;
BEGIN
    -- LATERAL: one look-up per key. Locked rows stay where they are.
    DELETE FROM {shard}.change_outbox
    WHERE ctid = ANY (ARRAY(
        SELECT o.ctid
        FROM unnest(mailbox_ids, versions, ordinals) AS k (mailbox_id, version, ordinal),
             LATERAL (SELECT o.ctid FROM {shard}.change_outbox o
                      WHERE o.mailbox_id = k.mailbox_id AND o.version = k.version
                            AND o.ordinal = k.ordinal
                      FOR UPDATE SKIP LOCKED) o));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.settle_changes(bigint[], bigint[], bigint[]) TO parley_server;
