-- Claims outbox rows for the transaction that calls, and gives what their copies need. Element i of the arrays is one
-- row's key.
--
-- recipient_ids
-- sender_ids
-- message_ids
-- Rows: those that are still there and that no other session has claimed. client_message_id and content are null where
-- the recipient's message is gone: then nothing is owed any more.
--
-- Names the parent, which opens every partition: for large batches only.
CREATE OR REPLACE FUNCTION parley.claim_outbox(recipient_ids bigint[], sender_ids bigint[], message_ids bigint[])
    RETURNS TABLE (recipient_id bigint, sender_id bigint, message_id bigint, client_message_id text, content text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- As in settle_outbox: a look-up of each key, whatever the tables held when the connection planned.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_indexscan = off
    SET enable_indexonlyscan = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH claimed AS MATERIALIZED (
        SELECT o.recipient_id, o.sender_id, o.message_id
        FROM unnest(recipient_ids, sender_ids, message_ids) AS k (recipient_id, sender_id, message_id)
             JOIN parley.outbox o USING (recipient_id, sender_id, message_id)
        FOR UPDATE OF o SKIP LOCKED
    )
    SELECT c.recipient_id, c.sender_id, c.message_id, m.client_message_id, m.content
    FROM claimed c
         LEFT JOIN LATERAL (
             SELECT m.client_message_id, m.content
             FROM parley.message m
             WHERE m.user_id = c.recipient_id AND m.peer_id = c.sender_id AND m.message_id = c.message_id
             OFFSET 0  -- keeps the planner from turning the join round
         ) m ON true
    ORDER BY c.recipient_id, c.sender_id, c.message_id;
END
$$;
REVOKE ALL ON FUNCTION parley.claim_outbox(bigint[], bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.claim_outbox(bigint[], bigint[], bigint[]) TO parley_server;
