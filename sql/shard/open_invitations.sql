-- A user's open invitations as the API shows them, the newest first: a JSON array.
CREATE OR REPLACE FUNCTION {shard}.open_invitations(mailbox_id bigint)
    RETURNS text
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                'groupId', i.group_id::text, 'groupName', i.group_name, 'inviterId', i.inviter_id::text,
                                'invitedTimestamp', i.invited_timestamp)
                            ORDER BY i.invited_timestamp DESC, i.group_id DESC), '[]')
            FROM {shard}.invitation i WHERE i.user_id = mailbox_id AND i.inviter_id IS NOT NULL);
END
$$;
