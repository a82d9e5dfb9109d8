-- Ends a group's open invitation to a user who has declined it, or to whom it was not shown. A follow-up of a change in their mailbox.
--
-- argument  userId; revision: an invitation with a higher one was made later and stays
-- Result: status: done.
CREATE OR REPLACE FUNCTION {shard}.change_group_decline(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    DELETE FROM {shard}.group_invitation g
    WHERE g.group_id = mailbox_id AND g.user_id = (argument ->> 'userId')::bigint
          AND g.revision <= (argument -> 'revision')::bigint;
    RETURN '{"status": "done"}';
END
$$;
