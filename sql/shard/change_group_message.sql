-- Members' copies of a group's message, in one shard.
--
-- argument  members: the mailboxes; groupId, messageId, senderId, clientMessageId, content; extra, or none; state: of a system
--           message, the group as it is after it (group_state)
-- Result: status done. A copy that is there already is passed over, and so is the mailbox of who is erased; whom a system
-- message finds so, and still a member, leaves: that is owed to the group.
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
    message bigint := argument ->> 'messageId';
    sender bigint := argument ->> 'senderId';
    clock bigint := extract(epoch FROM clock_timestamp()) * 1000000;
    lacking bigint[];
    gone bigint[];
BEGIN
    -- The one before it is not here yet, nor is the member gone who would have it.
    IF argument ? 'witness'
       AND (SELECT m.message_id FROM {shard}.message m
            WHERE m.user_id = (argument ->> 'witness')::bigint AND m.peer_id = group_id
                  AND m.message_id >= (argument ->> 'after')::bigint
            ORDER BY m.message_id LIMIT 1) IS DISTINCT FROM (argument ->> 'after')::bigint
       AND (SELECT b.erased_timestamp FROM {shard}.mailbox b WHERE b.user_id = (argument ->> 'witness')::bigint) IS NULL THEN
        RETURN '{"status": "missing"}';
    END IF;
    lacking := ARRAY(SELECT u.id::bigint FROM jsonb_array_elements_text(argument -> 'members') AS u (id)
                     WHERE (SELECT m.message_id FROM {shard}.message m
                            WHERE m.user_id = u.id::bigint AND m.peer_id = group_id AND m.message_id >= message
                            ORDER BY m.message_id LIMIT 1) IS DISTINCT FROM message);
    -- By an array and not by a join, which might be planned as a scan of all mailboxes.
    WITH bumped AS (
        UPDATE {shard}.mailbox b SET version = greatest(b.version + 1, clock, message >> 1)
        WHERE b.user_id = ANY (lacking) AND b.erased_timestamp IS NULL
        RETURNING b.user_id, b.version
    ),
    stored AS (
        INSERT INTO {shard}.message
            (user_id, peer_id, message_id, version, sender_id, client_message_id, content, extra)
        SELECT b.user_id, group_id, message, b.version, sender, argument ->> 'clientMessageId', argument ->> 'content',
               nullif(argument -> 'extra', 'null')
        FROM bumped b
    )
    INSERT INTO {shard}.conversation AS c
        (user_id, peer_id, last_message_id, newest_period, unread_count, version, changed_period)
    SELECT b.user_id, group_id, message, message >> 28, (b.user_id <> sender)::integer, b.version, b.version >> 27
    FROM bumped b
    ON CONFLICT (user_id, peer_id) DO UPDATE
    SET last_message_id = greatest(c.last_message_id, excluded.last_message_id),
        newest_period = greatest(c.newest_period, excluded.newest_period),
        unread_count = c.unread_count
                       + CASE WHEN message > greatest(c.read_up_to, c.cleared_up_to) THEN excluded.unread_count ELSE 0 END,
        version = excluded.version,
        changed_period = excluded.changed_period;
    IF argument ? 'state' THEN
        PERFORM {shard}.set_group_view(group_id, argument -> 'state', argument -> 'members');
        gone := ARRAY(SELECT b.user_id FROM {shard}.mailbox b
                      WHERE b.user_id = ANY (ARRAY(SELECT u.id::bigint
                                                   FROM jsonb_array_elements_text(argument -> 'members') AS u (id)
                                                   WHERE argument #> '{state,memberIds}' ? u.id))
                            AND b.erased_timestamp IS NOT NULL);
        IF cardinality(gone) > 0 THEN
            RETURN '{"status": "done"}' || {shard}.leave_groups(
                gone[1], gone, array_fill(group_id, ARRAY[cardinality(gone)]));
        END IF;
    END IF;
    RETURN '{"status": "done"}';
END
$$;
REVOKE ALL ON FUNCTION {shard}.change_group_message(bigint, jsonb) FROM PUBLIC;
