-- Keys of the change outbox in their order and without a lock, as pending_outbox gives those of the outbox.
CREATE OR REPLACE FUNCTION parley.pending_changes(
    after_mailbox bigint, after_version bigint, after_ordinal bigint, page_size integer)
    RETURNS TABLE (mailbox_id bigint, version bigint, ordinal bigint, target_id bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT o.mailbox_id, o.version, o.ordinal::bigint, o.target_id
    FROM parley.change_outbox o
    WHERE (o.mailbox_id, o.version, o.ordinal) > (after_mailbox, after_version, after_ordinal)
    ORDER BY o.mailbox_id, o.version, o.ordinal
    LIMIT page_size;
END
$$;
GRANT EXECUTE ON FUNCTION parley.pending_changes(bigint, bigint, bigint, integer) TO parley_server;
