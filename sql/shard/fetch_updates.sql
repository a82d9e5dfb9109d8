-- Changes of a mailbox since a cursor, in the order of versions.
--
-- mailbox_id
-- page_size   messages at most, and conversations at most
-- since       a version; 0 is the beginning of the mailbox
-- max_bytes   of the messages' contents and extras; one message is there in any case
-- Rows: a header first (kind h), then messages (kind m), then conversations (kind c), both ascending by version; last, if they have
-- changed, the open invitations (kind i). No row at all: the mailbox does not exist or is erased.
-- header        version: the cursor to hand out; mailbox_version; is_delta; has_more: call again from the cursor
-- message       all of peer_id, message_id, sender_id, client_message_id, content, version; extra and status as in fetch_messages
-- conversation  peer_id, message_id (its last), content (its snippet), unread_count, version, and from read_up_to to view as
--               in fetch_conversations
-- invitations   content: all of them, as open_invitations shows them now; version: of their last change
-- If a list is longer than page_size, or the messages are larger than max_bytes, both are cut at the version at which the first of
-- them is full, and the cursor is that version. A cursor above the mailbox's version or below the tombstone horizon gets the newest
-- page_size of each, the messages up to max_bytes, and the mailbox's version, with is_delta false: the client replaces what it has.
-- STABLE: version and rows are of one snapshot.
CREATE OR REPLACE FUNCTION {shard}.fetch_updates(
    mailbox_id bigint, page_size integer, since bigint, max_bytes integer DEFAULT 1048576)
    RETURNS TABLE (kind "char", peer_id bigint, message_id bigint, sender_id bigint, client_message_id text,
                   content text, version bigint, extra text, status "char",
                   unread_count integer, read_up_to bigint, delivered_up_to bigint, peer_read_up_to bigint,
                   peer_delivered_up_to bigint, cleared_up_to bigint, muted_until bigint, flags integer, view text,
                   mailbox_version bigint, is_delta boolean, has_more boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the table was empty. No plan here depends on a value: each LIMIT
    -- has to be filled in the order of an index, for 10 rows and for 10 million. So a conversation's last message is
    -- read as the first of an order: a plain join would be planned as a scan of the mailbox.
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
    invited bigint;
    full_at bigint;
    rows_there bigint;
    cut bigint;
BEGIN
    SELECT m.version, m.version, m.tombstone_horizon, m.invited_version INTO version, mailbox_version, horizon, invited
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
                   CASE WHEN m.extra IS NOT NULL THEN parley.message_extra(m.extra, mailbox_id) END,
                   CASE WHEN m.sender_id = mailbox_id
                        THEN (SELECT CASE WHEN c.peer_id <> m.peer_id THEN 's'::"char"
                                          ELSE parley.delivery_status(m.message_id, c.peer_read_up_to, c.peer_delivered_up_to) END
                              FROM {shard}.conversation c
                              WHERE c.user_id = mailbox_id AND c.peer_id >= m.peer_id
                              ORDER BY c.peer_id LIMIT 1) END,
                   NULL::integer, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
                   NULL::integer, NULL::text, NULL::bigint, NULL::boolean, NULL::boolean
            FROM (SELECT m.*, sum(octet_length(m.content) + coalesce(pg_column_size(m.extra), 0))
                              OVER (ORDER BY m.version DESC ROWS UNBOUNDED PRECEDING) AS bytes,
                         row_number() OVER (ORDER BY m.version DESC ROWS UNBOUNDED PRECEDING) AS number
                  FROM (SELECT * FROM {shard}.message m WHERE m.user_id = mailbox_id
                        ORDER BY m.version DESC LIMIT page_size) m) m
            WHERE m.bytes <= max_bytes OR m.number = 1) newest
        ORDER BY version;
        RETURN QUERY
        SELECT * FROM (
            SELECT 'c'::"char", c.peer_id, c.last_message_id, NULL::bigint, NULL::text, left(m.content, 100), c.version,
                   NULL::text, NULL::"char", c.unread_count, c.read_up_to, c.delivered_up_to, c.peer_read_up_to,
                   c.peer_delivered_up_to, c.cleared_up_to, c.muted_until, parley.conversation_flags(c.archived, c.pinned, c.marked_unread),
                   CASE WHEN parley.is_group(c.peer_id) THEN {shard}.group_view_of(c.user_id, c.peer_id) END,
                   NULL::bigint, NULL::boolean, NULL::boolean
            FROM (SELECT *
                  FROM (SELECT * FROM {shard}.conversation c WHERE c.user_id = mailbox_id
                        -- All rows of the last period: the index does not order within a period.
                        ORDER BY c.changed_period DESC FETCH FIRST (page_size) ROWS WITH TIES) c
                  ORDER BY c.version DESC LIMIT page_size) c
                 LEFT JOIN LATERAL (
                     SELECT m.content FROM {shard}.message m
                     WHERE m.user_id = mailbox_id AND m.peer_id = c.peer_id
                           AND m.message_id >= greatest(c.last_message_id, c.cleared_up_to + 1)
                     ORDER BY m.message_id LIMIT 1) m ON true) newest
        ORDER BY version;
        IF invited IS NOT NULL THEN
            kind := 'i';
            version := invited;
            content := {shard}.open_invitations(mailbox_id);
            RETURN NEXT;
        END IF;
        RETURN;
    END IF;

    is_delta := since > 0;
    IF since < version THEN
        -- The last message that fits, and whether there is another.
        SELECT max(m.version) FILTER (WHERE m.number = 1 OR (m.number <= page_size AND m.bytes <= max_bytes)),
               coalesce(bool_or(m.number > page_size OR (m.number > 1 AND m.bytes > max_bytes)), false)
        INTO full_at, has_more
        FROM (SELECT m.version, row_number() OVER (ORDER BY m.version ROWS UNBOUNDED PRECEDING) AS number,
                     sum(m.bytes) OVER (ORDER BY m.version ROWS UNBOUNDED PRECEDING) AS bytes
              FROM (SELECT m.version, octet_length(m.content) + coalesce(pg_column_size(m.extra), 0) AS bytes
                    FROM {shard}.message m WHERE m.user_id = mailbox_id AND m.version > since
                    ORDER BY m.version LIMIT page_size + 1) m) m;
        IF has_more THEN
            version := full_at;
        END IF;
        -- Conversation number page_size, and whether there is another.
        SELECT min(full_page.version), count(*) INTO full_at, rows_there
        FROM (SELECT c.version
              FROM (SELECT c.version FROM {shard}.conversation c
                    WHERE c.user_id = mailbox_id AND c.changed_period >= parley.period_of(since) AND c.version > since
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
               CASE WHEN m.extra IS NOT NULL THEN parley.message_extra(m.extra, mailbox_id) END,
               CASE WHEN m.sender_id = mailbox_id
                    THEN (SELECT CASE WHEN c.peer_id <> m.peer_id THEN 's'::"char"
                                      ELSE parley.delivery_status(m.message_id, c.peer_read_up_to, c.peer_delivered_up_to) END
                          FROM {shard}.conversation c
                          WHERE c.user_id = mailbox_id AND c.peer_id >= m.peer_id
                          ORDER BY c.peer_id LIMIT 1) END,
               NULL::integer, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint,
               NULL::integer, NULL::text, NULL::bigint, NULL::boolean, NULL::boolean
        FROM {shard}.message m
        WHERE m.user_id = mailbox_id AND m.version > since AND m.version <= cut
        ORDER BY m.version;
        RETURN QUERY
        SELECT 'c'::"char", c.peer_id, c.last_message_id, NULL::bigint, NULL::text, left(m.content, 100), c.version,
               NULL::text, NULL::"char", c.unread_count, c.read_up_to, c.delivered_up_to, c.peer_read_up_to,
               c.peer_delivered_up_to, c.cleared_up_to, c.muted_until, parley.conversation_flags(c.archived, c.pinned, c.marked_unread),
               CASE WHEN parley.is_group(c.peer_id) THEN {shard}.group_view_of(c.user_id, c.peer_id) END,
               NULL::bigint, NULL::boolean, NULL::boolean
        FROM (SELECT * FROM {shard}.conversation c
              WHERE c.user_id = mailbox_id AND c.changed_period BETWEEN parley.period_of(since) AND parley.period_of(cut)
                    AND c.version > since AND c.version <= cut
              ORDER BY c.changed_period OFFSET 0) c
             LEFT JOIN LATERAL (
                 SELECT m.content FROM {shard}.message m
                 WHERE m.user_id = mailbox_id AND m.peer_id = c.peer_id
                       AND m.message_id >= greatest(c.last_message_id, c.cleared_up_to + 1)
                 ORDER BY m.message_id LIMIT 1) m ON true
        ORDER BY c.version;
        IF invited > since AND invited <= cut THEN
            kind := 'i';
            version := invited;
            content := {shard}.open_invitations(mailbox_id);
            RETURN NEXT;
        END IF;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_updates(bigint, integer, bigint, integer) TO parley_server;
