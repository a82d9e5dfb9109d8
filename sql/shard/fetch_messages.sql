-- Pages of conversations' messages, or their changes since a version: any number of reads of mailboxes of this shard.
--
-- Element i of the arrays is one read:
-- mailbox_ids  the mailbox that is read
-- peers        the conversation
-- page_sizes   rows at most
-- skips        newest rows to leave out (if since is 0)
-- befores      0, or only messages with lower ids (if since is 0)
-- sinces       0, or a version: only later changes
-- afters, newer_limits  besides: messages with ids above `after`, the nearest ones, at most so many; 0: none (if since is 0). `after`
--              is at or above all ids below `before`
-- max_bytes    of contents and extras in one page, more than a message has; half of it on each side of a page that has messages on both. After the row that goes
--              over it a page has no more rows, and the caller leaves that row out
-- Rows: those of each read together. First the rows above `after`, oldest first; then those below `before`, newest first, and one more
-- than page_size if there are older ones. `read` is the read's place in the arrays; each row has the version and kind of its page. An
-- empty page is one row with message_id null. No row at all: the mailbox does not exist or is erased. is_delta as in fetch_conversations,
-- but changes of more than max_bytes are also too many.
-- extra: see parley.message_extra. status: of the user's own messages, see parley.delivery_status; else null.
-- Cleared messages are left out.
-- STABLE: versions and rows are of one snapshot.
--
-- Rows changed since T are of two kinds. Those whose version is more than 10 s above their id's time are in the index
-- message_changed. All others have ids at or above T - 10 s and are found by the primary key. No row is of both kinds.
CREATE OR REPLACE FUNCTION {shard}.fetch_messages(
    mailbox_ids bigint[], peers bigint[], page_sizes integer[], skips bigint[], befores bigint[], sinces bigint[],
    afters bigint[], newer_limits integer[], max_bytes integer DEFAULT 1048576)
    RETURNS TABLE (read integer, mailbox_version bigint, is_delta boolean,
                   message_id bigint, sender_id bigint, client_message_id text, content text, version bigint,
                   extra text, status "char")
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the table was empty. No plan here depends on a value: each LIMIT
    -- has to be filled in the order of an index, for 10 rows and for 10 million.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET max_parallel_workers_per_gather = 0
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    mailbox_id bigint;
    peer bigint;
    page_size integer;
    since bigint;
    newest bigint;
    horizon bigint;
    changed bigint;
    changed_bytes bigint;
    chat {shard}.conversation;
