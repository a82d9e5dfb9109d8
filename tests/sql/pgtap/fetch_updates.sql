-- fetch_updates: order, pages and cursors.
SET search_path = tap;
BEGIN;
SELECT plan(27);
SELECT test.user(0, n) FROM generate_series(1, 9) n \g /dev/null
\set me 'test.id(0, 1)'

SELECT is_empty('SELECT FROM shard_0000.fetch_updates(test.id(0, 99), 20, 0)', 'an unknown mailbox gives nothing');
SELECT is((SELECT (kind, version, mailbox_version, is_delta, has_more)::text FROM shard_0000.fetch_updates(:me, 20, 0)),
          '(h,1000,1000,f,f)', 'an empty mailbox gives a header only');

-- Messages m1 to m6: two from each of the users 2, 3 and 4, in turn. The conversations' versions are those of m4, m5 and m6.
SELECT test.write(test.deliver(:me, test.id(0, 2 + (n - 1) % 3), 'm' || n, 'text ' || n)) FROM generate_series(1, 6) n \g /dev/null

CREATE FUNCTION pg_temp.page(size int, since bigint, bytes int DEFAULT 1000) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s%s %s', CASE WHEN bool_or(is_delta) THEN 'delta' ELSE 'page' END,
                  CASE WHEN bool_or(has_more) THEN '+' END,
                  string_agg(CASE kind WHEN 'm' THEN client_message_id ELSE 'c' || peer_id - test.id(0, 0) END, ' ' ORDER BY ordinality)
                  FILTER (WHERE kind <> 'h'))
    FROM shard_0000.fetch_updates(test.id(0, 1), size, since, bytes) WITH ORDINALITY
