-- The part of a change's answer that makes erased users leave groups: a version and follow-ups.
--
-- mailbox_id  of one of the users: it takes the version and is the follow-ups' origin
-- user_ids    the users
-- group_ids   element by element the group that this user leaves
CREATE OR REPLACE FUNCTION {shard}.leave_groups(mailbox_id bigint, user_ids bigint[], group_ids bigint[])
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object(
        'mailbox', mailbox_id::text, 'version', {shard}.next_version(mailbox_id),
        'followUps', (SELECT jsonb_agg(jsonb_build_object(
                            'mailbox', l.group_id::text, 'kind', 'group_leave',
                            'argument', jsonb_build_object('actorId', l.user_id::text, 'userId', l.user_id::text)))
                 FROM unnest(user_ids, group_ids) AS l (user_id, group_id)));
END
$$;
