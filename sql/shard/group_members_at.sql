-- The members of a group when a message was sent, even if they have left since.
--
-- mailbox_id  of the group
-- message     its id; null: the members now
CREATE OR REPLACE FUNCTION {shard}.group_members_at(mailbox_id bigint, message bigint)
    RETURNS bigint[]
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN ARRAY(SELECT g.user_id FROM {shard}.group_member g
                 WHERE g.group_id = mailbox_id AND coalesce(g.since_id <= message, true)
                       AND (g.until_id IS NULL OR g.until_id >= message)
                 ORDER BY g.user_id);
END
$$;
