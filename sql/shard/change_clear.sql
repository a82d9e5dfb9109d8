-- Deletes a conversation for its user alone: all that is in it now is shown no more. What comes later is.
--
-- argument  peerId, timestamp
-- Result: status, and version if something has changed. status: done; conversation-not-found.
--
-- The messages stay, without what was in them: a retry is known by them, and a sender's copy may still be made of one. To
-- empty them is owed to the mailbox itself, for there may be many.
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
    talk {shard}.conversation;
    raised bigint;
BEGIN
    SELECT c.ctid INTO place FROM {shard}.conversation c
    WHERE c.user_id = mailbox_id AND c.peer_id >= peer
    ORDER BY c.peer_id LIMIT 1;
    SELECT c.* INTO talk FROM {shard}.conversation c WHERE c.ctid = place;
    IF talk.peer_id IS DISTINCT FROM peer THEN
        RETURN '{"status": "conversation-not-found"}';
    ELSIF talk.cleared_up_to = talk.last_message_id AND NOT talk.pinned THEN
        RETURN answer;
    END IF;

    raised := {shard}.next_version(mailbox_id);
    UPDATE {shard}.conversation c
    SET version = raised,
        changed_period = raised >> 27,
        cleared_up_to = c.last_message_id,
        unread_count = 0,
        pinned = false
    WHERE c.ctid = place;
    IF talk.cleared_up_to < talk.last_message_id THEN
        answer := answer || jsonb_build_object('owes', jsonb_build_array(jsonb_build_object(
            'mailbox', mailbox_id::text, 'kind', 'clear_slice',
            'argument', argument || jsonb_build_object('after', talk.cleared_up_to::text,
                                                       'upTo', talk.last_message_id::text))));
    END IF;
    RETURN answer || jsonb_build_object('version', raised);
END
$$;
REVOKE ALL ON FUNCTION {shard}.change_clear(bigint, jsonb) FROM PUBLIC;
