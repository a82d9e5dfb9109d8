-- Versions of mailboxes of this shard, as parley.mailbox_versions.
CREATE OR REPLACE FUNCTION {shard}.mailbox_versions(user_ids bigint[])
    RETURNS bigint[]
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN ARRAY(SELECT coalesce((SELECT m.version FROM {shard}.mailbox m
                                  WHERE m.user_id = u.user_id AND m.erased_timestamp IS NULL), 0)
                 FROM unnest(user_ids) AS u (user_id));
END
$$;
