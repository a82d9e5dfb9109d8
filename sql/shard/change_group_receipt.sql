-- Records how far a member has received and read, in the group's home shard. A follow-up to the group itself publishes it later,
-- together with the receipts that come until then.
--
-- argument  userId; deliveredUpTo, readUpTo: each may be absent
-- Result: status done, also for a user who is no member any more.
CREATE OR REPLACE FUNCTION {shard}.change_group_receipt(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    raised bigint;
BEGIN
    UPDATE {shard}.group_member g
    SET delivered_up_to = greatest(g.delivered_up_to, (argument ->> 'deliveredUpTo')::bigint),
        read_up_to = greatest(g.read_up_to, (argument ->> 'readUpTo')::bigint)
    WHERE g.group_id = mailbox_id AND g.user_id = (argument ->> 'userId')::bigint AND g.until_id IS NULL
          AND (g.delivered_up_to < (argument ->> 'deliveredUpTo')::bigint
               OR g.read_up_to < (argument ->> 'readUpTo')::bigint);
    IF NOT FOUND THEN
        RETURN '{"status": "done"}';
    END IF;
    raised := {shard}.next_version(mailbox_id);
    UPDATE {shard}.group_profile p SET is_publishing = true WHERE p.group_id = mailbox_id AND NOT p.is_publishing;
    RETURN CASE WHEN FOUND
                THEN jsonb_build_object('status', 'done', 'version', raised, 'followUps', jsonb_build_array(
                         jsonb_build_object('mailbox', mailbox_id::text, 'kind', 'group_publish', 'argument', '{}'::jsonb)))
                ELSE '{"status": "done"}' END;
END
$$;
