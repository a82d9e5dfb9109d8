-- Publishes how far a group's members have received and read, by one follow-up for each shard of members. At most once a second.
--
-- argument  empty
-- Result: status. done; missing: the last publication is less than a second old, so the change has to be made again later.
CREATE OR REPLACE FUNCTION {shard}.change_group_publish(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    clock bigint := parley.clock_us();
    raised bigint;
BEGIN
    UPDATE {shard}.group_profile p SET publication_pending = false, published_timestamp = clock
    WHERE p.group_id = mailbox_id AND p.publication_pending AND p.published_timestamp <= clock - 1000000;
    IF NOT FOUND THEN
        RETURN jsonb_build_object('status', CASE WHEN (SELECT p.publication_pending FROM {shard}.group_profile p
                                                       WHERE p.group_id = mailbox_id) THEN 'missing' ELSE 'done' END);
    END IF;
    raised := {shard}.next_version(mailbox_id);
    RETURN jsonb_build_object('status', 'done', 'version', raised, 'followUps', {shard}.group_follow_ups(
        {shard}.group_members_at(mailbox_id, NULL), 'group_view',
        {shard}.group_lowest(mailbox_id) || jsonb_build_object('groupId', mailbox_id::text)));
END
$$;
