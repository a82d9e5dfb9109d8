-- Records how far a member has received and read, in the group's home shard. Where that changes the lowest watermark that a member
-- sees of the others, a follow-up to the group itself publishes it later, together with the receipts that come until then.
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
    member bigint := argument ->> 'userId';
    delivered_before bigint;
    delivered_now bigint;
    read_before bigint;
    read_now bigint;
    raised bigint;
BEGIN
    SELECT g.delivered_up_to, greatest(g.delivered_up_to, (argument ->> 'deliveredUpTo')::bigint),
           g.read_up_to, greatest(g.read_up_to, (argument ->> 'readUpTo')::bigint)
    INTO delivered_before, delivered_now, read_before, read_now
    FROM {shard}.group_member g WHERE g.group_id = mailbox_id AND g.user_id = member AND g.until_id IS NULL;
    IF NOT FOUND OR (delivered_now = delivered_before AND read_now = read_before) THEN
        RETURN '{"status": "done"}';
    END IF;
    UPDATE {shard}.group_member g SET delivered_up_to = delivered_now, read_up_to = read_now
    WHERE g.group_id = mailbox_id AND g.user_id = member AND g.until_id IS NULL;
    raised := {shard}.next_version(mailbox_id);
    -- With two other members at or below the old watermark, each member still sees one of them as the lowest.
    IF (delivered_now = delivered_before
        OR 2 = (SELECT count(*) FROM (SELECT FROM {shard}.group_member g
                                      WHERE g.group_id = mailbox_id AND g.until_id IS NULL AND g.user_id <> member
                                            AND g.delivered_up_to <= delivered_before LIMIT 2) low))
       AND (read_now = read_before
            OR 2 = (SELECT count(*) FROM (SELECT FROM {shard}.group_member g
                                          WHERE g.group_id = mailbox_id AND g.until_id IS NULL AND g.user_id <> member
                                                AND g.read_up_to <= read_before LIMIT 2) low)) THEN
        RETURN '{"status": "done"}';
    END IF;
    UPDATE {shard}.group_profile p SET publication_pending = true WHERE p.group_id = mailbox_id AND NOT p.publication_pending;
    RETURN CASE WHEN FOUND
                THEN jsonb_build_object('status', 'done', 'version', raised, 'followUps', jsonb_build_array(
                         jsonb_build_object('mailbox', mailbox_id::text, 'kind', 'group_publish', 'argument', '{}'::jsonb)))
                ELSE '{"status": "done"}' END;
END
$$;
