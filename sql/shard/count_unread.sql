-- The number of unread messages in a range of a conversation: others' messages that are not deleted.
--
-- mailbox_id, peer
-- above, up_to  the range: message_id in (above, up_to]
CREATE OR REPLACE FUNCTION {shard}.count_unread(mailbox_id bigint, peer bigint, above bigint, up_to bigint)
    RETURNS integer
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN (SELECT count(*)
            FROM (SELECT m.sender_id, m.extra FROM {shard}.message m
                  WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id > above AND m.message_id <= up_to
                  ORDER BY m.message_id) m
            WHERE m.sender_id <> mailbox_id AND (m.extra IS NULL OR NOT m.extra ? 'deletedTimestamp'));
END
$$;
