-- fetch_messages: pages, `before`, `after`, deltas, and when a delta cannot be given.
SET search_path = tap;
BEGIN;
SELECT plan(40);
SELECT test.user(0, n) FROM generate_series(1, 3) n \g /dev/null
\set me 'test.id(0, 1)'

SELECT is_empty('SELECT FROM test.fetch_messages(test.id(0, 99), 1, 20, 0, 0, 0)', 'an unknown mailbox gives nothing');
SELECT is((SELECT (message_id, version, is_delta, has_more)::text FROM test.fetch_messages(:me, test.id(0, 2), 20, 0, 0, 0)),
          '(,1000,f,f)', 'an empty conversation gives a header only');

-- Messages 1 to 6 are from user 2. Messages of another conversation are between them.
SELECT test.write(test.deliver(:me, test.id(0, 2), n::text, 'text ' || n), test.deliver(:me, test.id(0, 3), n::text, 'noise'))
FROM generate_series(1, 6) n \g /dev/null

CREATE FUNCTION pg_temp.page(size int, skip bigint, before bigint, since bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s%s %s', CASE WHEN bool_or(is_delta) THEN 'delta' ELSE 'page' END,
                  CASE WHEN bool_or(has_more) THEN '+' END,
                  string_agg(client_message_id, ' ' ORDER BY ordinality) FILTER (WHERE message_id IS NOT NULL))
    FROM test.fetch_messages(test.id(0, 1), test.id(0, 2), size, skip, before, since) WITH ORDINALITY
$$;
CREATE FUNCTION pg_temp.version_of(n int) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM parley.message WHERE user_id = test.id(0, 1) AND peer_id = test.id(0, 2) AND client_message_id = n::text
$$;
CREATE FUNCTION pg_temp.id_of(n int) RETURNS bigint LANGUAGE sql AS $$
    SELECT message_id FROM parley.message WHERE user_id = test.id(0, 1) AND peer_id = test.id(0, 2) AND client_message_id = n::text
$$;
SELECT is(pg_temp.page(20, 0, 0, 0), 'page 6 5 4 3 2 1', 'messages of this conversation are ordered from newest to oldest');
SELECT is((SELECT ARRAY[sender_id::text, client_message_id, content, version::text] FROM test.fetch_messages(:me, test.id(0, 2), 1, 0, 0, 0)
           WHERE message_id = pg_temp.id_of(6)), ARRAY[test.id(0, 2)::text, '6', 'text 6', pg_temp.version_of(6)::text],
          'a row has all columns of the message');
SELECT is((SELECT version FROM test.fetch_messages(:me, test.id(0, 2), 1, 0, 0, 0) WHERE message_id IS NULL),
          (SELECT version FROM parley.mailbox WHERE user_id = :me), 'the header has the mailbox''s version');
SELECT is(pg_temp.page(4, 0, 0, 0), 'page+ 6 5 4 3', 'the first page says that there are more');
SELECT is(pg_temp.page(4, 4, 0, 0), 'page 2 1', 'the next page by `skip`');
SELECT is(pg_temp.page(4, 0, pg_temp.id_of(3), 0), 'page 2 1', 'the next page by `before`');
SELECT is(pg_temp.page(1, 1, pg_temp.id_of(5), 0), 'page+ 3', '`skip` and `before` together');
SELECT is(pg_temp.page(6, 0, 0, 0), 'page 6 5 4 3 2 1', 'a page with all messages says that there are no more');
SELECT is(pg_temp.page(4, 0, 1, 0), 'page ', 'a page before the first message is empty');

-- In the order of the rows: ascending above `after`, descending below `before`.
CREATE FUNCTION pg_temp.rows(size int, before bigint, after bigint, newer int) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(client_message_id, ' ' ORDER BY ordinality), 'none')
    FROM shard_0000.fetch_messages(ARRAY[test.id(0, 1)], ARRAY[test.id(0, 2)], ARRAY[size], ARRAY[0], ARRAY[before], ARRAY[0], ARRAY[after], ARRAY[newer])
         WITH ORDINALITY
