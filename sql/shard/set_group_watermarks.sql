-- Takes over, in members' conversations with a group, how far all other members have received and read. The watermarks only rise.
--
-- peer         the group
-- lowest       of group_lowest
-- mailbox_ids  members of this shard
-- Result: the mailboxes whose conversation shows something new. A user who hides their own read receipts does not get others'.
CREATE OR REPLACE FUNCTION {shard}.set_group_watermarks(peer bigint, lowest jsonb, mailbox_ids bigint[])
    RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    -- The member with the lowest watermark of all sees the second lowest.
    last_reader bigint := lowest #>> '{lowestRead,0,0}';
    read_by_all bigint := coalesce((lowest #>> '{lowestRead,0,1}')::bigint, 0);
    read_by_others bigint := coalesce((lowest #>> '{lowestRead,1,1}')::bigint, 0);
    last_receiver bigint := lowest #>> '{lowestDelivered,0,0}';
    at_all bigint := coalesce((lowest #>> '{lowestDelivered,0,1}')::bigint, 0);
    at_others bigint := coalesce((lowest #>> '{lowestDelivered,1,1}')::bigint, 0);
    changed bigint[];
BEGIN
    WITH moved AS (
        UPDATE {shard}.conversation c
        SET peer_read_up_to = CASE
                WHEN (SELECT a.read_receipts FROM {shard}.account a WHERE a.user_id = c.user_id)
                THEN greatest(c.peer_read_up_to, CASE c.user_id WHEN last_reader THEN read_by_others ELSE read_by_all END)
                ELSE c.peer_read_up_to END,
            peer_delivered_up_to = greatest(
                c.peer_delivered_up_to, CASE c.user_id WHEN last_receiver THEN at_others ELSE at_all END)
        WHERE c.ctid = ANY ({shard}.group_conversations(mailbox_ids, peer))
              AND (c.peer_delivered_up_to < CASE c.user_id WHEN last_receiver THEN at_others ELSE at_all END
                   OR (c.peer_read_up_to < CASE c.user_id WHEN last_reader THEN read_by_others ELSE read_by_all END
                       AND (SELECT a.read_receipts FROM {shard}.account a WHERE a.user_id = c.user_id)))
        RETURNING c.user_id
    )
    SELECT coalesce(array_agg(m.user_id), '{}') INTO changed FROM moved m;
    RETURN changed;
END
$$;