$$;
CREATE FUNCTION pg_temp.cursor(size int, since bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM shard_0000.fetch_updates(test.id(0, 1), size, since) WHERE kind = 'h'
$$;
CREATE FUNCTION pg_temp.version_of(n int) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM parley.message WHERE user_id = test.id(0, 1) AND client_message_id = 'm' || n
$$;
SELECT is(pg_temp.page(20, 0), 'page m1 m2 m3 m4 m5 m6 c2 c3 c4', 'from 0: all messages and conversations, in the order of versions');
SELECT is(pg_temp.cursor(20, 0), pg_temp.version_of(6), 'the cursor is the version of the mailbox');
SELECT is((SELECT ARRAY[peer_id::text, message_id::text, sender_id::text, content] FROM shard_0000.fetch_updates(:me, 20, pg_temp.version_of(5)) WHERE kind = 'm'),
          (SELECT ARRAY[test.id(0, 4)::text, message_id::text, test.id(0, 4)::text, 'text 6'] FROM parley.message WHERE client_message_id = 'm6'),
          'a row has all columns of a message');
SELECT is((SELECT (peer_id, message_id, content, unread_count, read_up_to, delivered_up_to, version)::text
           FROM shard_0000.fetch_updates(:me, 20, pg_temp.version_of(5)) WHERE kind = 'c'),
          (SELECT (peer_id, last_message_id, 'text 6'::text, unread_count, read_up_to, delivered_up_to, version)::text
           FROM parley.conversation WHERE user_id = :me AND peer_id = test.id(0, 4)), 'a row has all columns of a conversation');
SELECT is(pg_temp.page(20, pg_temp.version_of(4)), 'delta m5 m6 c3 c4', 'a delta has what has changed since the cursor');
SELECT is(pg_temp.page(20, pg_temp.version_of(6)), 'delta ', 'a delta from the current version is empty');
SELECT is(pg_temp.page(6, 0), 'page m1 m2 m3 m4 m5 m6 c2 c3 c4', 'a page that is exactly full is complete');
SELECT is(pg_temp.page(5, 0), 'page+ m1 m2 m3 m4 m5 c2 c3', 'a page ends where the messages are full');
SELECT is(pg_temp.cursor(5, 0), pg_temp.version_of(5), 'its cursor is the version of its last message');
SELECT is(pg_temp.page(2, 0), 'page+ m1 m2', 'the first page has no conversation, because all of them have later versions');
SELECT is(pg_temp.page(2, pg_temp.version_of(2)), 'delta+ m3 m4 c2', 'the next page');
-- A content has 6 bytes.
SELECT is(pg_temp.page(20, 0, 17), 'page+ m1 m2', 'a page ends before the message that does not fit');
SELECT is(pg_temp.page(20, 0, 18), 'page+ m1 m2 m3', 'a page may be exactly full');
SELECT is(pg_temp.page(20, pg_temp.version_of(3), 1), 'delta+ m4 c2', 'a page has at least one message, and the conversations up to its version');
SELECT is(pg_temp.page(20, pg_temp.version_of(5), 1), 'delta m6 c4', 'after the last message there is no more');
SELECT is(pg_temp.page(20, 9223372036854775807, 12), 'page m5 m6 c2 c3 c4', 'for a cursor above the version, the newest messages that fit are given');
-- As if all conversations had just been read.
UPDATE shard_0000.conversation
SET version = pg_temp.version_of(6) + peer_id - test.id(0, 0),
    changed_period = (pg_temp.version_of(6) + peer_id - test.id(0, 0)) >> 27
WHERE user_id = :me;
UPDATE shard_0000.mailbox SET version = version + 4 WHERE user_id = :me;
SELECT is(pg_temp.page(2, pg_temp.version_of(6)), 'delta+ c2 c3', 'a page ends where the conversations are full');
SELECT is(pg_temp.page(2, (SELECT version + 1 FROM parley.mailbox WHERE user_id = :me)), 'page m5 m6 c3 c4',
          'for a cursor above the version: the newest messages and conversations, ascending, without more');
SELECT is(pg_temp.cursor(2, 9223372036854775807), (SELECT version FROM parley.mailbox WHERE user_id = :me), 'the cursor is then the version of the mailbox');
UPDATE shard_0000.mailbox SET tombstone_horizon = pg_temp.version_of(3) WHERE user_id = :me;
SELECT is(pg_temp.page(2, pg_temp.version_of(2)), 'page m5 m6 c3 c4', 'for a cursor before the horizon: the same');
SELECT is(pg_temp.page(3, pg_temp.version_of(3)), 'delta m4 m5 m6 c2 c3 c4', 'for a cursor at the horizon, a complete delta is given');
SELECT is(pg_temp.page(2, 0), 'page+ m1 m2', 'cursor 0 is never before the horizon');

-- Several conversations in each of several periods, changed after their messages: reading from cursor to cursor, with
-- pages of any size, gives all messages and all conversations, each once, in the order of versions.
SELECT test.user(1, n) FROM generate_series(1, 21) n \g /dev/null
\set you 'test.id(1, 21)'
CREATE TEMP TABLE base AS SELECT ((extract(epoch FROM clock_timestamp())::bigint * 1000000 >> 27) + 10) << 27 AS t;
SELECT test.write(test.deliver(:you, test.id(1, 1 + n * 7 % 20), 'p' || n, 'text ' || n, t + ((n / 4)::bigint << 27) - n % 2)) FROM base, generate_series(1, 30) n \g /dev/null
UPDATE shard_0001.conversation SET version = version + (1 << 27) + 99, changed_period = (version + (1 << 27) + 99) >> 27 WHERE user_id = :you AND peer_id % 3 = 0;
UPDATE shard_0001.mailbox SET version = version + (1 << 28) WHERE user_id = :you;
CREATE FUNCTION pg_temp.all_from(size int, since bigint) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    cursor bigint := since;
    header record;
BEGIN
    FOR calls IN 1 .. 100 LOOP
        RETURN QUERY SELECT format('%s %s %s %s', kind, message_id, content, version)
                     FROM shard_0001.fetch_updates(test.id(1, 21), size, cursor) WITH ORDINALITY
                     WHERE kind <> 'h' AND version > cursor ORDER BY version, kind;
        SELECT version, has_more INTO header FROM shard_0001.fetch_updates(test.id(1, 21), size, cursor) WHERE kind = 'h';
        EXIT WHEN NOT header.has_more;
        ASSERT header.version > cursor;
        cursor := header.version;
    END LOOP;
END
$$;
CREATE TEMP TABLE wanted AS
    SELECT format('m %s %s %s', message_id, content, version) AS row, version FROM parley.message WHERE user_id = :you
    UNION ALL
    SELECT format('c %s %s %s', message_id, m.content, c.version), c.version
    FROM parley.conversation c JOIN parley.message m ON (m.user_id, m.peer_id, m.message_id) = (c.user_id, c.peer_id, c.last_message_id)
    WHERE c.user_id = :you;
SELECT is((SELECT count(*) FROM wanted), 50::bigint, 'there are thirty messages in twenty conversations');
SELECT is_empty($$SELECT size, since
                  FROM generate_series(1, 31) size, (SELECT 0 AS since UNION ALL SELECT version FROM wanted) s
                  WHERE (SELECT array_agg(r ORDER BY r) FROM pg_temp.all_from(size, since) r) IS DISTINCT FROM
                        (SELECT array_agg(row ORDER BY row) FROM wanted WHERE version > since)$$, 'nothing is missing and nothing is given twice');
SELECT is_empty($$SELECT size FROM generate_series(1, 31) size
                  WHERE (SELECT array_agg(format('%s %s %s %s', kind, message_id, content, version) ORDER BY kind, ordinality)
                         FROM shard_0001.fetch_updates(test.id(1, 21), size, 9223372036854775807) WITH ORDINALITY WHERE kind <> 'h')
                        IS DISTINCT FROM
                        (SELECT array_agg(row ORDER BY kind, version)
                         FROM (SELECT row, version, left(row, 1)::"char" AS kind, row_number() OVER (PARTITION BY left(row, 1) ORDER BY version DESC) AS number
                               FROM wanted) w WHERE number <= size)$$, 'a client that has to start again gets the newest messages and conversations');
SELECT * FROM finish();
ROLLBACK;
