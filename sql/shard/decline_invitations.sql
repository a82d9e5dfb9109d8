-- The part of a change's answer that ends invitations in their groups: follow-ups.
--
-- user_ids   the users who were invited
-- group_ids  element by element the group that has invited this user
-- revisions  and the revision of the invitation
CREATE OR REPLACE FUNCTION {shard}.decline_invitations(user_ids bigint[], group_ids bigint[], revisions bigint[])
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN (SELECT jsonb_agg(jsonb_build_object(
                       'mailbox', d.group_id::text, 'kind', 'group_decline',
                       'argument', jsonb_build_object('userId', d.user_id::text, 'revision', d.revision)))
            FROM unnest(user_ids, group_ids, revisions) AS d (user_id, group_id, revision));
END
$$;
