-- A page of one conversation's messages, or what changed in it.
--
-- mailbox_id  whose copy
-- peer        the conversation
-- page_size   rows at most
-- skip        newest rows to leave out (since is 0)
-- before      0, or only messages with ids below (since is 0)
-- since       0, or a version: what changed after it
-- Rows: a header first (message_id null, version the mailbox's), then messages, newest first. None at all if there is
-- no such mailbox. is_delta and has_more as with fetch_conversations.
-- STABLE: version and rows are of one snapshot.
--
-- Changed since T are rows whose version is more than 10 s above their id's time, by the index message_changed;
-- and others, whose ids are then at or above T - 10 s, by the primary key. No row is of both kinds.
CREATE OR REPLACE FUNCTION {shard}.fetch_messages(
    mailbox_id bigint, peer bigint, page_size integer, skip bigint, before bigint, since bigint)
    RETURNS TABLE (message_id bigint, sender_id bigint, client_message_id text, content text, version bigint,
                   is_delta boolean, has_more boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the table was empty. No plan here depends on a value: each LIMIT
    -- is to be filled in the order of an index, be the table of 10 rows or of 10 million.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET max_parallel_workers_per_gather = 0
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    horizon bigint;
    changed bigint;
BEGIN
    SELECT m.version, m.tombstone_horizon INTO version, horizon FROM {shard}.mailbox m WHERE m.user_id = mailbox_id;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    IF since > 0 THEN
        skip := 0;
        before := 0;
    END IF;
    IF since > 0 AND since BETWEEN horizon AND version THEN
        SELECT count(*) INTO changed
        FROM ((SELECT FROM {shard}.message m
               WHERE m.user_id = mailbox_id AND m.peer_id = peer
                 AND m.message_id >= (since - 10000000) << 1
                 AND m.version > since AND m.version - (m.message_id >> 1) <= 10000000
               ORDER BY m.message_id LIMIT page_size + 1)
              UNION ALL
              (SELECT FROM {shard}.message m
               WHERE m.user_id = mailbox_id AND m.peer_id = peer
                 AND m.version > since AND m.version - (m.message_id >> 1) > 10000000
               ORDER BY m.version LIMIT page_size + 1)) changes;
        is_delta := changed <= page_size;
    ELSE
        is_delta := false;
    END IF;

    IF is_delta THEN
        has_more := false;
        RETURN NEXT;
        IF changed > 0 THEN
            RETURN QUERY
            SELECT m.message_id, m.sender_id, m.client_message_id, m.content, m.version, NULL::boolean, NULL::boolean
            FROM ((SELECT m.* FROM {shard}.message m
                   WHERE m.user_id = mailbox_id AND m.peer_id = peer
                     AND m.message_id >= (since - 10000000) << 1
                     AND m.version > since AND m.version - (m.message_id >> 1) <= 10000000
                   ORDER BY m.message_id LIMIT page_size + 1)
                  UNION ALL
                  (SELECT m.* FROM {shard}.message m
                   WHERE m.user_id = mailbox_id AND m.peer_id = peer
                     AND m.version > since AND m.version - (m.message_id >> 1) > 10000000
                   ORDER BY m.version LIMIT page_size + 1)) m
            ORDER BY m.message_id DESC;
        END IF;
        RETURN;
    END IF;

    IF before = 0 THEN
        before := 9223372036854775807;
    END IF;
    has_more := EXISTS (SELECT FROM {shard}.message m
                        WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id < before
                        ORDER BY m.message_id DESC OFFSET skip + page_size LIMIT 1);
    RETURN NEXT;
    RETURN QUERY
    SELECT m.message_id, m.sender_id, m.client_message_id, m.content, m.version, NULL::boolean, NULL::boolean
    FROM {shard}.message m
    WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id < before
    ORDER BY m.message_id DESC OFFSET skip LIMIT page_size;
END
$$;
REVOKE ALL ON FUNCTION {shard}.fetch_messages(bigint, bigint, integer, bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.fetch_messages(bigint, bigint, integer, bigint, bigint, bigint) TO parley_server;
