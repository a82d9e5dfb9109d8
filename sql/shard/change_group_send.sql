-- Stores a message in its group's own mailbox. This primary copy decides order and duplicates.
--
-- argument  senderId, clientMessageId, content; timestamp: when it reached a server, in microseconds; extra, which may be absent
-- Result: status, messageId. Follow-ups: the copies of all members of this moment; for a duplicate those that are still in the
-- outbox.
-- status: done; duplicate: it was sent before, nothing changes; client-message-id-reused; conversation-not-found: the sender is no
-- member; reply-not-found: the sender does not see the message that it replies to.
CREATE OR REPLACE FUNCTION {shard}.change_group_send(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    sender bigint := argument ->> 'senderId';
    key text := argument ->> 'clientMessageId';
    there {shard}.message;
    sent bigint;
BEGIN
    -- The first row of an order that only message_dedupe has. (With peer_id = sender the planner replaces sender_id = peer_id by
    -- sender_id = sender, and then it cannot use this index, whose predicate is sender_id = peer_id.)
    SELECT m.* INTO there
    FROM {shard}.message m
    WHERE m.user_id = mailbox_id AND (m.peer_id, m.client_message_id) >= (sender, key) AND m.sender_id = m.peer_id
    ORDER BY m.peer_id, m.client_message_id LIMIT 1;
    IF there.sender_id = sender AND there.client_message_id = key THEN
        IF NOT parley.is_as_sent(there.content, there.extra, argument ->> 'content', argument -> 'extra') THEN
            RETURN '{"status": "client-message-id-reused"}';
        END IF;
        -- The version that the send has taken. The message's own version may be that of a later edit.
        sent := parley.time_of(there.message_id);
        RETURN jsonb_build_object('status', 'duplicate', 'messageId', there.message_id::text, 'version', sent,
                                  'followUps', {shard}.group_open_follow_ups(mailbox_id, sent));
    ELSIF NOT EXISTS (SELECT FROM {shard}.group_member g
                      WHERE g.group_id = mailbox_id AND g.user_id = sender AND g.until_id IS NULL) THEN
        RETURN '{"status": "conversation-not-found"}';
    ELSIF argument #> '{extra,replyTo}' IS NOT NULL
          AND {shard}.group_sender_of(mailbox_id, sender, (argument #>> '{extra,replyTo}')::bigint) IS NULL THEN
        RETURN '{"status": "reply-not-found"}';
    END IF;
    UPDATE {shard}.mailbox b SET version = greatest((argument -> 'timestamp')::bigint, b.version + 1)
    WHERE b.user_id = mailbox_id
    RETURNING b.version INTO sent;
    INSERT INTO {shard}.message (user_id, peer_id, message_id, version, sender_id, client_message_id, content, extra)
    VALUES (mailbox_id, sender, sent * 2, sent, sender, key, argument ->> 'content', nullif(argument -> 'extra', 'null'));
    RETURN jsonb_build_object(
        'status', 'done', 'messageId', (sent * 2)::text, 'version', sent,
        'followUps', {shard}.group_message_follow_ups(
            mailbox_id, sent * 2,
            (argument - 'timestamp') || jsonb_build_object('groupId', mailbox_id::text, 'messageId', (sent * 2)::text)));
END
$$;
