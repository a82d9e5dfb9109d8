-- The users that a user has blocked, in the order of their ids.
--
-- mailbox_id
-- after      0, or an id: only those above it
-- page_size  rows at most
-- Rows: one more than page_size if there are more. An empty page is one row with blocked_id null. No row at all: the mailbox does
-- not exist or is erased.
CREATE OR REPLACE FUNCTION {shard}.fetch_blocks(mailbox_id bigint, after bigint, page_size integer)
    RETURNS TABLE (blocked_id bigint, blocked_timestamp bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT b.blocked_id, b.blocked_timestamp
    FROM {shard}.mailbox m
         LEFT JOIN LATERAL (SELECT b.blocked_id, b.blocked_timestamp FROM {shard}.block b
                            WHERE b.user_id = mailbox_id AND b.blocked_id > after
                            ORDER BY b.blocked_id LIMIT page_size + 1) b ON true
    WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL
    ORDER BY b.blocked_id;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_blocks(bigint, bigint, integer) TO parley_server;
