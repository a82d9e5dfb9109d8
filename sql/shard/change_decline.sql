-- Declines an invitation to a group, in the mailbox of the user who is invited. A follow-up ends it in the group.
--
-- argument  groupId
-- Result: status: done, also if there is no open invitation; version if there was one.
CREATE OR REPLACE FUNCTION {shard}.change_decline(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    grp bigint := argument ->> 'groupId';
    declined bigint;
BEGIN
    UPDATE {shard}.invitation i SET inviter_id = NULL, group_name = NULL, invited_timestamp = NULL
    WHERE i.user_id = mailbox_id AND i.group_id = grp AND i.inviter_id IS NOT NULL
    RETURNING i.revision INTO declined;
    IF NOT FOUND THEN
        RETURN '{"status": "done"}';
    END IF;
    RETURN jsonb_build_object('status', 'done', 'version', {shard}.next_invited_version(mailbox_id),
                              'followUps', {shard}.decline_invitations(ARRAY[mailbox_id], ARRAY[grp], ARRAY[declined]));
END
$$;
