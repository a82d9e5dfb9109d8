-- Which messages mailboxes of the shard hold, deleted ones too. Element i of each array is of one question.
--
-- mailbox_ids  whose copy
-- peers        the conversation
-- messages     the message's id
-- Result: for each, in the same order, whether it is there.
--
-- Each is a look-up of its own, of the first message at or above, in an order that the primary key alone has.
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
REVOKE ALL ON FUNCTION {shard}.has_messages(bigint[], bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.has_messages(bigint[], bigint[], bigint[]) TO parley_server;
