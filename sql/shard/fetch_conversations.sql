-- Pages of mailboxes' conversations, or what changed in them: any number of reads of mailboxes of the shard.
--
-- Element i of each array is of one read:
-- mailbox_ids  whose
-- page_sizes   rows at most
-- skips        newest rows to leave out (since is 0)
-- sinces       0, or a version: what changed after it
-- Rows: of each read together, newest message first, and one more than page_size if there are older ones; with `read`, its
-- place in the arrays, and version and kind of the page. A page without conversations is one row, peer_id null. No row at all
-- if there is no such mailbox, or it is erased.
-- beginning: of the last message's content at least the first 100 characters. It is all of it up to 400 bytes, since to
-- count characters costs the server a tenth of a page; the caller cuts.
-- flags: 1 archived, 2 pinned. view: of a group, what group_view_of makes of it. A conversation that the user has cleared, and in which nothing came since, is in changes alone.
-- is_delta: the rows are all that changed since. Else they are the newest page, since `since` is 0, more than page_size
-- conversations changed, or tombstones of that age are gone, or it is not from this mailbox.
-- STABLE: versions and rows are of one snapshot.
CREATE OR REPLACE FUNCTION {shard}.fetch_conversations(
    mailbox_ids bigint[], page_sizes integer[], skips bigint[], sinces bigint[])
    RETURNS TABLE (read integer, mailbox_version bigint, is_delta boolean,
                   peer_id bigint, last_message_id bigint, beginning text, unread_count integer, version bigint,
                   read_up_to bigint, delivered_up_to bigint, peer_read_up_to bigint, peer_delivered_up_to bigint,
                   cleared_up_to bigint, muted_until bigint, flags integer, view text)
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
    mailbox_id bigint;
    page_size integer;
    since bigint;
    newest bigint;
    horizon bigint;
    changed bigint;
BEGIN
    FOR i IN 1 .. cardinality(sinces) LOOP
        since := sinces[i];
        CONTINUE WHEN since = 0;
        mailbox_id := mailbox_ids[i];
        page_size := page_sizes[i];
        SELECT m.version, m.tombstone_horizon INTO newest, horizon FROM {shard}.mailbox m
        WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL;
        IF since BETWEEN horizon AND newest THEN
            SELECT count(*) INTO changed
            FROM (SELECT FROM {shard}.conversation c
                  WHERE c.user_id = mailbox_id AND c.changed_period >= since >> 27 AND c.version > since
                  ORDER BY c.changed_period LIMIT page_size + 1) changes;
            IF changed <= page_size THEN
                RETURN QUERY
                SELECT i, newest, true, c.peer_id, c.last_message_id, m.beginning, c.unread_count, c.version,
                       c.read_up_to, c.delivered_up_to, c.peer_read_up_to, c.peer_delivered_up_to, c.cleared_up_to,
                       c.muted_until, c.archived::integer + 2 * c.pinned::integer,
                       CASE WHEN (c.peer_id >> 8) & 1 = 1 THEN {shard}.group_view_of(c.user_id, c.peer_id) END
                FROM (VALUES (true)) page
                     LEFT JOIN (SELECT * FROM {shard}.conversation c
                                WHERE c.user_id = mailbox_id AND c.changed_period >= since >> 27 AND c.version > since
                                ORDER BY c.changed_period LIMIT page_size) c ON true
                     LEFT JOIN LATERAL (
                         SELECT CASE WHEN octet_length(m.content) <= 400 THEN m.content ELSE left(m.content, 100) END
                         FROM {shard}.message m
                         WHERE m.user_id = mailbox_id AND m.peer_id = c.peer_id
                               AND m.message_id >= greatest(c.last_message_id, c.cleared_up_to + 1)
                         ORDER BY m.message_id LIMIT 1) AS m (beginning) ON true
                ORDER BY c.last_message_id DESC;
                CONTINUE;
            END IF;
        END IF;
        -- The newest page.
        sinces[i] := 0;
        skips[i] := 0;
    END LOOP;

    RETURN QUERY
    SELECT r.number::integer, b.version, false, c.peer_id, c.last_message_id, m.beginning, c.unread_count,
           c.version, c.read_up_to, c.delivered_up_to, c.peer_read_up_to, c.peer_delivered_up_to, c.cleared_up_to,
           c.muted_until, c.archived::integer + 2 * c.pinned::integer,
           CASE WHEN (c.peer_id >> 8) & 1 = 1 THEN {shard}.group_view_of(c.user_id, c.peer_id) END
    FROM unnest(mailbox_ids, page_sizes, skips, sinces) WITH ORDINALITY
             AS r (mailbox_id, page_size, skip, since, number)
         CROSS JOIN LATERAL (SELECT b.version FROM {shard}.mailbox b
                             WHERE b.user_id = r.mailbox_id AND b.erased_timestamp IS NULL LIMIT 1) b
         LEFT JOIN LATERAL (
             SELECT *
             FROM (SELECT * FROM {shard}.conversation c
                   WHERE c.user_id = r.mailbox_id AND c.last_message_id > c.cleared_up_to
                   -- All of the last period, which is not sorted within.
                   ORDER BY c.newest_period DESC FETCH FIRST (r.skip + r.page_size + 1) ROWS WITH TIES) c
             ORDER BY c.last_message_id DESC OFFSET r.skip LIMIT r.page_size + 1) c ON true
         LEFT JOIN LATERAL (
             SELECT CASE WHEN octet_length(m.content) <= 400 THEN m.content ELSE left(m.content, 100) END
             FROM {shard}.message m
             WHERE m.user_id = r.mailbox_id AND m.peer_id = c.peer_id
                   AND m.message_id >= greatest(c.last_message_id, c.cleared_up_to + 1)
             ORDER BY m.message_id LIMIT 1) AS m (beginning) ON true
    WHERE r.since = 0;
END
$$;
REVOKE ALL ON FUNCTION {shard}.fetch_conversations(bigint[], integer[], bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.fetch_conversations(bigint[], integer[], bigint[], bigint[]) TO parley_server;