$$;
SELECT is(pg_temp.rows(0, pg_temp.id_of(2) + 1, pg_temp.id_of(2), 3), '3 4 5 2', 'the messages after a message, and one row that shows that there are older ones');
SELECT is(pg_temp.rows(1, pg_temp.id_of(3) + 1, pg_temp.id_of(3), 2), '4 5 3 2', 'the messages around a message');
SELECT is(pg_temp.rows(2, pg_temp.id_of(3), pg_temp.id_of(3) - 1, 1), '3 2 1', 'the messages before a message, and one row that shows that there are newer ones');
SELECT is(pg_temp.rows(0, pg_temp.id_of(6) + 1, pg_temp.id_of(6), 9), '6', 'there is nothing after the newest message');
SELECT is(pg_temp.rows(0, 2, 1, 9), '1 2 3 4 5 6', 'all messages are after the beginning');
SELECT is(pg_temp.rows(20, 0, 9223372036854775807, 9), '6 5 4 3 2 1', 'there is nothing after the highest id');

-- A content has 6 bytes.
CREATE FUNCTION pg_temp.fitting(max_bytes int, size int, before bigint, after bigint, newer int, since bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN bool_or(is_delta) THEN 'delta ' ELSE 'page ' END || string_agg(client_message_id, ' ' ORDER BY ordinality)
    FROM shard_0000.fetch_messages(ARRAY[test.id(0, 1)], ARRAY[test.id(0, 2)], ARRAY[size], ARRAY[0], ARRAY[before], ARRAY[since], ARRAY[after], ARRAY[newer],
                                   max_bytes) WITH ORDINALITY
$$;
SELECT is(pg_temp.fitting(12, 20, 0, 0, 0), 'page 6 5 4', 'a page has the messages that fit, and one row that shows that there are older ones');
SELECT is(pg_temp.fitting(11, 20, 0, 0, 0), 'page 6 5', 'a page ends before the first message that does not fit');
SELECT is(pg_temp.fitting(6, 0, pg_temp.id_of(2) + 1, pg_temp.id_of(2), 9), 'page 3 4 2', 'after a message, a page has the nearest messages that fit');
SELECT is(pg_temp.fitting(12, 9, pg_temp.id_of(3) + 1, pg_temp.id_of(3), 9), 'page 4 5 3 2', 'around a message, each side has half of the bytes');
SELECT is(pg_temp.fitting(12, 20, 0, 0, 0, pg_temp.version_of(4)), 'delta 6 5', 'a delta has changes that fit');
SELECT is(pg_temp.fitting(11, 20, 0, 0, 0, pg_temp.version_of(4)), 'page 6 5', 'if the changes do not fit, the newest page is given');

UPDATE shard_0000.conversation SET cleared_up_to = pg_temp.id_of(4) WHERE user_id = :me AND peer_id = test.id(0, 2);
SELECT is(pg_temp.rows(0, 2, 1, 9), '5 6', 'in a cleared conversation only messages above the cleared ones are given');
SELECT is(pg_temp.rows(3, pg_temp.id_of(5) + 1, pg_temp.id_of(5), 9), '6 5', 'the same holds on both sides of a message');
SELECT is(pg_temp.rows(3, pg_temp.id_of(4) + 1, pg_temp.id_of(4), 1), '5', 'the same holds around a cleared message');
UPDATE shard_0000.conversation SET cleared_up_to = 0 WHERE user_id = :me AND peer_id = test.id(0, 2);

SELECT is(pg_temp.page(20, 0, 0, (SELECT version FROM parley.mailbox WHERE user_id = :me)), 'delta ', 'a delta from the current version is empty');
SELECT is(pg_temp.page(20, 0, 0, pg_temp.version_of(4)), 'delta 6 5', 'a delta has the messages since the cursor');
SELECT is(pg_temp.page(2, 0, 0, pg_temp.version_of(4)), 'delta 6 5', 'a delta may fill the page exactly');
SELECT is(pg_temp.page(2, 2, 1, pg_temp.version_of(3)), 'page+ 6 5', 'if more has changed than fits, the newest page is given, without `skip` and `before`');
SELECT is(pg_temp.page(20, 0, 0, 9223372036854775807), 'page 6 5 4 3 2 1', 'for a cursor above the version, the newest page is given');

-- Message 2 changes long after it was sent. Message 5 changes soon after it was sent, as by an edit. Message 0 arrives late, as from an outbox.
CREATE TEMP TABLE cursor AS SELECT version FROM parley.mailbox WHERE user_id = :me;
UPDATE shard_0000.mailbox SET version = version + 60000000 WHERE user_id = :me;
UPDATE shard_0000.message m SET version = b.version - 2 FROM shard_0000.mailbox b
WHERE b.user_id = :me AND m.user_id = :me AND m.message_id = pg_temp.id_of(2);
UPDATE shard_0000.message m SET version = (SELECT version + 9000000 FROM cursor)
WHERE m.user_id = :me AND m.message_id = pg_temp.id_of(5);
SELECT test.write(test.copy(:me, test.id(0, 2), 4000, '0', 'late')) \g /dev/null
SELECT is(pg_temp.page(20, 0, 0, (SELECT version FROM cursor)), 'delta 5 2 0', 'a delta has old messages that have changed, soon or late');
SELECT is(pg_temp.page(3, 0, 0, (SELECT version FROM cursor)), 'delta 5 2 0', 'changed old messages count for the page''s size');
SELECT is(pg_temp.page(2, 0, 0, (SELECT version FROM cursor)), 'page+ 6 5', 'if there are more of them than fit, the newest page is given');
SELECT is(pg_temp.page(20, 0, 0, pg_temp.version_of(4)), 'delta 6 5 2 0', 'a delta has new and changed messages, each once');
UPDATE shard_0000.mailbox SET tombstone_horizon = pg_temp.version_of(4) + 1 WHERE user_id = :me;
SELECT is(pg_temp.page(20, 0, 0, pg_temp.version_of(4)), 'page 6 5 4 3 2 1 0', 'for a cursor before the horizon, the newest page is given');
SELECT is(pg_temp.page(20, 0, 0, pg_temp.version_of(4) + 1), 'delta 6 5 2 0', 'for a cursor at the horizon, a complete delta is given');

-- Many different reads in one call: each gets the rows that it gets when it runs alone. The last ones are for an unknown mailbox.
CREATE TEMP TABLE read AS
    SELECT row_number() OVER () AS number, mailbox_id, peer, page_size, skip, before, since, after, newer
    FROM (VALUES (test.id(0, 1), test.id(0, 2)), (test.id(0, 2), test.id(0, 1)), (test.id(0, 1), test.id(0, 9)), (test.id(0, 99), 1)) m (mailbox_id, peer),
         (VALUES (2, 0, 0, 0, 0, 0), (3, 2, 0, 0, 0, 0), (2, 1, pg_temp.id_of(5), 0, 0, 0), (20, 0, 0, pg_temp.version_of(5), 0, 0), (2, 1, 1, pg_temp.version_of(5), 0, 0),
                 (0, 0, pg_temp.id_of(3), 0, pg_temp.id_of(3), 3), (2, 0, pg_temp.id_of(3), 0, pg_temp.id_of(3), 2), (2, 0, 1, pg_temp.version_of(2), 1, 5),
                 (20, 0, 0, 9223372036854775807, 0, 0), (1, 0, 0, (SELECT version FROM parley.mailbox WHERE user_id = test.id(0, 1)), 0, 0))
             p (page_size, skip, before, since, after, newer);
CREATE TEMP TABLE together AS
    SELECT f.* FROM (SELECT array_agg(mailbox_id ORDER BY number) AS a, array_agg(peer ORDER BY number) AS b, array_agg(page_size ORDER BY number) AS c,
                            array_agg(skip::bigint ORDER BY number) AS d, array_agg(before ORDER BY number) AS e, array_agg(since ORDER BY number) AS f,
                            array_agg(after ORDER BY number) AS g, array_agg(newer ORDER BY number) AS h FROM read) r,
         shard_0000.fetch_messages(a, b, c, d, e, f, g, h) WITH ORDINALITY AS f (read, mailbox_version);
SELECT results_eq('SELECT number::integer, mailbox_version, is_delta, message_id, sender_id, client_message_id, content, f.version FROM read r,
                       shard_0000.fetch_messages(ARRAY[mailbox_id], ARRAY[peer], ARRAY[page_size], ARRAY[skip::bigint], ARRAY[before], ARRAY[since], ARRAY[after], ARRAY[newer])
                           WITH ORDINALITY AS f (read, mailbox_version) ORDER BY number, ordinality',
                  'SELECT read, mailbox_version, is_delta, message_id, sender_id, client_message_id, content, version FROM together ORDER BY read, ordinality',
                  'each of many reads gets the rows that it gets alone');
SELECT is((SELECT count(*) FROM (SELECT read, lag(read) OVER (ORDER BY ordinality) AS previous FROM together) t WHERE read IS DISTINCT FROM previous),
          (SELECT count(DISTINCT read) FROM together), 'the rows of each read are adjacent');
SELECT results_eq('SELECT DISTINCT read FROM together ORDER BY read', 'SELECT number::integer FROM read WHERE mailbox_id <> test.id(0, 99) ORDER BY number',
                  'an unknown mailbox gets no rows');
SELECT * FROM finish();
ROLLBACK;
