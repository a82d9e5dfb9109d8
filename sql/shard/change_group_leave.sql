-- Removes a member from a group, or lets them leave. When the owner leaves, the admin who has been a member longest becomes the
-- owner, or else the member who has.
--
-- argument  actorId, userId
-- Result: status. done; group-not-found: the actor is no member; member-not-found: the user is none; forbidden: a member may remove
-- only themselves, an admin also members, the owner everybody.
CREATE OR REPLACE FUNCTION {shard}.change_group_leave(mailbox_id bigint, argument jsonb)
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
    leaving bigint := argument ->> 'userId';
    actor_role text := {shard}.group_role_of(mailbox_id, actor);
    leaving_role text := {shard}.group_role_of(mailbox_id, leaving);
    heir bigint;
    raised bigint;
BEGIN
    IF actor_role IS NULL THEN
        RETURN '{"status": "group-not-found"}';
    ELSIF leaving_role IS NULL THEN
        RETURN '{"status": "member-not-found"}';
    ELSIF actor <> leaving AND NOT (actor_role = 'owner' OR (actor_role = 'admin' AND leaving_role = 'member')) THEN
        RETURN '{"status": "forbidden"}';
    END IF;
    raised := {shard}.next_version(mailbox_id);
    -- change_group_join invites a user who has left, and does not add them again.
    UPDATE {shard}.group_member g SET until_id = raised * 2, role = CASE WHEN actor = leaving THEN 'left' ELSE g.role END
    WHERE g.group_id = mailbox_id AND g.user_id = leaving AND g.until_id IS NULL;
    IF leaving_role = 'owner' THEN
        SELECT g.user_id INTO heir FROM {shard}.group_member g
        WHERE g.group_id = mailbox_id AND g.until_id IS NULL
        ORDER BY g.role <> 'admin', g.since_id, g.user_id LIMIT 1;
        UPDATE {shard}.group_member g SET role = 'owner'
        WHERE g.group_id = mailbox_id AND g.user_id = heir AND g.until_id IS NULL;
    END IF;
    RETURN {shard}.post_group_event(mailbox_id, raised * 2, actor, jsonb_strip_nulls(jsonb_build_object(
        'type', CASE WHEN actor = leaving THEN 'member-left' ELSE 'member-removed' END,
        'userIds', jsonb_build_array(leaving::text), 'ownerId', heir::text)));
END
$$;
