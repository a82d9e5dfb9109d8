-- What changed in a mailbox since a cursor, in the order of versions.
--
-- mailbox_id  whose
-- page_size   messages at most, and conversations at most
-- since       a version; 0 is the beginning of the mailbox
-- Rows: a header first (kind h), then messages (kind m), then conversations (kind c), both ascending by version. None at
-- all if there is no such mailbox, or it is erased.
-- header        version: the cursor to hand out; mailbox_version; is_delta; has_more: call again from the cursor
-- message       all of peer_id, message_id, sender_id, client_message_id, content, version; extra and status as in fetch_messages
-- conversation  peer_id, message_id (its last), content (its snippet), unread_count, version, and from read_up_to to flags as
--               in fetch_conversations
-- If a list is longer than page_size, both are cut at the version at which the first of them is full, and the
-- cursor is there. A cursor from above the mailbox's version or from before the tombstone horizon gets the
-- newest page_size of each and the mailbox's version, is_delta false: the client drops what it has.
-- STABLE: version and rows are of one snapshot.
CREATE OR REPLACE FUNCTION {shard}.fetch_updates(mailbox_id bigint, page_size integer, since bigint)
    RETURNS TABLE (kind "char", peer_id bigint, message_id bigint, sender_id bigint, client_message_id text,
                   content text, version bigint, extra text, status "char",
                   unread_count integer, read_up_to bigint, delivered_up_to bigint, peer_read_up_to bigint,
                   peer_delivered_up_to bigint, cleared_up_to bigint, muted_until bigint, flags integer, view text,
                   mailbox_version bigint, is_delta boolean, has_more boolean)
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
    full_at bigint;
    rows_there bigint;
    cut bigint;
