-- How many messages of a conversation are unread by its watermarks: others', and not deleted.
--
-- mailbox_id, peer
-- above, up_to  messages to count: message_id in (above, up_to]
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
REVOKE ALL ON FUNCTION {shard}.count_unread(bigint, bigint, bigint, bigint) FROM PUBLIC;
