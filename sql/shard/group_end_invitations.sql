-- Ends the open invitations of a group to some users: they are members now, or the invitations are no longer good.
--
-- raised  the version that the change has taken
-- Result: followUps of the change's answer.
CREATE OR REPLACE FUNCTION {shard}.group_end_invitations(mailbox_id bigint, raised bigint, user_ids bigint[])
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    ended bigint[];
BEGIN
    WITH gone AS (
        DELETE FROM {shard}.group_invitation g WHERE g.group_id = mailbox_id AND g.user_id = ANY (user_ids) RETURNING g.user_id
    )
    SELECT coalesce(array_agg(g.user_id), '{}') INTO ended FROM gone g;
    RETURN {shard}.group_follow_ups(ended, 'group_invitation',
                                    jsonb_build_object('groupId', mailbox_id::text, 'revision', raised));
END
$$;
