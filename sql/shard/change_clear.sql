-- Deletes a conversation for its user only: the messages that it has now are not shown any more. Later ones are.
--
-- argument  peerId, timestamp
-- Result: status, and version if something has changed. status: done; conversation-not-found.
--
-- The messages stay as empty rows: they identify retries, and a sender's copy may still have to be made from one. A follow-up to
-- the mailbox itself empties them, slice by slice, since there may be many.
CREATE OR REPLACE FUNCTION {shard}.change_clear(mailbox_id bigint, argument jsonb)
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
    answer jsonb := '{"status": "done"}';
    place tid;
    chat {shard}.conversation;
    raised bigint;
BEGIN
    SELECT c.ctid INTO place FROM {shard}.conversation c
    WHERE c.user_id = mailbox_id AND c.peer_id >= peer
    ORDER BY c.peer_id LIMIT 1;
    SELECT c.* INTO chat FROM {shard}.conversation c WHERE c.ctid = place;
    IF chat.peer_id IS DISTINCT FROM peer THEN
        RETURN '{"status": "conversation-not-found"}';
    ELSIF chat.cleared_up_to = chat.last_message_id AND NOT chat.pinned AND NOT chat.marked_unread THEN
        RETURN answer;
    END IF;

    raised := {shard}.next_version(mailbox_id);
    UPDATE {shard}.conversation c
    SET version = raised,
        changed_period = parley.period_of(raised),
        cleared_up_to = c.last_message_id,
        unread_count = 0,
        pinned = false,
        marked_unread = false
    WHERE c.ctid = place;
    IF chat.cleared_up_to < chat.last_message_id THEN
        answer := answer || jsonb_build_object('followUps', jsonb_build_array(jsonb_build_object(
            'mailbox', mailbox_id::text, 'kind', 'clear_slice',
            'argument', argument || jsonb_build_object('after', chat.cleared_up_to::text,
                                                       'upTo', chat.last_message_id::text))));
    END IF;
    RETURN answer || jsonb_build_object('version', raised);
END
$$;
