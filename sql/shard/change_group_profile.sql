-- Gives a group another name, topic or metadata.
--
-- argument  actorId; name, topic, metadata (text of a JSON object): each may be absent
-- Result: status. done; group-not-found: the actor is no member; forbidden: the actor is neither the owner nor an admin.
-- The members are told that the metadata has changed, and fetch it with the group: it may be long.
CREATE OR REPLACE FUNCTION {shard}.change_group_profile(mailbox_id bigint, argument jsonb)
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
    changed jsonb;
BEGIN
    IF actor_role IS NULL THEN
        RETURN '{"status": "group-not-found"}';
    ELSIF actor_role = 'member' THEN
        RETURN '{"status": "forbidden"}';
    END IF;
    SELECT jsonb_strip_nulls(jsonb_build_object('name', nullif(argument ->> 'name', p.name),
                                                'topic', nullif(argument ->> 'topic', p.topic),
                                                'metadata', nullif(argument ->> 'metadata', p.metadata))) INTO changed
    FROM {shard}.group_profile p WHERE p.group_id = mailbox_id;
    IF changed = '{}' THEN
        RETURN '{"status": "done"}';
    END IF;
    UPDATE {shard}.group_profile p
    SET name = coalesce(changed ->> 'name', p.name), topic = coalesce(changed ->> 'topic', p.topic),
        metadata = coalesce(changed ->> 'metadata', p.metadata)
    WHERE p.group_id = mailbox_id;
    RETURN {shard}.post_group_event(
        mailbox_id, {shard}.next_version(mailbox_id) * 2, actor,
        changed - 'metadata' || jsonb_build_object('type', CASE WHEN changed ? 'name' THEN 'group-renamed'
                                                                WHEN changed ? 'topic' THEN 'topic-changed'
                                                                ELSE 'metadata-changed' END));
END
$$;
