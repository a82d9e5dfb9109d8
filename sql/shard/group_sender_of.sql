-- The sender of a group's message that a member can see. Null: there is no such message, or it is a system message.
CREATE OR REPLACE FUNCTION {shard}.group_sender_of(mailbox_id bigint, reader bigint, message bigint)
    RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN (SELECT s.sender_id
            FROM (SELECT DISTINCT g.user_id FROM {shard}.group_member g WHERE g.group_id = mailbox_id) g,
                 LATERAL (SELECT m.message_id, m.sender_id, m.extra FROM {shard}.message m
                          WHERE m.user_id = mailbox_id AND m.peer_id = g.user_id AND m.message_id >= message
                          ORDER BY m.message_id LIMIT 1) s
            WHERE s.message_id = message AND NOT coalesce(s.extra ? 'messageType', false)
                  AND EXISTS (SELECT FROM {shard}.group_member r
                              WHERE r.group_id = mailbox_id AND r.user_id = reader AND r.since_id <= message
                                    AND (r.until_id IS NULL OR r.until_id >= message)));
END
$$;
