-- Deletes entries of this shard's outbox, as parley.settle_outbox.
CREATE OR REPLACE FUNCTION {shard}.settle_outbox(recipient_ids bigint[], sender_ids bigint[], message_ids bigint[])
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
    DELETE FROM {shard}.outbox
    WHERE ctid = ANY (ARRAY(
        SELECT o.ctid
        FROM unnest(recipient_ids, sender_ids, message_ids) AS k (recipient_id, sender_id, message_id),
             LATERAL (SELECT o.ctid FROM {shard}.outbox o
                      WHERE o.recipient_id = k.recipient_id AND o.sender_id = k.sender_id
                            AND o.message_id = k.message_id
                      FOR UPDATE SKIP LOCKED) o));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.settle_outbox(bigint[], bigint[], bigint[]) TO parley_server;
