-- Where the conversations of users of this shard with a group are: rows of conversation, of those who have one.
--
-- Each is the first of an order that the primary key alone has, as in has_conversations; to join would be planned as a scan of all.
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
REVOKE ALL ON FUNCTION {shard}.group_conversations(bigint[], bigint) FROM PUBLIC;