BEGIN
    SELECT m.version, m.version, m.tombstone_horizon INTO version, mailbox_version, horizon
    FROM {shard}.mailbox m WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    kind := 'h';
    has_more := false;

    IF since > version OR (since > 0 AND since < horizon) THEN
        is_delta := false;
        RETURN NEXT;
        RETURN QUERY
        SELECT * FROM (
            SELECT 'm'::"char", m.peer_id, m.message_id, m.sender_id, m.client_message_id, m.content, m.version,
                   CASE WHEN m.extra IS NOT NULL THEN parley.message_extra(m.extra) END,
                   CASE WHEN m.sender_id = mailbox_id
                        THEN (SELECT CASE WHEN c.peer_id <> m.peer_id THEN 's'
                                          WHEN m.message_id <= c.peer_read_up_to THEN 'r'
                                          WHEN m.message_id <= c.peer_delivered_up_to THEN 'd'
                                          ELSE 's' END
                              FROM {shard}.conversation c
                              WHERE c.user_id = mailbox_id AND c.peer_id >= m.peer_id
                              ORDER BY c.peer_id LIMIT 1)::"char" END,
                   NULL::integer, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
                   NULL::integer, NULL::text, NULL::bigint, NULL::boolean, NULL::boolean
            FROM {shard}.message m WHERE m.user_id = mailbox_id
            ORDER BY m.version DESC LIMIT page_size) newest
        ORDER BY version;
        RETURN QUERY
        SELECT * FROM (
            SELECT 'c'::"char", c.peer_id, c.last_message_id, NULL::bigint, NULL::text, left(m.content, 100), c.version,
                   NULL::text, NULL::"char", c.unread_count, c.read_up_to, c.delivered_up_to, c.peer_read_up_to,
                   c.peer_delivered_up_to, c.cleared_up_to, c.muted_until, c.archived::integer + 2 * c.pinned::integer,
                   CASE WHEN (c.peer_id >> 8) & 1 = 1 THEN {shard}.group_view_of(c.user_id, c.peer_id) END,
                   NULL::bigint, NULL::boolean, NULL::boolean
            FROM (SELECT *
                  FROM (SELECT * FROM {shard}.conversation c WHERE c.user_id = mailbox_id
                        -- All of the last period, which is not sorted within.
                        ORDER BY c.changed_period DESC FETCH FIRST (page_size) ROWS WITH TIES) c
                  ORDER BY c.version DESC LIMIT page_size) c
                 LEFT JOIN LATERAL (
                     SELECT m.content FROM {shard}.message m
                     WHERE m.user_id = mailbox_id AND m.peer_id = c.peer_id
                           AND m.message_id >= greatest(c.last_message_id, c.cleared_up_to + 1)
                     ORDER BY m.message_id LIMIT 1) m ON true) newest
        ORDER BY version;
        RETURN;
    END IF;

    is_delta := since > 0;
    IF since < version THEN
        -- Row number page_size, and whether there is another.
        SELECT min(full_page.version), count(*) INTO full_at, rows_there
        FROM (SELECT m.version FROM {shard}.message m WHERE m.user_id = mailbox_id AND m.version > since
              ORDER BY m.version OFFSET page_size - 1 LIMIT 2) full_page;
        IF rows_there = 2 THEN
            version := full_at;
            has_more := true;
        END IF;
        SELECT min(full_page.version), count(*) INTO full_at, rows_there
        FROM (SELECT c.version
              FROM (SELECT c.version FROM {shard}.conversation c
                    WHERE c.user_id = mailbox_id AND c.changed_period >= since >> 27 AND c.version > since
                    ORDER BY c.changed_period FETCH FIRST (page_size + 1) ROWS WITH TIES) c
              ORDER BY c.version OFFSET page_size - 1 LIMIT 2) full_page;
        IF rows_there = 2 THEN
            version := least(version, full_at);
            has_more := true;
        END IF;
    END IF;
    cut := version;
    RETURN NEXT;

    IF since < cut THEN
        RETURN QUERY
        SELECT 'm'::"char", m.peer_id, m.message_id, m.sender_id, m.client_message_id, m.content, m.version,
               CASE WHEN m.extra IS NOT NULL THEN parley.message_extra(m.extra) END,
               CASE WHEN m.sender_id = mailbox_id
                    THEN (SELECT CASE WHEN c.peer_id <> m.peer_id THEN 's'
                                      WHEN m.message_id <= c.peer_read_up_to THEN 'r'
                                      WHEN m.message_id <= c.peer_delivered_up_to THEN 'd'
                                      ELSE 's' END
                          FROM {shard}.conversation c
                          WHERE c.user_id = mailbox_id AND c.peer_id >= m.peer_id
                          ORDER BY c.peer_id LIMIT 1)::"char" END,
               NULL::integer, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
               NULL::integer, NULL::text, NULL::bigint, NULL::boolean, NULL::boolean
        FROM {shard}.message m
        WHERE m.user_id = mailbox_id AND m.version > since AND m.version <= cut
        ORDER BY m.version;
        RETURN QUERY
        SELECT 'c'::"char", c.peer_id, c.last_message_id, NULL::bigint, NULL::text, left(m.content, 100), c.version,
               NULL::text, NULL::"char", c.unread_count, c.read_up_to, c.delivered_up_to, c.peer_read_up_to,
               c.peer_delivered_up_to, c.cleared_up_to, c.muted_until, c.archived::integer + 2 * c.pinned::integer,
               CASE WHEN (c.peer_id >> 8) & 1 = 1 THEN {shard}.group_view_of(c.user_id, c.peer_id) END,
               NULL::bigint, NULL::boolean, NULL::boolean
        FROM (SELECT * FROM {shard}.conversation c
              WHERE c.user_id = mailbox_id AND c.changed_period BETWEEN since >> 27 AND cut >> 27
                    AND c.version > since AND c.version <= cut
              ORDER BY c.changed_period OFFSET 0) c
             LEFT JOIN LATERAL (
                 SELECT m.content FROM {shard}.message m
                 WHERE m.user_id = mailbox_id AND m.peer_id = c.peer_id
                       AND m.message_id >= greatest(c.last_message_id, c.cleared_up_to + 1)
                 ORDER BY m.message_id LIMIT 1) m ON true
        ORDER BY c.version;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION {shard}.fetch_updates(bigint, integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.fetch_updates(bigint, integer, bigint) TO parley_server;
