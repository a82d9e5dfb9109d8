-- Stores a system message about a change of a group, with follow-ups that bring it and the group's state to the members.
--
-- mailbox_id  of the group
-- event_id    the message's id; its time is the version that the change has taken
-- actor       the user who has made the change
-- event       type, and the other members of the API's systemEvent
-- Result: the change's answer. The members as of the event get it, also a member who leaves by it.
CREATE OR REPLACE FUNCTION {shard}.post_group_event(
    mailbox_id bigint, event_id bigint, actor bigint, event jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    key text := chr(1) || event_id;
    more jsonb := jsonb_build_object('messageType', 'system', 'systemEvent', event);
BEGIN
    INSERT INTO {shard}.message (user_id, peer_id, message_id, version, sender_id, client_message_id, content, extra)
    VALUES (mailbox_id, actor, event_id, parley.time_of(event_id), actor, key, '', more);
    RETURN jsonb_build_object(
        'status', 'done', 'mailbox', mailbox_id::text, 'version', parley.time_of(event_id), 'groupId', mailbox_id::text,
        'followUps', {shard}.group_message_follow_ups(
            mailbox_id, event_id,
            jsonb_build_object('groupId', mailbox_id::text, 'messageId', event_id::text, 'senderId', actor::text,
                               'clientMessageId', key, 'content', '', 'extra', more,
                               'state', {shard}.group_state(mailbox_id))));
END
$$;
