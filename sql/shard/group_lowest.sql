-- The lowest watermarks of a group's members now.
--
-- Result: lowestRead and lowestDelivered: of each the two members with the lowest watermark, [[user id, message id], ...]. The
-- lowest watermark of all others than a user is the first of these that is not the user's own.
CREATE OR REPLACE FUNCTION {shard}.group_lowest(mailbox_id bigint)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN jsonb_build_object(
        'lowestRead',
        (SELECT coalesce(jsonb_agg(jsonb_build_array(m.user_id, m.read_up_to) ORDER BY m.read_up_to, m.user_id), '[]')
         FROM (SELECT g.user_id, g.read_up_to FROM {shard}.group_member g
               WHERE g.group_id = mailbox_id AND g.until_id IS NULL
               ORDER BY g.read_up_to, g.user_id LIMIT 2) m),
        'lowestDelivered',
        (SELECT coalesce(jsonb_agg(jsonb_build_array(m.user_id, m.delivered_up_to) ORDER BY m.delivered_up_to, m.user_id), '[]')
         FROM (SELECT g.user_id, g.delivered_up_to FROM {shard}.group_member g
               WHERE g.group_id = mailbox_id AND g.until_id IS NULL
               ORDER BY g.delivered_up_to, g.user_id LIMIT 2) m));
END
$$;
