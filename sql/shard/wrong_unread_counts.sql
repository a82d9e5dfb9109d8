-- Conversations whose unread_count differs from a recount: for `parleyctl doctor --unread`.
--
-- above, up_to  mailboxes to look at: user_id in (above, up_to]; without erased users, whose messages are deleted first
-- STABLE: counts and watermarks are of one snapshot, so that a concurrent write does not look like a difference.
CREATE OR REPLACE FUNCTION {shard}.wrong_unread_counts(above bigint, up_to bigint)
    RETURNS TABLE (user_id bigint, peer_id bigint, unread_count integer, recount integer)
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT c.user_id, c.peer_id, c.unread_count, r.recount
    FROM {shard}.conversation c
         CROSS JOIN LATERAL {shard}.count_unread(
             c.user_id, c.peer_id, greatest(c.read_up_to, c.cleared_up_to), c.last_message_id) AS r (recount)
    WHERE c.user_id > above AND c.user_id <= up_to AND c.unread_count <> r.recount
          AND NOT EXISTS (SELECT FROM {shard}.mailbox b WHERE b.user_id = c.user_id AND b.erased_timestamp IS NOT NULL)
    ORDER BY c.user_id, c.peer_id;
END
$$;
