-- Helpers of the tests, in the schema `test` of the tests' databases, which conftest.py makes.
GRANT USAGE ON SCHEMA test TO PUBLIC;

-- Id of the n-th user of a shard.
CREATE FUNCTION test.id(shard integer, n integer) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN (shard::bigint << 50) + n;

-- Makes the n-th user of a shard, whose mailbox has version 1000, and returns the id.
CREATE FUNCTION test.user(shard integer, n integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT shard_%s.create_account($1, $2, $2, NULL, 1000, NULL)', to_char(shard, 'FM0000'))
    INTO result USING test.id(shard, n), format('user%s.%s', shard, n);
    ASSERT result = 'created', result;
    RETURN test.id(shard, n);
END
$$;

CREATE TYPE test.operation AS (
    mailbox_id bigint, peer_id bigint, sender_id bigint, message_id bigint, client_message_id text, content text,
    received bigint, copy_mode smallint);

-- A primary copy, for the recipient.
CREATE FUNCTION test.deliver(recipient bigint, sender bigint, key text, content text DEFAULT 'text',
                             received bigint DEFAULT 5000, copy_mode integer DEFAULT 0)
RETURNS test.operation LANGUAGE sql IMMUTABLE
RETURN ROW(recipient, sender, sender, 0, key, content, received, copy_mode)::test.operation;

-- A sender's copy of a message.
CREATE FUNCTION test.copy(sender bigint, recipient bigint, message_id bigint, key text, content text DEFAULT 'text')
RETURNS test.operation LANGUAGE sql IMMUTABLE
RETURN ROW(sender, recipient, sender, message_id, key, content, 0, 0)::test.operation;

-- Groups the operations as the server does: by its own code, the program group_batch (conftest.py makes test.group_batch_path).
-- Result: the parameters of parley.write_messages, in which a key and a content is the number of its operation.
CREATE FUNCTION test.group_batch(operations test.operation[]) RETURNS text[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
    output text := 'group_batch.' || pg_backend_pid();  -- in the data directory
BEGIN
    EXECUTE format('COPY (SELECT mailbox_id, peer_id, sender_id, message_id, received, copy_mode'
                   '      FROM unnest(%L::test.operation[]) WITH ORDINALITY'
                   '          AS o (mailbox_id, peer_id, sender_id, message_id, key, content, received, copy_mode, op)'
                   '      ORDER BY op) TO PROGRAM %L',
                   operations, format('exec %s > %s', test.group_batch_path(), output));
    RETURN string_to_array(rtrim(pg_read_file(output), E'\n'), E'\n');
END
$$;

-- Has the operations written as one batch and gives each its part of the answer. A batch has no key twice: the caller sees to that.
--
-- op                     1 is the first
-- status                 0 stored, 1 duplicate, 2 duplicate with other content
-- message_id             of the stored row, new or old
-- version                of the stored row; null for a duplicate of a sender's copy
-- mailbox_previous       the mailbox's version before the batch
-- mailbox_version        and after it
-- unread_count           the conversation's after the batch; null if the batch stored nothing in it
-- copy_version           copy mode 1 and stored: the same for the sender's copy; else null
-- copy_mailbox_previous
-- copy_mailbox_version
-- copy_unread_count
CREATE FUNCTION test.write(VARIADIC operations test.operation[])
RETURNS TABLE (op integer, status smallint, message_id bigint, version bigint,
               mailbox_previous bigint, mailbox_version bigint, unread_count integer,
               copy_version bigint, copy_mailbox_previous bigint, copy_mailbox_version bigint,
               copy_unread_count integer)
LANGUAGE sql AS $$
    WITH batch AS MATERIALIZED (
        SELECT g[1]::bigint[] AS mailbox_ids, g[2]::integer[] AS mailbox_slots, g[3]::bigint[] AS mailbox_times,
               g[4]::integer[] AS first_mailboxes, g[5]::integer[] AS first_ordinals, g[6]::bigint[] AS first_peers,
               g[7]::integer[] AS first_ops, g[9]::bigint[] AS first_times, g[10]::boolean[] AS first_has_entry,
               g[11]::integer[] AS copy_mailboxes, g[12]::integer[] AS copy_ordinals, g[13]::bigint[] AS copy_peers,
               g[14]::integer[] AS copy_firsts, g[15]::bigint[] AS copy_messages, g[16]::integer[] AS copy_ops,
               g[20]::bigint[] AS awaited_ids
        FROM test.group_batch(operations) AS g
    ),
    answer AS MATERIALIZED (
        SELECT w.*
        FROM batch b,
             parley.write_messages(
                 b.mailbox_ids, b.mailbox_slots, b.mailbox_times,
                 b.first_mailboxes, b.first_ordinals, b.first_peers,
                 ARRAY(SELECT (operations[o.op]).client_message_id FROM unnest(b.first_ops) WITH ORDINALITY AS o (op, n) ORDER BY o.n),
                 ARRAY(SELECT (operations[o.op]).content FROM unnest(b.first_ops) WITH ORDINALITY AS o (op, n) ORDER BY o.n),
                 b.first_times, b.first_has_entry,
                 b.copy_mailboxes, b.copy_ordinals, b.copy_peers, b.copy_firsts, b.copy_messages,
                 ARRAY(SELECT (operations[o.op]).client_message_id FROM unnest(b.copy_ops) WITH ORDINALITY AS o (op, n) ORDER BY o.n),
                 ARRAY(SELECT (operations[o.op]).content FROM unnest(b.copy_ops) WITH ORDINALITY AS o (op, n) ORDER BY o.n),
                 '{}', '{}', b.awaited_ids) w
    ),
    -- One row per copy of the batch. The sender's copy of a primary copy is a part of that operation.
    part AS MATERIALIZED (
        SELECT p.op, p.is_copy, p.first > 0 AS is_second, p.message_id, p.version, p.is_equal,
               a.mailbox_previous[p.mailbox] AS mailbox_previous, a.mailbox_versions[p.mailbox] AS mailbox_version,
               (SELECT c.unread FROM unnest(a.conversation_users, a.conversation_peers, a.conversation_unread)
                                     AS c (user_id, peer_id, unread)
                WHERE c.user_id = b.mailbox_ids[p.mailbox] AND c.peer_id = p.peer) AS unread_count
        FROM batch b, answer a,
             LATERAL (SELECT f.op, false AS is_copy, 0 AS first, f.mailbox, f.peer, f.message_id, f.version,
                             a.first_equals[f.place] AS is_equal
                      FROM unnest(b.first_ops, b.first_mailboxes, b.first_peers, a.first_messages, a.first_versions)
                           WITH ORDINALITY AS f (op, mailbox, peer, message_id, version, place)
                      UNION ALL
                      SELECT c.op, true, c.first, c.mailbox, c.peer, c.message_id, nullif(a.copy_versions[c.place], 0), NULL
                      FROM unnest(b.copy_ops, b.copy_firsts, b.copy_mailboxes, b.copy_peers, b.copy_messages)
                           WITH ORDINALITY AS c (op, first, mailbox, peer, message_id, place)) p
    )
    SELECT p.op,
           CASE WHEN p.version > p.mailbox_previous THEN 0 WHEN p.is_copy OR p.is_equal THEN 1 ELSE 2 END::smallint,
           p.message_id, p.version, p.mailbox_previous, p.mailbox_version, p.unread_count,
           c.version, CASE WHEN c.version > 0 THEN c.mailbox_previous END,
           CASE WHEN c.version > 0 THEN c.mailbox_version END, CASE WHEN c.version > 0 THEN c.unread_count END
    FROM part p LEFT JOIN part c ON c.op = p.op AND c.is_second
    WHERE NOT p.is_second
    ORDER BY p.op
$$;

-- One read of conversations, or of messages, by the function of the mailbox's shard: first a row with the mailbox's version as
-- `version`, is_delta, and has_more, which follows from the extra row; then the page's rows.
CREATE FUNCTION test.fetch_conversations(mailbox_id bigint, page_size integer, skip bigint, since bigint)
RETURNS TABLE (peer_id bigint, last_message_id bigint, snippet text, unread_count integer, read_up_to bigint,
               delivered_up_to bigint, version bigint, is_delta boolean, has_more boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format($sql$
        WITH fetched AS MATERIALIZED (
            SELECT * FROM shard_%s.fetch_conversations(ARRAY[$1], ARRAY[$2], ARRAY[$3], ARRAY[$4], ARRAY[0], ARRAY[0])
                          WITH ORDINALITY AS f (read, mailbox_version, is_delta))
        (SELECT NULL::bigint, NULL::bigint, NULL::text, NULL::integer, NULL::bigint, NULL::bigint,
                f.mailbox_version, f.is_delta, count(*) > $2
         FROM fetched f GROUP BY f.read, f.mailbox_version, f.is_delta)
        UNION ALL
        (SELECT f.peer_id, f.last_message_id, left(f.beginning, 100), f.unread_count, f.read_up_to, f.delivered_up_to, f.version, NULL, NULL
         FROM fetched f WHERE f.peer_id IS NOT NULL ORDER BY f.ordinality LIMIT $2)$sql$, to_char(mailbox_id >> 50, 'FM0000'))
    USING mailbox_id, page_size, skip, since;
END
$$;
CREATE FUNCTION test.fetch_messages(mailbox_id bigint, peer bigint, page_size integer, skip bigint, before bigint, since bigint)
RETURNS TABLE (message_id bigint, sender_id bigint, client_message_id text, content text, version bigint,
               is_delta boolean, has_more boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format($sql$
        WITH fetched AS MATERIALIZED (
            SELECT * FROM shard_%s.fetch_messages(ARRAY[$1], ARRAY[$2], ARRAY[$3], ARRAY[$4], ARRAY[$5], ARRAY[$6], ARRAY[0], ARRAY[0])
                          WITH ORDINALITY AS f (read, mailbox_version, is_delta))
        (SELECT NULL::bigint, NULL::bigint, NULL::text, NULL::text, f.mailbox_version, f.is_delta, count(*) > $3
         FROM fetched f GROUP BY f.read, f.mailbox_version, f.is_delta)
        UNION ALL
        (SELECT f.message_id, f.sender_id, f.client_message_id, f.content, f.version, NULL, NULL
         FROM fetched f WHERE f.message_id IS NOT NULL ORDER BY f.ordinality LIMIT $3)$sql$, to_char(mailbox_id >> 50, 'FM0000'))
    USING mailbox_id, peer, page_size, skip, before, since;
END
$$;

-- The content of the tables as text: equal texts mean equal tables.
CREATE FUNCTION test.everything() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(E'\n',
        (SELECT string_agg(m::text, E'\n' ORDER BY m) FROM (SELECT user_id, version FROM parley.mailbox) m),
        (SELECT string_agg(m::text, E'\n' ORDER BY m) FROM parley.message m),
        (SELECT string_agg(c::text, E'\n' ORDER BY c) FROM parley.conversation c),
        (SELECT string_agg(o::text, E'\n' ORDER BY o) FROM parley.outbox o))
$$;

-- Rules that hold between any two transactions. Each row names a violation.
CREATE FUNCTION test.broken_rules() RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT format('version of %s above its mailbox''s', m) FROM parley.message m JOIN parley.mailbox b USING (user_id)
    WHERE m.version > b.version
    UNION ALL
    SELECT format('time of %s above its mailbox''s version', m)
    FROM parley.message m JOIN parley.mailbox b USING (user_id) WHERE m.message_id >> 1 > b.version
    UNION ALL
    SELECT format('version %s twice in mailbox %s', version, user_id)
    FROM parley.message GROUP BY user_id, version HAVING count(*) > 1
    UNION ALL
    SELECT format('%s is not the sum of its messages', c)
    FROM parley.conversation c
    JOIN LATERAL (SELECT max(message_id) AS last, max(version) FILTER (WHERE extra IS NULL) AS version,
                         count(*) FILTER (WHERE sender_id <> user_id AND extra -> 'deletedTimestamp' IS NULL
                                                AND message_id > greatest(c.read_up_to, c.cleared_up_to)) AS unread
                  FROM parley.message m WHERE m.user_id = c.user_id AND m.peer_id = c.peer_id) m ON true
    -- If only sends have changed a conversation, its version is that of a message.
    WHERE (c.last_message_id, c.unread_count) IS DISTINCT FROM (m.last, m.unread) OR c.version < m.version
          OR (c.version > m.version AND c.read_up_to + c.delivered_up_to + c.peer_read_up_to + c.peer_delivered_up_to = 0
              AND NOT EXISTS (SELECT FROM parley.message m
                              WHERE m.user_id = c.user_id AND m.peer_id = c.peer_id AND m.extra IS NOT NULL))
    UNION ALL
    SELECT format('periods of %s', c) FROM parley.conversation c
    WHERE (c.newest_period, c.changed_period) IS DISTINCT FROM (c.last_message_id >> 28, c.version >> 27)
    UNION ALL
    SELECT format('conversation whose last message is gone: %s', c) FROM parley.conversation c
    WHERE NOT EXISTS (SELECT FROM parley.message m
                      WHERE m.user_id = c.user_id AND m.peer_id = c.peer_id AND m.message_id = c.last_message_id)
    UNION ALL
    SELECT format('message without conversation: %s', m) FROM parley.message m
    WHERE NOT EXISTS (SELECT FROM parley.conversation c WHERE c.user_id = m.user_id AND c.peer_id = m.peer_id)
    UNION ALL
    SELECT format('direction bit of %s', m) FROM parley.message m
    WHERE (m.message_id & 1) <> (m.sender_id > CASE WHEN m.sender_id = m.user_id THEN m.peer_id ELSE m.user_id END)::integer
$$;

-- Makes one change without a companion. Result: its detail, with the status in `status`.
CREATE FUNCTION test.change(kind text, mailbox bigint, argument jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT c.detail::jsonb || jsonb_build_object('status', c.kind)
    FROM parley.write_changes(ARRAY[kind], ARRAY[mailbox], ARRAY[argument::text], ARRAY[0::bigint]) c WHERE c.part = 'r'
$$;
CREATE FUNCTION test.status(kind text, mailbox bigint, argument jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT test.change(kind, mailbox, argument) ->> 'status'
$$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test TO PUBLIC;
