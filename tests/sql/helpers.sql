-- What the tests say often. Schema `test`, in the tests' databases only.
CREATE SCHEMA test;
GRANT USAGE ON SCHEMA test TO PUBLIC;

-- Id of the n-th user of a shard.
CREATE FUNCTION test.id(shard integer, n integer) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN (shard::bigint << 50) + n;

-- Makes the n-th user of a shard, whose mailbox has version 1000, and returns the id.
CREATE FUNCTION test.user(shard integer, n integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT shard_%s.create_account($1, $2, $2, NULL, 1000)', to_char(shard, 'FM0000'))
    INTO result USING test.id(shard, n), format('user%s.%s', shard, n);
    ASSERT result = 'created', result;
    RETURN test.id(shard, n);
END
$$;

CREATE TYPE test.operation AS (
    mailbox_id bigint, peer_id bigint, sender_id bigint, message_id bigint, client_message_id text, content text,
    received bigint, copy_mode smallint);

-- A first-written copy, for the recipient.
CREATE FUNCTION test.deliver(recipient bigint, sender bigint, key text, content text DEFAULT 'text',
                             received bigint DEFAULT 5000, copy_mode integer DEFAULT 0)
RETURNS test.operation LANGUAGE sql IMMUTABLE
RETURN ROW(recipient, sender, sender, 0, key, content, received, copy_mode)::test.operation;

-- A sender's copy of a message.
CREATE FUNCTION test.copy(sender bigint, recipient bigint, message_id bigint, key text, content text DEFAULT 'text')
RETURNS test.operation LANGUAGE sql IMMUTABLE
RETURN ROW(sender, recipient, sender, message_id, key, content, 0, 0)::test.operation;

-- Groups the operations as the server does (src/store/message_write.c), has them written as one batch, and gives each its
-- part of the answer. A batch has no key twice: the caller sees to that.
--
-- op                     1 is the first
-- status                 0 stored, 1 duplicate, 2 duplicate with other content
-- message_id             of the stored row, be it new or old
-- version                of the stored row; null for a duplicate of a sender's copy
-- mailbox_previous       the mailbox's version before the batch
-- mailbox_version        and after it
-- unread_count           the conversation's after the batch; null if the batch stored nothing in it
-- copy_version           copy mode 1 and stored: the same of the sender's copy; else null
-- copy_mailbox_previous
-- copy_mailbox_version
-- copy_unread_count
CREATE FUNCTION test.write(VARIADIC operations test.operation[])
RETURNS TABLE (op integer, status smallint, message_id bigint, version bigint,
               mailbox_previous bigint, mailbox_version bigint, unread_count integer,
               copy_version bigint, copy_mailbox_previous bigint, copy_mailbox_version bigint,
               copy_unread_count integer)
LANGUAGE sql AS $$
    WITH operation AS MATERIALIZED (
        SELECT * FROM unnest(operations) WITH ORDINALITY
            AS o (mailbox_id, peer_id, sender_id, message_id, key, content, received, copy_mode, op)
    ),
    -- What the batch may store. A sender's copy follows its first-written copy.
    slot AS (
        SELECT op, 0 AS part, message_id > 0 AS is_copy, mailbox_id AS user_id, peer_id, message_id, key, content,
               CASE WHEN message_id > 0 THEN message_id >> 1 ELSE received END AS time, copy_mode = 2 AS owes
        FROM operation
        UNION ALL
        SELECT op, 1, true, sender_id, mailbox_id, 0, key, content, received, false
        FROM operation WHERE copy_mode = 1 AND message_id = 0
    ),
    ranked AS (
        SELECT *, dense_rank() OVER (ORDER BY user_id)::integer AS mailbox,
               (row_number() OVER mailbox)::integer AS ordinal,
               count(*) FILTER (WHERE NOT is_copy) OVER mailbox AS firsts_so_far,
               row_number() OVER (PARTITION BY is_copy ORDER BY op, part) AS place,
               (part * count(*) FILTER (WHERE NOT is_copy) OVER (ORDER BY op, part))::integer AS first
        FROM slot
        WINDOW mailbox AS (PARTITION BY user_id ORDER BY op, part)
    ),
    -- A first-written copy's time is above all before it in its mailbox.
    timed AS MATERIALIZED (
        SELECT op, part, is_copy, user_id, peer_id, message_id, key, content, owes, mailbox, ordinal, place, first,
               CASE WHEN is_copy THEN time
                    ELSE firsts_so_far + max(time - firsts_so_far) OVER (PARTITION BY user_id ORDER BY op, part)
               END AS time
        FROM ranked
    ),
    mailboxes AS (
        SELECT array_agg(user_id ORDER BY user_id) AS ids, array_agg(slots ORDER BY user_id) AS slots,
               array_agg(time ORDER BY user_id) AS times
        FROM (SELECT user_id, count(*)::integer AS slots, max(time) AS time FROM timed GROUP BY user_id) m
    ),
    firsts AS (
        SELECT array_agg(mailbox ORDER BY place) AS mailboxes, array_agg(ordinal ORDER BY place) AS ordinals,
               array_agg(peer_id ORDER BY place) AS peers, array_agg(key ORDER BY place) AS keys,
               array_agg(content ORDER BY place) AS contents, array_agg(time ORDER BY place) AS times,
               array_agg(owes ORDER BY place) AS owes
        FROM timed WHERE NOT is_copy
    ),
    copies AS (
        SELECT array_agg(mailbox ORDER BY place) AS mailboxes, array_agg(ordinal ORDER BY place) AS ordinals,
               array_agg(peer_id ORDER BY place) AS peers, array_agg(first ORDER BY place) AS firsts,
               array_agg(message_id ORDER BY place) AS messages, array_agg(key ORDER BY place) AS keys,
               array_agg(content ORDER BY place) AS contents
        FROM timed WHERE is_copy
    ),
    answer AS MATERIALIZED (
        SELECT w.*
        FROM mailboxes m, firsts f, copies c,
             parley.write_messages(
                 coalesce(m.ids, '{}'), coalesce(m.slots, '{}'), coalesce(m.times, '{}'),
                 coalesce(f.mailboxes, '{}'), coalesce(f.ordinals, '{}'), coalesce(f.peers, '{}'),
                 coalesce(f.keys, '{}'), coalesce(f.contents, '{}'), coalesce(f.times, '{}'), coalesce(f.owes, '{}'),
                 coalesce(c.mailboxes, '{}'), coalesce(c.ordinals, '{}'), coalesce(c.peers, '{}'),
                 coalesce(c.firsts, '{}'), coalesce(c.messages, '{}'), coalesce(c.keys, '{}'),
                 coalesce(c.contents, '{}'), '{}', '{}', coalesce(m.ids, '{}')) w
    ),
    part AS MATERIALIZED (
        SELECT t.op, t.part, t.is_copy,
               CASE WHEN t.is_copy THEN t.message_id ELSE a.first_messages[t.place] END AS message_id,
               CASE WHEN t.is_copy THEN nullif(a.copy_versions[t.place], 0) ELSE a.first_versions[t.place] END AS version,
               a.first_equals[t.place] AS is_equal,
               a.mailbox_previous[t.mailbox] AS mailbox_previous, a.mailbox_versions[t.mailbox] AS mailbox_version,
               (SELECT c.unread FROM unnest(a.conversation_users, a.conversation_peers, a.conversation_unread)
                                     AS c (user_id, peer_id, unread)
                WHERE c.user_id = t.user_id AND c.peer_id = t.peer_id) AS unread_count
        FROM timed t, answer a
    )
    SELECT p.op::integer,
           CASE WHEN p.version > p.mailbox_previous THEN 0 WHEN p.is_copy OR p.is_equal THEN 1 ELSE 2 END::smallint,
           p.message_id, p.version, p.mailbox_previous, p.mailbox_version, p.unread_count,
           c.version, CASE WHEN c.version > 0 THEN c.mailbox_previous END,
           CASE WHEN c.version > 0 THEN c.mailbox_version END, CASE WHEN c.version > 0 THEN c.unread_count END
    FROM part p LEFT JOIN part c ON c.op = p.op AND c.part = 1
    WHERE p.part = 0
    ORDER BY p.op
$$;

-- One read of conversations, or of messages, by the function of the mailbox's shard: first a row that has the mailbox's version
-- as `version`, is_delta, and has_more as the server tells it, from the row too many; then the page's rows.
CREATE FUNCTION test.fetch_conversations(mailbox_id bigint, page_size integer, skip bigint, since bigint)
RETURNS TABLE (peer_id bigint, last_message_id bigint, snippet text, unread_count integer, read_up_to bigint,
               delivered_up_to bigint, version bigint, is_delta boolean, has_more boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY EXECUTE format($sql$
        WITH fetched AS MATERIALIZED (
            SELECT * FROM shard_%s.fetch_conversations(ARRAY[$1], ARRAY[$2], ARRAY[$3], ARRAY[$4])
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
            SELECT * FROM shard_%s.fetch_messages(ARRAY[$1], ARRAY[$2], ARRAY[$3], ARRAY[$4], ARRAY[$5], ARRAY[$6])
                          WITH ORDINALITY AS f (read, mailbox_version, is_delta))
        (SELECT NULL::bigint, NULL::bigint, NULL::text, NULL::text, f.mailbox_version, f.is_delta, count(*) > $3
         FROM fetched f GROUP BY f.read, f.mailbox_version, f.is_delta)
        UNION ALL
        (SELECT f.message_id, f.sender_id, f.client_message_id, f.content, f.version, NULL, NULL
         FROM fetched f WHERE f.message_id IS NOT NULL ORDER BY f.ordinality LIMIT $3)$sql$, to_char(mailbox_id >> 50, 'FM0000'))
    USING mailbox_id, peer, page_size, skip, before, since;
END
$$;

-- All that the tables hold, as text: equal texts, equal tables.
CREATE FUNCTION test.everything() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(E'\n',
        (SELECT string_agg(m::text, E'\n' ORDER BY m) FROM (SELECT user_id, version FROM parley.mailbox) m),
        (SELECT string_agg(m::text, E'\n' ORDER BY m) FROM parley.message m),
        (SELECT string_agg(c::text, E'\n' ORDER BY c) FROM parley.conversation c),
        (SELECT string_agg(o::text, E'\n' ORDER BY o) FROM parley.outbox o))
$$;

-- Rules that hold between any two transactions; rows name what breaks one.
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
    -- Its version is that of a message, if it was changed by none but sends.
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
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test TO PUBLIC;
