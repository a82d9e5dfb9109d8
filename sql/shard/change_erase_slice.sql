-- Deletes a part of what the mailbox of an erased user holds: at most 1,000 messages, conversations and blocks each, and leaves
-- as many groups: that is owed to them.
--
-- argument  nothing
-- Result: status, version. missing: there is more, or a message has to stay for now; done: nothing is left.
--
-- Messages go in the order of versions, and the mailbox notes how far that has come (tombstone_horizon), so that a slice
-- does not walk over what the ones before have left dead in the index. A message whose sender's copy is still owed is what that
-- copy is made of: it stays until its outbox row is settled, and the mark stays below it.
CREATE OR REPLACE FUNCTION {shard}.change_erase_slice(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the tables were empty and to read all of them was cheap.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    slice constant integer := 1000;
    horizon bigint;
    seen integer;
    last bigint;
    first_owed bigint;
    conversations integer;
    blocks integer;
    groups bigint[];
BEGIN
    SELECT m.tombstone_horizon INTO horizon
    FROM {shard}.mailbox m WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NOT NULL;
    IF NOT FOUND THEN
        RETURN '{"status": "no-mailbox"}';
    END IF;

    WITH page AS MATERIALIZED (
        SELECT m.ctid AS place, m.version,
               m.sender_id = m.peer_id
               AND (SELECT true FROM {shard}.outbox o
                    WHERE o.recipient_id = mailbox_id AND o.sender_id = m.peer_id AND o.message_id = m.message_id) IS NOT NULL
                   AS is_owed
        FROM {shard}.message m
        WHERE m.user_id = mailbox_id AND m.version > horizon
        ORDER BY m.version LIMIT slice
    ),
    erased AS (
        DELETE FROM {shard}.message WHERE ctid = ANY (ARRAY(SELECT p.place FROM page p WHERE NOT p.is_owed))
    )
    SELECT count(*), max(p.version), min(p.version) FILTER (WHERE p.is_owed) INTO seen, last, first_owed FROM page p;
    UPDATE {shard}.mailbox m SET tombstone_horizon = coalesce(first_owed - 1, last)
    WHERE m.user_id = mailbox_id AND m.tombstone_horizon < coalesce(first_owed - 1, last);

    DELETE FROM {shard}.conversation
    WHERE ctid = ANY (ARRAY(SELECT c.ctid FROM {shard}.conversation c
                            WHERE c.user_id = mailbox_id ORDER BY c.peer_id LIMIT slice));
    GET DIAGNOSTICS conversations = ROW_COUNT;
    DELETE FROM {shard}.block
    WHERE ctid = ANY (ARRAY(SELECT b.ctid FROM {shard}.block b
                            WHERE b.user_id = mailbox_id ORDER BY b.blocked_id LIMIT slice));
    GET DIAGNOSTICS blocks = ROW_COUNT;

    WITH left_groups AS (
        DELETE FROM {shard}.membership
        WHERE ctid = ANY (ARRAY(SELECT s.ctid FROM {shard}.membership s
                                WHERE s.user_id = mailbox_id ORDER BY s.group_id LIMIT slice))
        RETURNING group_id
    )
    SELECT coalesce(array_agg(group_id), '{}') INTO groups FROM left_groups;

    RETURN jsonb_build_object('status', CASE WHEN first_owed IS NOT NULL
                                                  OR slice IN (seen, conversations, blocks, cardinality(groups))
                                             THEN 'missing' ELSE 'done' END)
           || CASE WHEN cardinality(groups) > 0
                   THEN {shard}.leave_groups(mailbox_id, array_fill(mailbox_id, ARRAY[cardinality(groups)]), groups)
                   ELSE '{}' END;
END
$$;
REVOKE ALL ON FUNCTION {shard}.change_erase_slice(bigint, jsonb) FROM PUBLIC;
