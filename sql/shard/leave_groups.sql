-- What makes erased users leave groups: for a change function's answer.
--
-- mailbox_id  of one of them: it takes a version and owes
-- user_ids    who leave
-- group_ids   element by element, which group
CREATE OR REPLACE FUNCTION {shard}.leave_groups(mailbox_id bigint, user_ids bigint[], group_ids bigint[])
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN jsonb_build_object(
        'mailbox', mailbox_id::text, 'version', {shard}.next_version(mailbox_id),
        'owes', (SELECT jsonb_agg(jsonb_build_object(
                            'mailbox', l.group_id::text, 'kind', 'group_leave',
                            'argument', jsonb_build_object('actorId', l.user_id::text, 'userId', l.user_id::text)))
                 FROM unnest(user_ids, group_ids) AS l (user_id, group_id)));
END
$$;
REVOKE ALL ON FUNCTION {shard}.leave_groups(bigint, bigint[], bigint[]) FROM PUBLIC;
