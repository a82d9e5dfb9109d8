-- A group as its members' conversations show it now.
--
-- Result: revision; memberIds; view and hiddenView; lowestRead and lowestDelivered: of each the two members with the lowest
-- watermark, [[user id, message id], ...].
CREATE OR REPLACE FUNCTION {shard}.group_state(mailbox_id bigint)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
            'revision', (SELECT b.version::text FROM {shard}.mailbox b WHERE b.user_id = mailbox_id),
            'memberIds', m.ids,
            'view', format('"name":%s,"participants":%s,"memberStates":%s', to_json(p.name), m.ids, m.shown),
            'hiddenView', format('"name":%s,"participants":%s,"memberStates":%s', to_json(p.name), m.ids, m.hidden),
            'lowestRead', jsonb_path_query_array(m.by_read, '$[0 to 1]'),
            'lowestDelivered', jsonb_path_query_array(m.by_delivered, '$[0 to 1]'))
        FROM {shard}.group_profile p,
             LATERAL (SELECT coalesce(jsonb_agg(g.user_id::text ORDER BY g.user_id), '[]') AS ids,
                             jsonb_agg(jsonb_build_array(g.user_id, g.read_up_to) ORDER BY g.read_up_to) AS by_read,
                             jsonb_agg(jsonb_build_array(g.user_id, g.delivered_up_to) ORDER BY g.delivered_up_to)
                                 AS by_delivered,
                             jsonb_agg(jsonb_build_object('userId', g.user_id::text,
                                                          'deliveredUpTo', g.delivered_up_to::text,
                                                          'readUpTo', g.read_up_to::text) ORDER BY g.user_id) AS shown,
                             jsonb_agg(jsonb_build_object('userId', g.user_id::text,
                                                          'deliveredUpTo', g.delivered_up_to::text,
                                                          'readUpTo', '0') ORDER BY g.user_id) AS hidden
                      FROM {shard}.group_member g
                      WHERE g.group_id = mailbox_id AND g.until_id IS NULL) m
        WHERE p.group_id = mailbox_id);
END
$$;
