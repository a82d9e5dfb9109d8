-- The group's part of a user's conversation: for a member as the group is now, for a user who has left as it was then.
CREATE OR REPLACE FUNCTION {shard}.group_view_of(mailbox_id bigint, peer bigint)
    RETURNS text
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    -- Both are read as the first of an order, which only the primary key has.
    RETURN (SELECT coalesce(s.left_view, (SELECT v.view FROM (SELECT v.group_id, v.view FROM {shard}.group_view v
                                                              WHERE v.shard_id = parley.shard_base(mailbox_id)
                                                                    AND v.group_id >= peer
                                                              ORDER BY v.group_id LIMIT 1) v
                                          WHERE v.group_id = peer))
            FROM (SELECT s.group_id, s.left_view FROM {shard}.membership s
                  WHERE s.user_id = mailbox_id AND s.group_id >= peer
                  ORDER BY s.group_id LIMIT 1) s
            WHERE s.group_id = peer);
END
$$;
