-- Updates a conversation after a change of one of its messages, if the conversation shows it: the message is the last one, or was
-- unread and is deleted.
--
-- mailbox_id, peer
-- message
-- raised      the version of the change
-- was_unread  the message is another user's and is being deleted: unless it was read, it does not count as unread any more
CREATE OR REPLACE FUNCTION {shard}.touch_conversation(
    mailbox_id bigint, peer bigint, message bigint, raised bigint, was_unread boolean)
    RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    UPDATE {shard}.conversation c
    SET version = raised,
        changed_period = parley.period_of(raised),
        unread_count = c.unread_count
                       - (was_unread AND message > greatest(c.read_up_to, c.cleared_up_to))::integer
    WHERE c.ctid = (SELECT k.ctid FROM {shard}.conversation k
                    WHERE k.user_id = mailbox_id AND k.peer_id >= peer ORDER BY k.peer_id LIMIT 1)
          AND c.peer_id = peer
          AND (c.last_message_id = message
               OR (was_unread AND message > greatest(c.read_up_to, c.cleared_up_to)));
END
$$;
