-- Takes over a group's new state in one shard, after the system message about it is stored there (write_group_messages).
--
-- argument  members: the mailboxes; groupId; state: the group after the message (group_state)
-- Result: status done. Follow-ups: erased users who are still members leave the group.
CREATE OR REPLACE FUNCTION {shard}.change_group_message(mailbox_id bigint, argument jsonb)
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
    gone bigint[];
BEGIN
    PERFORM {shard}.set_group_view(group_id, argument -> 'state', argument -> 'members');
    gone := ARRAY(SELECT b.user_id FROM {shard}.mailbox b
                  WHERE b.user_id = ANY (ARRAY(SELECT u.id::bigint
                                               FROM jsonb_array_elements_text(argument -> 'members') AS u (id)
                                               WHERE argument #> '{state,memberIds}' ? u.id))
                        AND b.erased_timestamp IS NOT NULL);
    IF cardinality(gone) = 0 THEN
        RETURN '{"status": "done"}';
    END IF;
    RETURN '{"status": "done"}' || {shard}.leave_groups(gone[1], gone, array_fill(group_id, ARRAY[cardinality(gone)]));
END
$$;
