-- Versions of mailboxes of any shards of this database: what validates cached pages, and whether users exist.
--
-- user_ids  mailboxes asked for
-- Result: their versions, in the same order; 0 for one that does not exist or is erased.
--
-- Names the parent, which starts every partition once a call, and looks in the one that each id is in: for many ids.
CREATE OR REPLACE FUNCTION parley.mailbox_versions(user_ids bigint[])
    RETURNS bigint[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN ARRAY(SELECT coalesce((SELECT m.version FROM parley.mailbox m
                                  WHERE m.user_id = u.user_id AND m.erased_timestamp IS NULL), 0)
                 FROM unnest(user_ids) AS u (user_id));
END
$$;
REVOKE ALL ON FUNCTION parley.mailbox_versions(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.mailbox_versions(bigint[]) TO parley_server;
