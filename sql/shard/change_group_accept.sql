-- Makes a user who has an open invitation a member of the group.
--
-- argument  actorId: the user; maxMembers
-- Result: status. done, also if the user is a member already; invitation-not-found: there is no open invitation, or the user who made
-- it may not add members any more: then it ends; group-full.
CREATE OR REPLACE FUNCTION {shard}.change_group_accept(mailbox_id bigint, argument jsonb)
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
    inviter bigint;
    raised bigint;
    answer jsonb;
BEGIN
    IF {shard}.group_role_of(mailbox_id, actor) IS NOT NULL THEN
        RETURN '{"status": "done"}';
    END IF;
    SELECT g.inviter_id INTO inviter FROM {shard}.group_invitation g WHERE g.group_id = mailbox_id AND g.user_id = actor;
    IF NOT FOUND THEN
        RETURN '{"status": "invitation-not-found"}';
    ELSIF coalesce({shard}.group_role_of(mailbox_id, inviter), 'member') = 'member' THEN
        raised := {shard}.next_version(mailbox_id);
        RETURN jsonb_build_object('status', 'invitation-not-found', 'version', raised,
                                  'followUps', {shard}.group_end_invitations(mailbox_id, raised, ARRAY[actor]));
    ELSIF cardinality({shard}.group_members_at(mailbox_id, NULL)) >= (argument -> 'maxMembers')::integer THEN
        RETURN '{"status": "group-full"}';
    END IF;
    raised := {shard}.next_version(mailbox_id);
    INSERT INTO {shard}.group_member (group_id, user_id, since_id, joined_timestamp, delivered_up_to, read_up_to, role)
    VALUES (mailbox_id, actor, raised * 2, raised, raised * 2, raised * 2, 'member');
    answer := {shard}.post_group_event(mailbox_id, raised * 2, actor, jsonb_build_object(
        'type', 'member-joined', 'userIds', jsonb_build_array(actor::text), 'inviterId', inviter::text));
    RETURN answer || jsonb_build_object('followUps', (answer -> 'followUps')
                                                     || {shard}.group_end_invitations(mailbox_id, raised, ARRAY[actor]));
END
$$;
