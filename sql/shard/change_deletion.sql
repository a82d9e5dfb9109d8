-- Deletes a message for the mailbox's user only. It leaves a tombstone.
--
-- argument  peerId, messageId, timestamp
-- Result: status, version, deletedTimestamp. status: done; message-not-found.
CREATE OR REPLACE FUNCTION {shard}.change_deletion(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    peer bigint := argument ->> 'peerId';
    message bigint := argument ->> 'messageId';
    place tid;
    found bigint;
    sender bigint;
    text_now text;
    more jsonb;
    raised bigint;
BEGIN
    SELECT m.ctid, m.message_id, m.sender_id, m.content, coalesce(m.extra, '{}')
    INTO place, found, sender, text_now, more
    FROM {shard}.message m
    WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id >= message
    ORDER BY m.message_id LIMIT 1;
    IF found IS DISTINCT FROM message THEN
        RETURN '{"status": "message-not-found"}';
    ELSIF more ? 'deletedTimestamp' THEN
        RETURN jsonb_build_object('status', 'done', 'deletedTimestamp', more -> 'deletedTimestamp');
    END IF;

    raised := {shard}.next_version(mailbox_id);
    PERFORM {shard}.touch_conversation(mailbox_id, peer, message, raised, sender <> mailbox_id);
    IF NOT more ? 'original' THEN
        more := more || jsonb_build_object('original', parley.content_hash(text_now, more ->> 'metadata'));
    END IF;
    -- The sender's copy will be made of this one.
    IF EXISTS (SELECT FROM {shard}.outbox o
               WHERE o.recipient_id = mailbox_id AND o.sender_id = peer AND o.message_id = message) THEN
        more := more || jsonb_build_object('copyContent', text_now)
                || CASE WHEN more ? 'metadata' THEN jsonb_build_object('copyMetadata', more -> 'metadata') ELSE '{}' END;
    END IF;
    more := (more - 'metadata') || jsonb_build_object('deletedTimestamp', argument -> 'timestamp', 'deletedScope', 'me');
    UPDATE {shard}.message m SET content = '', extra = more, version = raised WHERE m.ctid = place;
    RETURN jsonb_build_object('status', 'done', 'version', raised, 'deletedTimestamp', argument -> 'timestamp');
END
$$;
