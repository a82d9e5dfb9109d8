-- Adds members to a group.
--
-- argument  actorId; userIds, who exist (checked by the server); maxMembers
-- Result: status. done, also if all are members already; group-not-found; forbidden: the actor is neither the owner nor an admin;
-- group-full.
CREATE OR REPLACE FUNCTION {shard}.change_group_join(mailbox_id bigint, argument jsonb)
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
    actor_role text := {shard}.group_role_of(mailbox_id, actor);
    joining bigint[] := ARRAY(SELECT DISTINCT u.id::bigint
                              FROM jsonb_array_elements_text(argument -> 'userIds') AS u (id)
                              WHERE {shard}.group_role_of(mailbox_id, u.id::bigint) IS NULL ORDER BY 1);
    raised bigint;
BEGIN
    IF actor_role IS NULL THEN
        RETURN '{"status": "group-not-found"}';
    ELSIF actor_role = 'member' THEN
        RETURN '{"status": "forbidden"}';
    ELSIF cardinality(joining) = 0 THEN
        RETURN '{"status": "done"}';
    ELSIF cardinality({shard}.group_members_at(mailbox_id, NULL)) + cardinality(joining)
          > (argument -> 'maxMembers')::integer THEN
        RETURN '{"status": "group-full"}';
    END IF;
    raised := {shard}.next_version(mailbox_id);
    INSERT INTO {shard}.group_member (group_id, user_id, since_id, joined_timestamp, delivered_up_to, read_up_to, role)
    SELECT mailbox_id, j.user_id, raised * 2, raised, raised * 2, raised * 2, 'member' FROM unnest(joining) AS j (user_id);
    RETURN {shard}.post_group_event(mailbox_id, raised * 2, actor, jsonb_build_object(
        'type', 'members-added', 'userIds', ARRAY(SELECT j::text FROM unnest(joining) j)));
END
$$;
