-- Whether users of this shard have blocked others.
--
-- mailbox_ids  the users
-- others       in the same order
-- Result: for each, in the same order; false if the mailbox does not exist.
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
GRANT EXECUTE ON FUNCTION {shard}.have_blocked(bigint[], bigint[]) TO parley_server;
