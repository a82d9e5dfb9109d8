-- Adds users to a group, and invites the users who may not be added.
--
-- argument  actorId; userIds, who exist (checked by the server); invitedIds: those of them who must be invited by their settings
--           and blocks (read by the server); maxMembers
-- Result: status; invited: those of userIds who are invited and not added. done, also if all are members already;
-- group-not-found; forbidden: the actor is neither the owner nor an admin; group-full: there would be too many members, if all
-- accepted, or too many open invitations.
--
-- A user who is invited already is invited again: the invitation may have ended meanwhile, and the group does not know it yet.
-- A user who has left the group is invited too, whatever their settings are. A user whom an admin has removed may be added.
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
    others bigint[] := ARRAY(SELECT DISTINCT u.id::bigint
                             FROM jsonb_array_elements_text(argument -> 'userIds') AS u (id)
                             WHERE {shard}.group_role_of(mailbox_id, u.id::bigint) IS NULL ORDER BY 1);
    invited bigint[] := ARRAY(SELECT o.user_id FROM unnest(others) AS o (user_id)
                              WHERE argument -> 'invitedIds' ? o.user_id::text
                                    OR (SELECT g.role FROM {shard}.group_member g
                                        WHERE g.group_id = mailbox_id AND g.user_id = o.user_id
                                        ORDER BY g.since_id DESC LIMIT 1) = 'left');
    joining bigint[] := ARRAY(SELECT o.user_id FROM unnest(others) AS o (user_id) WHERE o.user_id <> ALL (invited));
    most integer := argument -> 'maxMembers';
    raised bigint;
    answer jsonb := jsonb_build_object('status', 'done', 'invited', ARRAY(SELECT i::text FROM unnest(invited) AS i));
BEGIN
    IF actor_role IS NULL THEN
        RETURN '{"status": "group-not-found"}';
    ELSIF actor_role = 'member' THEN
        RETURN '{"status": "forbidden"}';
    ELSIF cardinality(others) = 0 THEN
        RETURN answer;
    ELSIF cardinality({shard}.group_members_at(mailbox_id, NULL)) + cardinality(others) > most
          OR cardinality(invited) + (SELECT count(*) FROM {shard}.group_invitation g
                                     WHERE g.group_id = mailbox_id AND g.user_id <> ALL (others)) > most THEN
        RETURN '{"status": "group-full"}';
    END IF;
    raised := {shard}.next_version(mailbox_id);
    answer := answer || jsonb_build_object('mailbox', mailbox_id::text, 'version', raised, 'followUps', '[]'::jsonb);
    IF cardinality(joining) > 0 THEN
        INSERT INTO {shard}.group_member (group_id, user_id, since_id, joined_timestamp, delivered_up_to, read_up_to, role)
        SELECT mailbox_id, j.user_id, raised * 2, raised, raised * 2, raised * 2, 'member' FROM unnest(joining) AS j (user_id);
        answer := answer || {shard}.post_group_event(mailbox_id, raised * 2, actor, jsonb_build_object(
            'type', 'members-added', 'userIds', ARRAY(SELECT j::text FROM unnest(joining) j)));
    END IF;
    RETURN answer || jsonb_build_object('followUps', (answer -> 'followUps')
                                                     || {shard}.group_end_invitations(mailbox_id, raised, joining)
                                                     || {shard}.group_invite(mailbox_id, raised, actor, invited));
END
$$;
