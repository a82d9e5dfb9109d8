-- Makes a member an admin, or an admin a member.
--
-- argument  actorId, userId, role: admin or member
-- Result: status. done; group-not-found; member-not-found; forbidden: the actor is not the owner, or the user is the owner.
CREATE OR REPLACE FUNCTION {shard}.change_group_role(mailbox_id bigint, argument jsonb)
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
    other bigint := argument ->> 'userId';
    actor_role text := {shard}.group_role_of(mailbox_id, actor);
    other_role text := {shard}.group_role_of(mailbox_id, other);
BEGIN
    IF actor_role IS NULL THEN
        RETURN '{"status": "group-not-found"}';
    ELSIF other_role IS NULL THEN
        RETURN '{"status": "member-not-found"}';
    ELSIF actor_role <> 'owner' OR other_role = 'owner' THEN
        RETURN '{"status": "forbidden"}';
    ELSIF other_role = argument ->> 'role' THEN
        RETURN '{"status": "done"}';
    END IF;
    UPDATE {shard}.group_member g SET role = argument ->> 'role'
    WHERE g.group_id = mailbox_id AND g.user_id = other AND g.until_id IS NULL;
    -- A message id is a time, here the version, times two.
    RETURN {shard}.post_group_event(mailbox_id, {shard}.next_version(mailbox_id) * 2, actor, jsonb_build_object(
        'type', 'role-changed', 'userIds', jsonb_build_array(other::text), 'role', argument -> 'role'));
END
$$;
