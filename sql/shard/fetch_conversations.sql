-- Pages of mailboxes' conversations, or their changes since a version: any number of reads of mailboxes of this shard.
--
-- Element i of the arrays is one read:
-- mailbox_ids
-- page_sizes   rows at most
-- skips        newest rows to leave out (if since is 0)
-- sinces       0, or a version: only later changes
-- befores, before_peers  0, or only conversations after the place of one with this last message and this peer (if since is 0)
-- Rows: those of each read together, newest message first, and one more than page_size if there are older ones. `read` is the
-- read's place in the arrays; each row has mailbox_version and is_delta of its page. An empty page is one row with peer_id null.
-- No row at all: the mailbox does not exist or is erased.
-- beginning: at least the first 100 characters of the last message, and all of it up to 400 bytes: counting characters costs a
-- tenth of a page, so the caller cuts.
-- flags: see conversation_flags. view: of a group, see group_view_of. A cleared conversation without later messages is only in
-- changes.
-- is_delta: the rows are all changes since that version. Else they are the newest page, because `since` is 0, more than page_size
-- conversations changed, tombstones of that age are purged, or the version is not from this mailbox.
-- STABLE: versions and rows are of one snapshot.
CREATE OR REPLACE FUNCTION {shard}.fetch_conversations(
    mailbox_ids bigint[], page_sizes integer[], skips bigint[], sinces bigint[], befores bigint[], before_peers bigint[])
    RETURNS TABLE (read integer, mailbox_version bigint, is_delta boolean,
                   peer_id bigint, last_message_id bigint, beginning text, unread_count integer, version bigint,
                   read_up_to bigint, delivered_up_to bigint, peer_read_up_to bigint, peer_delivered_up_to bigint,
                   cleared_up_to bigint, muted_until bigint, flags integer, view text)
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
                  WHERE c.user_id = mailbox_id AND c.changed_period >= parley.period_of(since) AND c.version > since
                  ORDER BY c.changed_period LIMIT page_size + 1) changes;
            IF changed <= page_size THEN
                RETURN QUERY
                SELECT i, newest, true, c.peer_id, c.last_message_id, m.beginning, c.unread_count, c.version,
                       c.read_up_to, c.delivered_up_to, c.peer_read_up_to, c.peer_delivered_up_to, c.cleared_up_to,
                       c.muted_until, parley.conversation_flags(c.archived, c.pinned, c.marked_unread),
                       CASE WHEN parley.is_group(c.peer_id) THEN {shard}.group_view_of(c.user_id, c.peer_id) END
                FROM (VALUES (true)) page
                     LEFT JOIN (SELECT * FROM {shard}.conversation c
                                WHERE c.user_id = mailbox_id AND c.changed_period >= parley.period_of(since) AND c.version > since
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
        befores[i] := 0;
    END LOOP;

    RETURN QUERY
    SELECT r.number::integer, b.version, false, c.peer_id, c.last_message_id, m.beginning, c.unread_count,
           c.version, c.read_up_to, c.delivered_up_to, c.peer_read_up_to, c.peer_delivered_up_to, c.cleared_up_to,
           c.muted_until, parley.conversation_flags(c.archived, c.pinned, c.marked_unread),
           CASE WHEN parley.is_group(c.peer_id) THEN {shard}.group_view_of(c.user_id, c.peer_id) END
    FROM unnest(mailbox_ids, page_sizes, skips, sinces, befores, before_peers) WITH ORDINALITY
             AS r (mailbox_id, page_size, skip, since, before, before_peer, number)
         CROSS JOIN LATERAL (SELECT b.version FROM {shard}.mailbox b
                             WHERE b.user_id = r.mailbox_id AND b.erased_timestamp IS NULL LIMIT 1) b
         LEFT JOIN LATERAL (
             SELECT *
             FROM (SELECT * FROM {shard}.conversation c
                   WHERE c.user_id = r.mailbox_id AND c.last_message_id > c.cleared_up_to
                     AND c.newest_period <= parley.period_of(parley.time_of(coalesce(nullif(r.before, 0), 9223372036854775807)))
                     AND (c.last_message_id, c.peer_id) < (coalesce(nullif(r.before, 0), 9223372036854775807), r.before_peer)
                   -- All rows of the last period: the index does not order within a period.
                   ORDER BY c.newest_period DESC FETCH FIRST (r.skip + r.page_size + 1) ROWS WITH TIES) c
             ORDER BY c.last_message_id DESC, c.peer_id DESC OFFSET r.skip LIMIT r.page_size + 1) c ON true
         LEFT JOIN LATERAL (
             SELECT CASE WHEN octet_length(m.content) <= 400 THEN m.content ELSE left(m.content, 100) END
             FROM {shard}.message m
             WHERE m.user_id = r.mailbox_id AND m.peer_id = c.peer_id
                   AND m.message_id >= greatest(c.last_message_id, c.cleared_up_to + 1)
             ORDER BY m.message_id LIMIT 1) AS m (beginning) ON true
    WHERE r.since = 0;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_conversations(bigint[], integer[], bigint[], bigint[], bigint[], bigint[]) TO parley_server;
