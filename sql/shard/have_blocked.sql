-- Whether users of the shard have blocked others.
--
-- mailbox_ids  the users
-- others       whom, in the same order
-- Result: for each, in the same order; false where there is no such mailbox.
CREATE OR REPLACE FUNCTION {shard}.have_blocked(mailbox_ids bigint[], others bigint[])
    RETURNS boolean[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN ARRAY(SELECT coalesce((SELECT true FROM {shard}.block b
                                  WHERE b.user_id = a.mailbox_id AND b.blocked_id = a.other), false)
                 FROM unnest(mailbox_ids, others) AS a (mailbox_id, other));
END
$$;
REVOKE ALL ON FUNCTION {shard}.have_blocked(bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.have_blocked(bigint[], bigint[]) TO parley_server;
