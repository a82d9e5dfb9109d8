-- A group of this home shard as the API shows it, with its first 100 members.
--
-- id      of the group
-- caller  the user who asks
-- Result: a JSON object as text; null: the group does not exist, or the caller is no member.
CREATE OR REPLACE FUNCTION {shard}.fetch_group(id bigint, caller bigint)
    RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    IF {shard}.group_role_of(id, caller) IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (
        -- The metadata is added as text: jsonb would change it.
        SELECT left(jsonb_build_object(
            'groupId', id::text, 'name', p.name, 'topic', p.topic, 'createdTimestamp', p.created_timestamp,
            'ownerId', (SELECT g.user_id::text FROM {shard}.group_member g
                        WHERE g.group_id = id AND g.until_id IS NULL AND g.role = 'owner'),
            'memberCount', (SELECT count(*) FROM {shard}.group_member g WHERE g.group_id = id AND g.until_id IS NULL),
            'members', (SELECT jsonb_agg(jsonb_build_object('userId', g.user_id::text, 'role', g.role,
                                                            'joinedTimestamp', g.joined_timestamp)
                                         ORDER BY g.user_id)
                        FROM (SELECT * FROM {shard}.group_member g
                              WHERE g.group_id = id AND g.until_id IS NULL
                              ORDER BY g.user_id LIMIT 100) g))::text, -1)
               || coalesce(',"metadata":' || p.metadata, '') || '}'
        FROM {shard}.group_profile p WHERE p.group_id = id);
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_group(bigint, bigint) TO parley_server;
