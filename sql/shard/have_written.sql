-- Whether users have written to users of this shard: a message of theirs has arrived, even if it was deleted since.
--
-- mailbox_ids  the users of this shard
-- others       in the same order, the others
-- Result: for each, in the same order.
--
-- A message that its sender has written is found by the index of retries. The look-up takes the first sender at or above, in an
-- order that only this index has: see has_conversations.
CREATE OR REPLACE FUNCTION {shard}.have_written(mailbox_ids bigint[], others bigint[])
    RETURNS boolean[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET enable_incremental_sort = off
AS $$
BEGIN
    RETURN ARRAY(SELECT coalesce((SELECT m.peer_id = w.other FROM {shard}.message m
                                  WHERE m.user_id = w.mailbox_id AND m.peer_id >= w.other AND m.sender_id = m.peer_id
                                  ORDER BY m.peer_id, m.client_message_id LIMIT 1), false)
                 FROM unnest(mailbox_ids, others) AS w (mailbox_id, other));
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.have_written(bigint[], bigint[]) TO parley_server;