BEGIN
    FOR i IN 1 .. cardinality(sinces) LOOP
        since := sinces[i];
        CONTINUE WHEN since = 0;
        mailbox_id := mailbox_ids[i];
        peer := peers[i];
        page_size := page_sizes[i];
        SELECT m.version, m.tombstone_horizon INTO newest, horizon FROM {shard}.mailbox m
        WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL;
        IF since BETWEEN horizon AND newest THEN
            SELECT c.* INTO chat FROM {shard}.conversation c
            WHERE c.user_id = mailbox_id AND c.peer_id >= peer ORDER BY c.peer_id LIMIT 1;
            SELECT count(*), sum(octet_length(changes.content) + coalesce(pg_column_size(changes.extra), 0))
            INTO changed, changed_bytes
            FROM ((SELECT m.content, m.extra FROM {shard}.message m
                   WHERE m.user_id = mailbox_id AND m.peer_id = peer
                     AND m.message_id >= (since - 10000000) << 1
                     AND m.version > since AND m.version - parley.time_of(m.message_id) <= 10000000
                   ORDER BY m.message_id LIMIT page_size + 1)
                  UNION ALL
                  (SELECT m.content, m.extra FROM {shard}.message m
                   WHERE m.user_id = mailbox_id AND m.peer_id = peer
                     AND m.version > since AND m.version - parley.time_of(m.message_id) > 10000000
                   ORDER BY m.version LIMIT page_size + 1)) changes;
            IF changed <= page_size AND (changed = 0 OR changed_bytes <= max_bytes) THEN
                RETURN QUERY
                SELECT i, newest, true, m.message_id, m.sender_id, m.client_message_id, m.content, m.version,
                       CASE WHEN m.extra IS NOT NULL THEN parley.message_extra(m.extra, mailbox_id) END,
                       CASE WHEN m.sender_id = mailbox_id
                            THEN parley.delivery_status(m.message_id, chat.peer_read_up_to, chat.peer_delivered_up_to) END
                FROM (VALUES (true)) page
                     LEFT JOIN ((SELECT m.* FROM {shard}.message m
                                 WHERE m.user_id = mailbox_id AND m.peer_id = peer
                                   AND m.message_id >= (since - 10000000) << 1
                                   AND m.version > since AND m.version - parley.time_of(m.message_id) <= 10000000
                                 ORDER BY m.message_id LIMIT page_size + 1)
                                UNION ALL
                                (SELECT m.* FROM {shard}.message m
                                 WHERE m.user_id = mailbox_id AND m.peer_id = peer
                                   AND m.version > since AND m.version - parley.time_of(m.message_id) > 10000000
                                 ORDER BY m.version LIMIT page_size + 1)) m
                         ON chat.peer_id IS DISTINCT FROM peer OR m.message_id > chat.cleared_up_to
                ORDER BY m.message_id DESC;
                CONTINUE;
            END IF;
        END IF;
        -- The newest page.
        sinces[i] := 0;
        skips[i] := 0;
        befores[i] := 0;
        newer_limits[i] := 0;
    END LOOP;

    -- Most reads do not ask for newer messages. The query for both sides would cost these a third more.
    IF 0 = ANY (newer_limits) THEN
        RETURN QUERY
        SELECT r.number::integer, b.version, false, m.message_id, m.sender_id, m.client_message_id, m.content, m.version, m.extra,
               CASE WHEN m.sender_id = r.mailbox_id
                    THEN parley.delivery_status(m.message_id, c.peer_read_up_to, c.peer_delivered_up_to) END
        FROM unnest(mailbox_ids, peers, page_sizes, skips, befores, sinces, newer_limits) WITH ORDINALITY
                 AS r (mailbox_id, peer_id, page_size, skip, before, since, newer_limit, number)
             CROSS JOIN LATERAL (SELECT b.version FROM {shard}.mailbox b
                                 WHERE b.user_id = r.mailbox_id AND b.erased_timestamp IS NULL LIMIT 1) b
             LEFT JOIN LATERAL (
                 SELECT * FROM {shard}.conversation c
                 WHERE c.user_id = r.mailbox_id AND c.peer_id >= r.peer_id
                 ORDER BY c.peer_id LIMIT 1) c ON c.peer_id = r.peer_id
             LEFT JOIN LATERAL (
                 SELECT m.*, sum(octet_length(m.content) + coalesce(octet_length(m.extra), 0))
                             OVER (ORDER BY m.message_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
                 FROM (SELECT m.message_id, m.sender_id, m.client_message_id, m.content, m.version,
                              CASE WHEN m.extra IS NOT NULL THEN parley.message_extra(m.extra, r.mailbox_id) END AS extra
                       FROM {shard}.message m
                       WHERE m.user_id = r.mailbox_id AND m.peer_id = r.peer_id
                         AND m.message_id > coalesce(c.cleared_up_to, 0)
                         AND m.message_id < coalesce(nullif(r.before, 0), 9223372036854775807)
                       ORDER BY m.message_id DESC OFFSET r.skip LIMIT r.page_size + 1) m
                 ) m ON coalesce(m.bytes_before, 0) <= max_bytes
        WHERE r.since = 0 AND r.newer_limit = 0;
    END IF;
    IF 0 < ANY (newer_limits) THEN
        RETURN QUERY
        SELECT r.number::integer, b.version, false, m.message_id, m.sender_id, m.client_message_id, m.content, m.version, m.extra,
               CASE WHEN m.sender_id = r.mailbox_id
                    THEN parley.delivery_status(m.message_id, c.peer_read_up_to, c.peer_delivered_up_to) END
        FROM unnest(mailbox_ids, peers, page_sizes, skips, befores, sinces, afters, newer_limits) WITH ORDINALITY
                 AS r (mailbox_id, peer_id, page_size, skip, before, since, after, newer_limit, number)
             CROSS JOIN LATERAL (SELECT b.version FROM {shard}.mailbox b
                                 WHERE b.user_id = r.mailbox_id AND b.erased_timestamp IS NULL LIMIT 1) b
             LEFT JOIN LATERAL (
                 SELECT * FROM {shard}.conversation c
                 WHERE c.user_id = r.mailbox_id AND c.peer_id >= r.peer_id
                 ORDER BY c.peer_id LIMIT 1) c ON c.peer_id = r.peer_id
             LEFT JOIN LATERAL (
                 SELECT m.*, sum(octet_length(m.content) + coalesce(octet_length(m.extra), 0))
                             OVER (ORDER BY m.message_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
                 FROM (SELECT m.message_id, m.sender_id, m.client_message_id, m.content, m.version,
                              CASE WHEN m.extra IS NOT NULL THEN parley.message_extra(m.extra, r.mailbox_id) END AS extra
                       FROM {shard}.message m
                       WHERE m.user_id = r.mailbox_id AND m.peer_id = r.peer_id
                         AND m.message_id > greatest(c.cleared_up_to, r.after)
                       ORDER BY m.message_id LIMIT r.newer_limit) m
                 UNION ALL
                 SELECT m.*, sum(octet_length(m.content) + coalesce(octet_length(m.extra), 0))
                             OVER (ORDER BY m.message_id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                 FROM (SELECT m.message_id, m.sender_id, m.client_message_id, m.content, m.version,
                              CASE WHEN m.extra IS NOT NULL THEN parley.message_extra(m.extra, r.mailbox_id) END
                       FROM {shard}.message m
                       WHERE m.user_id = r.mailbox_id AND m.peer_id = r.peer_id
                         AND m.message_id > coalesce(c.cleared_up_to, 0)
                         AND m.message_id < coalesce(nullif(r.before, 0), 9223372036854775807)
                       ORDER BY m.message_id DESC OFFSET r.skip LIMIT r.page_size + 1) m (message_id, sender_id, client_message_id,
                                                                                         content, version, extra)
                 ) m ON coalesce(m.bytes_before, 0) <= max_bytes / CASE WHEN r.newer_limit > 1 AND r.page_size > 0 THEN 2 ELSE 1 END
        WHERE r.since = 0 AND r.newer_limit > 0;
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_messages(bigint[], bigint[], integer[], bigint[], bigint[], bigint[], bigint[], integer[], integer)
    TO parley_server;
