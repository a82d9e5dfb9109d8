-- The public data of users of any shards of this database.
--
-- ids
-- Rows: one for each user who exists or is erased, in any order. For an erased user the row has user_id and deleted_timestamp;
-- all else is null.
--
-- Each account is read as the first of its key: a plain join might be planned as a scan of all accounts. It names the parents, as
-- mailbox_versions does: for many ids.
CREATE OR REPLACE FUNCTION parley.fetch_users(ids bigint[])
    RETURNS TABLE (user_id bigint, username text, display_name text, created_timestamp bigint, metadata text,
                   deleted_timestamp bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT u.id, a.username, a.display_name, a.created_timestamp, a.metadata, m.erased_timestamp
    FROM unnest(ids) AS u (id)
         LEFT JOIN LATERAL (SELECT * FROM parley.account a WHERE a.user_id = u.id LIMIT 1) a ON true
         LEFT JOIN LATERAL (SELECT * FROM parley.mailbox m
                            WHERE m.user_id = u.id AND a.user_id IS NULL LIMIT 1) m ON true
    WHERE a.user_id IS NOT NULL OR m.erased_timestamp IS NOT NULL;
END
$$;
GRANT EXECUTE ON FUNCTION parley.fetch_users(bigint[]) TO parley_server;
