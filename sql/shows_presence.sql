-- Which users of any shards of this database let another user see when they are online: those who have not turned it off and
-- have not blocked that user.
--
-- viewer    the user who asks; of any database
-- user_ids
-- Result: for each, in the same order, whether it is shown; false for a user who does not exist or is erased.
--
-- It reads the parent table, as mailbox_versions does, so call it with many ids at once.
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
GRANT EXECUTE ON FUNCTION parley.shows_presence(bigint, bigint[]) TO parley_server;
