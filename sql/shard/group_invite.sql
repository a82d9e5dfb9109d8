-- Invites users to a group. The group keeps an open invitation for each, and follow-ups bring it to them.
--
-- raised  the version that the change has taken
-- actor   the user who invites
-- Result: followUps of the change's answer.
CREATE OR REPLACE FUNCTION {shard}.group_invite(mailbox_id bigint, raised bigint, actor bigint, user_ids bigint[])
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    INSERT INTO {shard}.group_invitation AS g (group_id, user_id, inviter_id, revision)
    SELECT mailbox_id, u.user_id, actor, raised FROM unnest(user_ids) AS u (user_id)
    ON CONFLICT (group_id, user_id) DO UPDATE SET inviter_id = excluded.inviter_id, revision = excluded.revision;
    RETURN {shard}.group_follow_ups(user_ids, 'group_invitation', jsonb_build_object(
        'groupId', mailbox_id::text, 'revision', raised, 'inviterId', actor::text, 'timestamp', raised,
        'name', (SELECT p.name FROM {shard}.group_profile p WHERE p.group_id = mailbox_id)));
END
$$;
