-- A message to a group: its first-written copy, in the group's own mailbox, which orders and dedupes.
--
-- argument  senderId, clientMessageId, content, timestamp: when it reached a server, microseconds; extra, or none
-- Result: status, messageId. It owes every member of this moment their copy; a duplicate what is owed still.
-- status: done; duplicate: it was sent before, nothing changes; client-message-id-reused; conversation-not-found: the sender is no
-- member; reply-not-found: it answers what they do not see.
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
    -- The first of an order that message_dedupe alone has. (With peer_id = sender, the planner takes sender_id = sender for
    -- sender_id = peer_id, and the index, which is of rows with the latter, will not do.)
    SELECT m.* INTO there
    FROM {shard}.message m
    WHERE m.user_id = mailbox_id AND (m.peer_id, m.client_message_id) >= (sender, key) AND m.sender_id = m.peer_id
    ORDER BY m.peer_id, m.client_message_id LIMIT 1;
    IF there.sender_id = sender AND there.client_message_id = key THEN
        IF NOT parley.is_as_sent(there.content, there.extra, argument ->> 'content', argument -> 'extra') THEN
            RETURN '{"status": "client-message-id-reused"}';
        END IF;
        -- The version that the send took: an edit has raised the message's.
        sent := there.message_id >> 1;
        RETURN jsonb_build_object('status', 'duplicate', 'messageId', there.message_id::text, 'version', sent,
                                  'owes', {shard}.group_still_owes(mailbox_id, sent));
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
        'owes', {shard}.group_message_owes(
            mailbox_id, sent * 2,
            (argument - 'timestamp') || jsonb_build_object('groupId', mailbox_id::text, 'messageId', (sent * 2)::text)));
END
$$;
REVOKE ALL ON FUNCTION {shard}.change_group_send(bigint, jsonb) FROM PUBLIC;
