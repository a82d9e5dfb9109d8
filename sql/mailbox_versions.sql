-- Versions of mailboxes of any shards of this database.
--
-- user_ids
-- Result: the versions in the same order; 0 for a mailbox that does not exist or is erased.
--
-- It reads the parent table: a call opens every partition once and then reads only the partition of each id. So call it with many
-- ids at once.
CREATE OR REPLACE FUNCTION parley.mailbox_versions(user_ids bigint[])
    RETURNS bigint[]
    LANGUAGE plpgsql STABLE SECURITY INVOKER
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
