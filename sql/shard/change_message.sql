-- Edits a message's content and metadata, or deletes the message for everyone.
--
-- argument  peerId, messageId; content: absent for a deletion; metadata: the text of a JSON object, absent if it stays;
--           timestamp of the request, in microseconds; revision: absent in the mailbox that is changed first, which is the
--           recipient's of the 1:1; there peerId is the user who asks. In the sender's own mailbox it is the version that the
--           change has in the recipient's: of two changes the one with the higher revision is the later
-- Result: status, version, and editedTimestamp or deletedTimestamp. Follow-up of the first: the same change in the sender's copy.
-- The same change again alters nothing and has the same follow-up, since the first answer may have been lost with it.
-- status: done; message-not-found; not-sender; recipient-unavailable: the recipient has blocked the user who asks; missing: the
-- sender's copy is not stored yet.
CREATE OR REPLACE FUNCTION {shard}.change_message(mailbox_id bigint, argument jsonb)
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
    revision bigint := argument ->> 'revision';
    deletes boolean := NOT argument ? 'content';
    stamp jsonb := jsonb_build_object(CASE WHEN deletes THEN 'deletedTimestamp' ELSE 'editedTimestamp' END,
                                      argument -> 'timestamp');
    new_metadata jsonb := jsonb_strip_nulls(jsonb_build_object('metadata', argument -> 'metadata'));
    answer jsonb := '{"status": "done"}' || stamp;
    place tid;
    found bigint;
    sender bigint;
    text_now text;
    more jsonb;
    is_made boolean := false;
    raised bigint;
BEGIN
    SELECT m.ctid, m.message_id, m.sender_id, m.content, coalesce(m.extra, '{}')
    INTO place, found, sender, text_now, more
    FROM {shard}.message m
    WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id >= message
    ORDER BY m.message_id LIMIT 1;
    IF found IS DISTINCT FROM message THEN
        RETURN jsonb_build_object('status', CASE WHEN revision IS NULL THEN 'message-not-found' ELSE 'missing' END);
    ELSIF revision <= (more #>> '{revisions,content}')::bigint THEN
        RETURN answer;
    ELSIF revision IS NULL THEN
        IF sender <> peer THEN
            RETURN '{"status": "not-sender"}';
        ELSIF {shard}.has_blocked(mailbox_id, peer) THEN
            RETURN '{"status": "recipient-unavailable"}';
        ELSIF more ->> 'deletedScope' = 'everyone' THEN
            IF NOT deletes THEN
                RETURN '{"status": "message-not-found"}';
            END IF;
            is_made := true;
            argument := argument || jsonb_build_object('timestamp', more -> 'deletedTimestamp');
            answer := answer || jsonb_build_object('deletedTimestamp', more -> 'deletedTimestamp');
        ELSE
            is_made := more @> stamp AND text_now = argument ->> 'content'
                       AND more @> new_metadata;
        END IF;
    END IF;

    raised := CASE WHEN is_made THEN (more #>> '{revisions,content}')::bigint ELSE {shard}.next_version(mailbox_id) END;
    answer := answer || jsonb_build_object('version', raised);
    IF revision IS NULL THEN
        revision := raised;
        answer := answer || jsonb_build_object('followUps', jsonb_build_array(jsonb_build_object(
            'mailbox', peer, 'kind', 'message',
            'argument', argument || jsonb_build_object('peerId', mailbox_id::text, 'revision', revision::text))));
    END IF;
    IF is_made THEN
        RETURN answer;
    END IF;
    PERFORM {shard}.touch_conversation(
        mailbox_id, peer, message, raised, deletes AND sender <> mailbox_id AND NOT more ? 'deletedTimestamp');
    IF NOT more ? 'original' THEN
        more := more || jsonb_build_object('original', parley.content_hash(text_now, more ->> 'metadata'));
    END IF;
    more := more || stamp || jsonb_build_object(
        'revisions', coalesce(more -> 'revisions', '{}') || jsonb_build_object('content', revision::text));
    IF deletes THEN
        more := (more - '{copyContent,copyMetadata,metadata,reactions}'::text[]) || '{"deletedScope": "everyone"}';
        text_now := '';
    ELSIF NOT more ? 'deletedScope' THEN
        text_now := argument ->> 'content';
        more := more || new_metadata;
    ELSIF more ? 'copyContent' THEN
        -- A user who has deleted the message for themselves does not get it back.
        more := more || jsonb_build_object('copyContent', argument -> 'content')
                || jsonb_strip_nulls(jsonb_build_object('copyMetadata', argument -> 'metadata'));
    END IF;
    UPDATE {shard}.message m SET content = text_now, extra = more, version = raised WHERE m.ctid = place;
    RETURN answer;
END
$$;
