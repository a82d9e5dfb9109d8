-- Creates a group in its creator's shard. The change is made in the creator's mailbox and does not alter it.
--
-- argument  groupId: from the id generator, of this shard; if it is taken, the next free one of its millisecond is used; name;
--           topic and metadata (text), which may be absent; memberIds: the others, who exist (checked by the server); invitedIds:
--           those of them who must be invited by their settings and blocks (read by the server); clientGroupId;
--           maxMembers
-- Result: status, groupId, isDuplicate, invited: the others who have not been members yet. status: done; client-group-id-reused: for a
-- group with another name, topic, metadata or members; group-full; id-taken: all ids of that millisecond are.
CREATE OR REPLACE FUNCTION {shard}.change_group_create(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    first_id bigint := argument ->> 'groupId';
    new_id bigint;
    members bigint[] := ARRAY(SELECT DISTINCT m.id::bigint
                              FROM jsonb_array_elements_text(argument -> 'memberIds') AS m (id)
                              WHERE m.id::bigint <> mailbox_id ORDER BY 1);
    topic text := coalesce(argument ->> 'topic', '');
    invited bigint[] := ARRAY(SELECT m.id FROM unnest(members) AS m (id) WHERE argument -> 'invitedIds' ? m.id::text);
    joining bigint[] := ARRAY(SELECT m.id FROM unnest(members) AS m (id) WHERE m.id <> ALL (invited));
    hash text := encode(sha256(convert_to(jsonb_build_array(argument -> 'name', topic, members, argument -> 'metadata')::text, 'UTF8')), 'hex');
    there bigint;
    there_hash text;
    there_since bigint;
    clock bigint := parley.clock_us();
    answer jsonb;
BEGIN
    SELECT p.group_id, p.request_hash, p.created_timestamp INTO there, there_hash, there_since
    FROM {shard}.group_profile p
    WHERE p.creator_id = mailbox_id AND p.client_group_id = argument ->> 'clientGroupId';
    IF there IS NOT NULL THEN
        RETURN CASE WHEN there_hash = hash
                    THEN jsonb_build_object('status', 'done', 'groupId', there::text, 'isDuplicate', true,
                                            'mailbox', there::text, 'version', there_since,
                                            'invited', ARRAY(SELECT m.id::text FROM unnest(members) AS m (id)
                                                             WHERE NOT EXISTS (SELECT FROM {shard}.group_member g
                                                                               WHERE g.group_id = there AND g.user_id = m.id)),
                                            'followUps', {shard}.group_open_follow_ups(there, there_since))
                    ELSE '{"status": "client-group-id-reused"}' END;
    ELSIF cardinality(members) + 1 > (argument -> 'maxMembers')::integer THEN
        RETURN '{"status": "group-full"}';
    END IF;
    -- Two servers may make the same id in one millisecond.
    FOR place IN 0 .. 255 LOOP
        INSERT INTO {shard}.mailbox (user_id, version) VALUES (((first_id >> 8) << 8) + ((first_id + place) & 255), clock)
        ON CONFLICT DO NOTHING RETURNING user_id INTO new_id;
        EXIT WHEN new_id IS NOT NULL;
    END LOOP;
    IF new_id IS NULL THEN
        RETURN '{"status": "id-taken"}';
    END IF;
    INSERT INTO {shard}.group_profile (group_id, creator_id, created_timestamp, client_group_id, request_hash, name, topic,
                                       metadata)
    VALUES (new_id, mailbox_id, clock, argument ->> 'clientGroupId', hash, argument ->> 'name', topic,
            argument ->> 'metadata');
    INSERT INTO {shard}.group_member (group_id, user_id, since_id, joined_timestamp, delivered_up_to, read_up_to, role)
    SELECT new_id, u.user_id, clock * 2, clock, clock * 2, clock * 2,
           CASE WHEN u.user_id = mailbox_id THEN 'owner' ELSE 'member' END
    FROM unnest(mailbox_id || joining) AS u (user_id);
    answer := {shard}.post_group_event(new_id, clock * 2, mailbox_id, jsonb_strip_nulls(jsonb_build_object(
               'type', 'group-created', 'name', argument -> 'name', 'topic', nullif(topic, ''),
               'userIds', ARRAY(SELECT j::text FROM unnest(joining) j))));
    RETURN answer || jsonb_build_object('isDuplicate', false, 'invited', ARRAY(SELECT i::text FROM unnest(invited) i),
                                        'followUps', (answer -> 'followUps')
                                                     || {shard}.group_invite(new_id, clock, mailbox_id, invited));
END
$$;
