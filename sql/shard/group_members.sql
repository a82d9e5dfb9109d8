-- The members of a group that a user of this shard is in; null if they are no member.
CREATE OR REPLACE FUNCTION {shard}.group_members(mailbox_id bigint, peer bigint)
    RETURNS bigint[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN (SELECT v.member_ids FROM {shard}.group_view v
            WHERE v.shard_id = parley.shard_base(mailbox_id) AND v.group_id = peer AND mailbox_id = ANY (v.member_ids));
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.group_members(bigint, bigint) TO parley_server;
