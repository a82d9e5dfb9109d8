-- Whether users of any shards of this database may be added to groups by other users: by their settings and blocks.
--
-- adders    users of any database
-- user_ids  in the same order, the users to be added
-- Result: for each, in the same order: 1 the user may be added; 0 the user must be invited, also if they do not exist; 2 the user
-- may be added if they have written to the adder (have_written).
--
-- It names the parents, as mailbox_versions does: for many ids.
CREATE OR REPLACE FUNCTION parley.group_consents(adders bigint[], user_ids bigint[])
    RETURNS bigint[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN ARRAY(SELECT coalesce((SELECT CASE WHEN (SELECT true FROM parley.block b
                                                    WHERE b.user_id = u.user_id AND b.blocked_id = u.adder) THEN 0
                                              WHEN a.group_invites = 'everyone' THEN 1
                                              WHEN a.group_invites = 'contacts' THEN 2
                                              ELSE 0 END
                                  FROM parley.account a WHERE a.user_id = u.user_id), 0)::bigint
                 FROM unnest(adders, user_ids) AS u (adder, user_id));
END
$$;
GRANT EXECUTE ON FUNCTION parley.group_consents(bigint[], bigint[]) TO parley_server;
