-- The group's part of a member's conversation; empty if the user is no member any more.
CREATE OR REPLACE FUNCTION {shard}.group_view_of(mailbox_id bigint, peer bigint)
    RETURNS text
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    found record;
BEGIN
    SELECT v.group_id, v.member_ids, v.view, v.hidden_view INTO found
    FROM {shard}.group_view v
    WHERE v.shard_id = parley.shard_base(mailbox_id) AND v.group_id >= peer
    ORDER BY v.group_id LIMIT 1;
    IF found.group_id IS DISTINCT FROM peer OR NOT mailbox_id = ANY (found.member_ids) THEN
        RETURN '';
    END IF;
    RETURN CASE WHEN (SELECT a.read_receipts FROM {shard}.account a WHERE a.user_id = mailbox_id) THEN found.view
                ELSE found.hidden_view END;
END
$$;
