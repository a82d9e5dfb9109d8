-- Whether mailboxes of this shard have certain messages, deleted ones too. Element i of each array is one question.
--
-- mailbox_ids
-- peers        the conversation
-- messages     the message's id
-- Result: for each, in the same order.
--
-- Each is a look-up of its own: the first message at or above, in an order that only the primary key has.
CREATE OR REPLACE FUNCTION {shard}.has_messages(mailbox_ids bigint[], peers bigint[], messages bigint[])
    RETURNS boolean[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN ARRAY(SELECT coalesce((SELECT m.message_id = q.message FROM {shard}.message m
                                  WHERE m.user_id = q.mailbox_id AND m.peer_id = q.peer AND m.message_id >= q.message
                                  ORDER BY m.message_id LIMIT 1), false)
                 FROM unnest(mailbox_ids, peers, messages) AS q (mailbox_id, peer, message));
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.has_messages(bigint[], bigint[], bigint[]) TO parley_server;
