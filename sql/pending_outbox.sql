-- Claims messages whose sender's copy is owed, for the transaction that calls: other relays pass them over.
--
-- after_recipient, after_sender, after_message  key after which to begin: the last row's of the call before, or zeros
-- page_size                                     rows at most
-- Rows: in the order of the key. Fewer than page_size means that it is the end.
CREATE OR REPLACE FUNCTION parley.pending_outbox(
    after_recipient bigint, after_sender bigint, after_message bigint, page_size integer)
    RETURNS TABLE (recipient_id bigint, sender_id bigint, message_id bigint, client_message_id text, content text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog
    -- Plans are made once per connection, maybe when the outbox was empty: always the first rows in the order of the
    -- keys, then one index look-up for each.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH claimed AS MATERIALIZED (
        SELECT o.recipient_id, o.sender_id, o.message_id
        FROM parley.outbox o
        WHERE (o.recipient_id, o.sender_id, o.message_id) > (after_recipient, after_sender, after_message)
        ORDER BY o.recipient_id, o.sender_id, o.message_id
        LIMIT page_size
        FOR UPDATE SKIP LOCKED
    )
    SELECT c.recipient_id, c.sender_id, c.message_id, m.client_message_id, m.content
    FROM claimed c
         CROSS JOIN LATERAL (
             SELECT m.client_message_id, m.content
             FROM parley.message m
             WHERE m.user_id = c.recipient_id AND m.peer_id = c.sender_id AND m.message_id = c.message_id
             OFFSET 0  -- keeps the planner from turning the join round
         ) m
    ORDER BY c.recipient_id, c.sender_id, c.message_id;
END
$$;
REVOKE ALL ON FUNCTION parley.pending_outbox(bigint, bigint, bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.pending_outbox(bigint, bigint, bigint, integer) TO parley_server;
