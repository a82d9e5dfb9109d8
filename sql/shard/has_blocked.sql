-- Whether the mailbox's user has blocked another user.
CREATE OR REPLACE FUNCTION {shard}.has_blocked(mailbox_id bigint, other bigint)
    RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM {shard}.block b WHERE b.user_id = mailbox_id AND b.blocked_id = other);
END
$$;
