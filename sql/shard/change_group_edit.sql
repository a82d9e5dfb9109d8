-- Edits or deletes a message of a group, first in the group's own mailbox.
--
-- argument  actorId, and that of change_message
-- Result: status, as change_message; conversation-not-found: the actor is no member.
CREATE OR REPLACE FUNCTION {shard}.change_group_edit(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    actor bigint := argument ->> 'actorId';
    sender bigint := {shard}.group_sender_of(mailbox_id, actor, (argument ->> 'messageId')::bigint);
BEGIN
    IF {shard}.group_role_of(mailbox_id, actor) IS NULL THEN
        RETURN '{"status": "conversation-not-found"}';
    ELSIF sender IS NULL THEN
        RETURN '{"status": "message-not-found"}';
    ELSIF sender <> actor THEN
        RETURN '{"status": "not-sender"}';
    END IF;
    RETURN {shard}.group_change_answer(mailbox_id, 'message', {shard}.change_message(
        mailbox_id, (argument - 'actorId') || jsonb_build_object('peerId', actor::text)));
END
$$;
