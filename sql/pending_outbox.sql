-- Keys of outbox entries in their order and without a lock: the relay looks through them for entries that are due.
--
-- after_recipient, after_sender, after_message  the key to start after: the last row's of the call before, or zeros
-- page_size                                     rows at most
-- Rows: in the order of the key. Fewer than page_size means that there are no more.
CREATE OR REPLACE FUNCTION parley.pending_outbox(
    after_recipient bigint, after_sender bigint, after_message bigint, page_size integer)
    RETURNS TABLE (recipient_id bigint, sender_id bigint, message_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the outbox was empty. The rows are always read in the order of
    -- the keys.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT o.recipient_id, o.sender_id, o.message_id
    FROM parley.outbox o
    WHERE (o.recipient_id, o.sender_id, o.message_id) > (after_recipient, after_sender, after_message)
    ORDER BY o.recipient_id, o.sender_id, o.message_id
    LIMIT page_size;
END
$$;
GRANT EXECUTE ON FUNCTION parley.pending_outbox(bigint, bigint, bigint, integer) TO parley_server;
