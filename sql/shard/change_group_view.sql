-- Tells members of a shard how far the group's members have come.
--
-- argument  members: the mailboxes; groupId; state, of group_state
-- Result: status done, be it that a later state is there already.
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
    clock bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    IF {shard}.set_group_view(group_id, argument -> 'state', argument -> 'members') THEN
        WITH bumped AS (
            UPDATE {shard}.mailbox b SET version = greatest(b.version + 1, clock)
            FROM jsonb_array_elements_text(argument -> 'members') AS u (id)
            WHERE b.user_id = u.id::bigint AND b.erased_timestamp IS NULL
            RETURNING b.user_id, b.version
        )
        UPDATE {shard}.conversation c SET version = b.version, changed_period = b.version >> 27
        FROM bumped b WHERE c.user_id = b.user_id AND c.peer_id = group_id;
    END IF;
    RETURN '{"status": "done"}';
END
$$;
REVOKE ALL ON FUNCTION {shard}.change_group_view(bigint, jsonb) FROM PUBLIC;
