-- Puts a change of the group itself among its messages, as a system message, and owes it to the members with the group's state.
--
-- mailbox_id  of the group
-- event_id    the message's id, whose time is the version that the change has taken
-- actor       who has changed it
-- event       type, and what else the API's systemEvent has
-- Result: the change's answer. Members as of the event get it, so who leaves by it as well.
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
    VALUES (mailbox_id, actor, event_id, event_id >> 1, actor, key, '', more);
    RETURN jsonb_build_object(
        'status', 'done', 'mailbox', mailbox_id::text, 'version', event_id >> 1, 'groupId', mailbox_id::text,
        'owes', {shard}.group_message_owes(
            mailbox_id, event_id,
            jsonb_build_object('groupId', mailbox_id::text, 'messageId', event_id::text, 'senderId', actor::text,
                               'clientMessageId', key, 'content', '', 'extra', more,
                               'state', {shard}.group_state(mailbox_id))));
END
$$;
REVOKE ALL ON FUNCTION {shard}.post_group_event(bigint, bigint, bigint, jsonb) FROM PUBLIC;
