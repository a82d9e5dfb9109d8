-- Which users of any shards of this database show somebody when they are online: unless they have chosen not to, or have blocked
-- that one.
--
-- viewer    who asks; of any database
-- user_ids  users asked for
-- Result: for each, in the same order, whether they do; false for one who does not exist or is erased.
--
-- Names the parent, as mailbox_versions does: for many ids.
CREATE OR REPLACE FUNCTION parley.shows_presence(viewer bigint, user_ids bigint[])
    RETURNS boolean[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN ARRAY(SELECT coalesce((SELECT a.show_presence
                                         AND (SELECT true FROM parley.block b
                                              WHERE b.user_id = u.user_id AND b.blocked_id = viewer) IS NULL
                                  FROM parley.account a WHERE a.user_id = u.user_id), false)
                 FROM unnest(user_ids) AS u (user_id));
END
$$;
REVOKE ALL ON FUNCTION parley.shows_presence(bigint, bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.shows_presence(bigint, bigint[]) TO parley_server;
