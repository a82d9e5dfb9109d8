-- Takes over in one shard how far a group's members have received and read.
--
-- argument  members: the mailboxes; groupId; lowestRead and lowestDelivered, of group_lowest
-- Result: status done. Only a mailbox whose conversation shows something new takes a version.
CREATE OR REPLACE FUNCTION {shard}.change_group_view(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    group_id bigint := argument ->> 'groupId';
    clock bigint := parley.clock_us();
    changed bigint[] := {shard}.set_group_watermarks(
        group_id, argument, ARRAY(SELECT u.id::bigint FROM jsonb_array_elements_text(argument -> 'members') AS u (id)));
BEGIN
    UPDATE {shard}.mailbox b SET version = greatest(b.version + 1, clock)
    WHERE b.user_id = ANY (changed) AND b.erased_timestamp IS NULL;
    UPDATE {shard}.conversation c
    SET (version, changed_period) = (SELECT b.version, parley.period_of(b.version) FROM {shard}.mailbox b WHERE b.user_id = c.user_id)
    WHERE c.ctid = ANY ({shard}.group_conversations(changed, group_id));
    RETURN '{"status": "done"}';
END
$$;
