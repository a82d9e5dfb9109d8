-- The users that a user has blocked, in the order of their ids: for an export, page by page.
--
-- mailbox_id
-- after       only ids above it; 0 at first
-- page_size   rows at most
-- Rows: none if there are no more.
CREATE OR REPLACE FUNCTION {shard}.export_blocks(mailbox_id bigint, after bigint, page_size integer)
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
    FROM {shard}.block b
    WHERE b.user_id = mailbox_id AND b.blocked_id > after
    ORDER BY b.blocked_id LIMIT page_size;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.export_blocks(bigint, bigint, integer) TO parley_server;
