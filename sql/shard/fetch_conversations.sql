-- A page of a mailbox's conversations, or what changed in them.
--
-- mailbox_id  whose
-- page_size   rows at most
-- skip        newest rows to leave out (since is 0)
-- since       0, or a version: what changed after it
-- Rows: a header first (peer_id null, version the mailbox's), then conversations, newest message first. None at all if
-- there is no such mailbox. is_delta: the rows are all that changed since. Else they are the newest page, since
-- `since` is 0, more than page_size conversations changed, or tombstones of that age are gone, or it is not from
-- this mailbox. has_more: there are older ones.
-- STABLE: version and rows are of one snapshot.
CREATE OR REPLACE FUNCTION {shard}.fetch_conversations(mailbox_id bigint, page_size integer, skip bigint, since bigint)
    RETURNS TABLE (peer_id bigint, last_message_id bigint, snippet text, unread_count integer, read_up_to bigint,
                   delivered_up_to bigint, version bigint, is_delta boolean, has_more boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the table was empty. No plan here depends on a value: each LIMIT
    -- is to be filled in the order of an index, be the table of 10 rows or of 10 million. So a conversation's last
    -- message is asked for as the first of an order: as a plain join it would be planned as a scan of the mailbox.
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
    END IF;
    IF since > 0 AND since BETWEEN horizon AND version THEN
        SELECT count(*) INTO changed
        FROM (SELECT FROM {shard}.conversation c
              WHERE c.user_id = mailbox_id AND c.changed_period >= since >> 27 AND c.version > since
              ORDER BY c.changed_period LIMIT page_size + 1) changes;
        is_delta := changed <= page_size;
    ELSE
        is_delta := false;
    END IF;

    IF is_delta THEN
        has_more := false;
        RETURN NEXT;
        IF changed > 0 THEN
            RETURN QUERY
            SELECT c.peer_id, c.last_message_id, left(m.content, 100), c.unread_count, c.read_up_to,
                   c.delivered_up_to, c.version, NULL::boolean, NULL::boolean
            FROM (SELECT * FROM {shard}.conversation c
                  WHERE c.user_id = mailbox_id AND c.changed_period >= since >> 27 AND c.version > since
                  ORDER BY c.changed_period LIMIT page_size) c
                 LEFT JOIN LATERAL (
                     SELECT m.content FROM {shard}.message m
                     WHERE m.user_id = mailbox_id AND m.peer_id = c.peer_id AND m.message_id >= c.last_message_id
                     ORDER BY m.message_id LIMIT 1) m ON true
            ORDER BY c.last_message_id DESC;
        END IF;
        RETURN;
    END IF;

    has_more := EXISTS (SELECT FROM {shard}.conversation c
                        WHERE c.user_id = mailbox_id
                        ORDER BY c.newest_period DESC OFFSET skip + page_size LIMIT 1);
    RETURN NEXT;
    RETURN QUERY
    SELECT c.peer_id, c.last_message_id, left(m.content, 100), c.unread_count, c.read_up_to, c.delivered_up_to,
           c.version, NULL::boolean, NULL::boolean
    FROM (SELECT *
          FROM (SELECT * FROM {shard}.conversation c
                WHERE c.user_id = mailbox_id
                -- All of the last period, which is not sorted within.
                ORDER BY c.newest_period DESC FETCH FIRST (skip + page_size) ROWS WITH TIES) c
          ORDER BY c.last_message_id DESC OFFSET skip LIMIT page_size) c
         LEFT JOIN LATERAL (
             SELECT m.content FROM {shard}.message m
             WHERE m.user_id = mailbox_id AND m.peer_id = c.peer_id AND m.message_id >= c.last_message_id
             ORDER BY m.message_id LIMIT 1) m ON true
    ORDER BY c.last_message_id DESC;
END
$$;
REVOKE ALL ON FUNCTION {shard}.fetch_conversations(bigint, integer, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.fetch_conversations(bigint, integer, bigint, bigint) TO parley_server;
