-- Which users of this shard let another user see when they are online, as parley.shows_presence.
CREATE OR REPLACE FUNCTION {shard}.shows_presence(viewer bigint, user_ids bigint[])
    RETURNS boolean[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN ARRAY(SELECT coalesce((SELECT a.show_presence
                                         AND (SELECT true FROM {shard}.block b
                                              WHERE b.user_id = u.user_id AND b.blocked_id = viewer) IS NULL
                                  FROM {shard}.account a WHERE a.user_id = u.user_id), false)
                 FROM unnest(user_ids) AS u (user_id));
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.shows_presence(bigint, bigint[]) TO parley_server;
