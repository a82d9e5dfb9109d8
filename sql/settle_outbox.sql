-- Deletes outbox rows whose sender's copy is stored. Element i of the arrays is one row's key.
--
-- recipient_ids
-- sender_ids
-- message_ids
-- Result: the number deleted. A row that another session works on, or that is gone, is passed over: the relay finds
-- what is left over, and does again what does no harm.
--
-- Names the parent, which opens every partition: for large batches only.
CREATE OR REPLACE FUNCTION parley.settle_outbox(recipient_ids bigint[], sender_ids bigint[], message_ids bigint[])
    RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the outbox was empty and to read all of it was cheap. What is left
    -- here is a look-up of each key: alone of all scans, a bitmap scan cannot be of a whole table.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_indexscan = off
    SET enable_indexonlyscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
DECLARE
    deleted integer;
BEGIN
    -- A deletion that a crash takes back costs a copy that is there already.
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Locked rows stay where they are, and recipient_id names the leaf.
    WITH settled AS MATERIALIZED (
        SELECT o.recipient_id, o.ctid
        FROM unnest(recipient_ids, sender_ids, message_ids) AS k (recipient_id, sender_id, message_id)
             JOIN parley.outbox o USING (recipient_id, sender_id, message_id)
        FOR UPDATE OF o SKIP LOCKED
    )
    DELETE FROM parley.outbox o USING settled s
    WHERE o.recipient_id = s.recipient_id AND o.ctid = s.ctid;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;
REVOKE ALL ON FUNCTION parley.settle_outbox(bigint[], bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.settle_outbox(bigint[], bigint[], bigint[]) TO parley_server;
