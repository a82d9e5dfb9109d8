-- The write path: one call is one batch is one transaction. Element i of the arrays is one operation.
--
-- mailbox_ids          mailbox that the copy is for; the server has made sure that it exists
-- peer_ids             the conversation, in that mailbox
-- sender_ids           who sent it: the peer (first-written copy) or the mailbox's user (sender's copy)
-- message_ids          0: first-written copy, its id is assigned here. Above 0: sender's copy of that message
-- client_message_ids   with sender and conversation the key of the send
-- contents
-- received_timestamps  when the send first reached a server, microseconds (not used for a sender's copy)
-- copy_modes           of a first-written copy: 0 no more, 1 the sender's mailbox is of the same shard: write its copy
--                      in this transaction, 2 owe the sender's copy: insert an outbox row
--
-- Rows, one per operation and in their order:
-- op                     1 is the first
-- status                 0 stored, 1 duplicate (it was there: nothing changes), 2 duplicate with other content (refused)
-- message_id             of the stored row, be it new or old
-- version                of the stored row; null for a duplicate of a sender's copy
-- mailbox_previous       the mailbox's version before the batch
-- mailbox_version        and after it
-- unread_count           the conversation's after the batch; null if the batch stored nothing in it
-- copy_version           copy mode 1 and stored: the same of the sender's copy; else null
-- copy_mailbox_previous
-- copy_mailbox_version
-- copy_unread_count
--
-- How it keeps the promises:
-- 1. `bump` locks every mailbox that the batch touches, in the order of their ids, before anything else is written,
--    and so two batches cannot deadlock, and commit order is version order in each mailbox. It raises the version by
--    n, the number of rows that the batch may store there; those rows take the last n versions in the order of the
--    operations. Every version and every time of a message that the mailbox holds is at or below the one before.
-- 2. The time in a new id is thus above all that the first-written mailbox holds if it is above the version before
--    (promise 4). It is the time received, made to rise with the operations of the batch. `bump` raises the version
--    at least as far.
-- 3. message_dedupe decides what is a retry (promise 3). DO UPDATE, for RETURNING gives no row under DO NOTHING. A
--    row that comes back with a version above the one before is new.
-- 4. The last statement is for what `bump` could not know: a mailbox in which nothing was stored gets its version
--    back, so that a retry changes nothing, and one whose message, by a copy (copy mode 1), is from a clock ahead of
--    this one's is raised to that message's time, for rule 1.
--
-- Parts of one statement share a snapshot, so nothing here reads a table; they see each other by RETURNING. Only
-- INSERT names a parent: it locks and opens the leaves that rows go to, where any other statement would all of them.
CREATE OR REPLACE FUNCTION parley.write_messages(
    mailbox_ids bigint[], peer_ids bigint[], sender_ids bigint[], message_ids bigint[], client_message_ids text[],
    contents text[], received_timestamps bigint[], copy_modes smallint[])
    RETURNS TABLE (op integer, status smallint, message_id bigint, version bigint,
                   mailbox_previous bigint, mailbox_version bigint, unread_count integer,
                   copy_version bigint, copy_mailbox_previous bigint, copy_mailbox_version bigint,
                   copy_unread_count integer)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Planning this costs more than running it, and no plan depends on a value.
    SET plan_cache_mode = force_generic_plan
    -- The planner takes an unnest of unknown length for 10 rows, for which it likes to compare each with each.
    SET enable_nestloop = off
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    clock bigint := extract(epoch FROM clock_timestamp()) * 1000000;
    mailbox_id bigint;
    fix_ids bigint[];
    fix_versions bigint[];
BEGIN
    FOR op, mailbox_id, status, message_id, version, mailbox_previous, mailbox_version, unread_count,
        copy_version, copy_mailbox_previous, copy_mailbox_version, copy_unread_count IN
    WITH operation AS MATERIALIZED (
        SELECT op, mailbox_id, peer_id, sender_id, message_id, client_message_id, content, copy_mode,
               CASE WHEN message_id > 0 THEN message_id >> 1 ELSE received END AS time
        FROM unnest(mailbox_ids, peer_ids, sender_ids, message_ids, client_message_ids, contents,
                    received_timestamps, copy_modes) WITH ORDINALITY
             AS o (mailbox_id, peer_id, sender_id, message_id, client_message_id, content, received, copy_mode, op)
    ),
    -- A row that may be stored, in the mailbox of user_id; `part` 1 is the sender's copy of copy mode 1.
    slot AS MATERIALIZED (
        SELECT mailbox_id AS user_id, op, 0 AS part, peer_id, sender_id, message_id, client_message_id, content,
               copy_mode, time
        FROM operation
        UNION ALL
        SELECT sender_id, op, 1, mailbox_id, sender_id, NULL, client_message_id, NULL, NULL, time
        FROM operation WHERE copy_mode = 1 AND message_id = 0
    ),
    bump AS MATERIALIZED (
        -- previous_version carries n into the update.
        INSERT INTO parley.mailbox AS m (user_id, version, previous_version)
        SELECT user_id, greatest(clock, max(time)) + count(*) - 1, count(*)
        FROM slot
        GROUP BY user_id
        ORDER BY user_id
        ON CONFLICT (user_id) DO UPDATE
        SET previous_version = m.version,
            version = greatest(excluded.version, m.version + excluded.previous_version)
        RETURNING m.user_id, m.version, m.previous_version
    ),
    numbered AS MATERIALIZED (
        SELECT op, part, user_id, peer_id, sender_id, message_id, client_message_id, content, copy_mode,
               mailbox_version - n + number AS version,
               number + max(greatest(time - number, previous_version)) OVER in_mailbox AS time
        FROM (SELECT slot.*, b.version AS mailbox_version, b.previous_version,
                     row_number() OVER in_mailbox AS number, count(*) OVER (PARTITION BY user_id) AS n
              FROM slot JOIN bump b USING (user_id)
              WINDOW in_mailbox AS (PARTITION BY user_id ORDER BY op, part)) s
        WINDOW in_mailbox AS (PARTITION BY user_id ORDER BY op, part)
    ),
    -- The first of the batch with its key, which stands for the others.
    first_written AS MATERIALIZED (
        SELECT DISTINCT ON (user_id, peer_id, client_message_id)
               op, user_id, peer_id, sender_id, client_message_id, content, copy_mode, version,
               time * 2 + (sender_id > user_id)::integer AS message_id
        FROM numbered
        WHERE message_id = 0
        ORDER BY user_id, peer_id, client_message_id, op
    ),
    first_stored AS MATERIALIZED (
        INSERT INTO parley.message AS m
            (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
        SELECT user_id, peer_id, message_id, version, sender_id, client_message_id, content
        FROM first_written
        ON CONFLICT (user_id, peer_id, client_message_id) WHERE sender_id = peer_id
        DO UPDATE SET version = m.version
        RETURNING m.user_id, m.peer_id, m.client_message_id, m.message_id, m.version, m.content
    ),
    settled AS MATERIALIZED (
        SELECT f.op, f.user_id, f.peer_id, f.sender_id, f.client_message_id, f.copy_mode,
               s.message_id, s.version, s.content, s.version = f.version AS is_new
        FROM first_written f JOIN first_stored s USING (user_id, peer_id, client_message_id)
    ),
    copy_written AS MATERIALIZED (
        SELECT op, part, user_id, peer_id, sender_id, message_id, version, client_message_id, content
        FROM numbered WHERE message_id > 0
        UNION ALL
        SELECT n.op, n.part, n.user_id, n.peer_id, n.sender_id, s.message_id, n.version, n.client_message_id, s.content
        FROM numbered n JOIN settled s USING (op)
        WHERE n.part = 1 AND s.is_new
    ),
    copy_stored AS MATERIALIZED (
        INSERT INTO parley.message AS m
            (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
        SELECT user_id, peer_id, message_id, version, sender_id, client_message_id, content
        FROM copy_written
        -- The primary key; to name it would cost a look-up of each index of each leaf.
        ON CONFLICT DO NOTHING
        RETURNING m.user_id, m.version
    ),
    stored AS MATERIALIZED (
        SELECT op, 0 AS part, user_id, peer_id, sender_id, message_id, version, content
        FROM settled WHERE is_new
        UNION ALL
        SELECT op, part, user_id, peer_id, sender_id, message_id, version, content
        FROM copy_written JOIN copy_stored USING (user_id, version)
    ),
    conversed AS MATERIALIZED (
        INSERT INTO parley.conversation AS c (user_id, peer_id, last_message_id, snippet, unread_count, version)
        SELECT user_id, peer_id, max(message_id), (array_agg(left(content, 100) ORDER BY message_id DESC))[1],
               count(*) FILTER (WHERE sender_id <> user_id), max(version)
        FROM stored
        GROUP BY user_id, peer_id
        ON CONFLICT (user_id, peer_id) DO UPDATE
        SET last_message_id = greatest(c.last_message_id, excluded.last_message_id),
            snippet = CASE WHEN excluded.last_message_id > c.last_message_id THEN excluded.snippet
                           ELSE c.snippet END,
            unread_count = c.unread_count + excluded.unread_count,
            version = excluded.version
        RETURNING c.user_id, c.peer_id, c.unread_count
    ),
    owed AS (
        INSERT INTO parley.outbox (recipient_id, sender_id, message_id)
        SELECT user_id, sender_id, message_id FROM settled WHERE is_new AND copy_mode = 2
    ),
    mailbox_after AS MATERIALIZED (
        SELECT b.user_id, b.previous_version, b.version AS bumped_version,
               CASE WHEN s.user_id IS NULL THEN b.previous_version ELSE greatest(b.version, s.time) END AS version
        FROM bump b
             LEFT JOIN (SELECT user_id, max(message_id >> 1) AS time FROM stored GROUP BY user_id) s USING (user_id)
    )
    SELECT o.op::integer, o.mailbox_id,
           CASE WHEN here.op IS NOT NULL THEN 0 WHEN o.message_id > 0 OR s.content = o.content THEN 1
                ELSE 2 END::smallint,
           coalesce(s.message_id, o.message_id), coalesce(here.version, s.version),
           box.previous_version, box.version, c.unread_count,
           there.version, there_box.previous_version, there_box.version, there_c.unread_count
    FROM operation o
         JOIN mailbox_after box ON box.user_id = o.mailbox_id
         LEFT JOIN settled s ON s.user_id = o.mailbox_id AND s.peer_id = o.peer_id
                            AND s.client_message_id = o.client_message_id AND o.message_id = 0
         LEFT JOIN stored here ON here.op = o.op AND here.part = 0
         LEFT JOIN conversed c ON c.user_id = o.mailbox_id AND c.peer_id = o.peer_id
         LEFT JOIN stored there ON there.op = o.op AND there.part = 1
         LEFT JOIN mailbox_after there_box ON there_box.user_id = there.user_id
         LEFT JOIN conversed there_c ON there_c.user_id = there.user_id AND there_c.peer_id = there.peer_id
    UNION ALL
    SELECT NULL, user_id, NULL, NULL, NULL, NULL, version, NULL, NULL, NULL, NULL, NULL
    FROM mailbox_after
    WHERE version <> bumped_version
    ORDER BY 1
    LOOP
        IF op IS NULL THEN
            fix_ids := fix_ids || mailbox_id;
            fix_versions := fix_versions || mailbox_version;
        ELSE
            RETURN NEXT;
        END IF;
    END LOOP;

    IF fix_ids IS NOT NULL THEN
        INSERT INTO parley.mailbox AS m (user_id, version)
        SELECT f.user_id, f.version FROM unnest(fix_ids, fix_versions) AS f (user_id, version)
        ON CONFLICT (user_id) DO UPDATE SET version = excluded.version;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION parley.write_messages(
    bigint[], bigint[], bigint[], bigint[], text[], text[], bigint[], smallint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.write_messages(
    bigint[], bigint[], bigint[], bigint[], text[], text[], bigint[], smallint[]) TO parley_server;
