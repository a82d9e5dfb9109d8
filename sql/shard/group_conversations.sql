-- The conversation rows (ctid) of users of this shard with a group; users without one are left out.
--
-- Each is the first row of an order that only the primary key has, as in has_conversations: a join would be planned as a full scan.
CREATE OR REPLACE FUNCTION {shard}.group_conversations(mailbox_ids bigint[], peer bigint)
    RETURNS tid[]
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN ARRAY(SELECT c.place
                 FROM unnest(mailbox_ids) AS u (id),
                      LATERAL (SELECT c.ctid AS place, c.peer_id FROM {shard}.conversation c
                               WHERE c.user_id = u.id AND c.peer_id >= peer
                               ORDER BY c.peer_id LIMIT 1) c
                 WHERE c.peer_id = peer);
END
$$;
