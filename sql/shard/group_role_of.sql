-- A user's role in a group of this home shard; null if they are no member.
CREATE OR REPLACE FUNCTION {shard}.group_role_of(mailbox_id bigint, member bigint)
    RETURNS text
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN (SELECT g.role FROM {shard}.group_member g
            WHERE g.group_id = mailbox_id AND g.user_id = member AND g.until_id IS NULL);
END
$$;
