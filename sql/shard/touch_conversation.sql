-- Tells of a changed message in its conversation, where that shows: it is the last one, or was unread and is deleted.
--
-- mailbox_id, peer
-- message
-- raised      the version of the change
-- was_unread  it is another's and is being deleted: it counts no more, if it has not been read
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
        changed_period = raised >> 27,
        unread_count = c.unread_count
                       - (was_unread AND message > greatest(c.read_up_to, c.cleared_up_to))::integer
    WHERE c.ctid = (SELECT k.ctid FROM {shard}.conversation k
                    WHERE k.user_id = mailbox_id AND k.peer_id >= peer ORDER BY k.peer_id LIMIT 1)
          AND c.peer_id = peer
          AND (c.last_message_id = message
               OR (was_unread AND message > greatest(c.read_up_to, c.cleared_up_to)));
END
$$;
REVOKE ALL ON FUNCTION {shard}.touch_conversation(bigint, bigint, bigint, bigint, boolean) FROM PUBLIC;
