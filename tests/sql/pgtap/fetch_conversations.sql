-- fetch_conversations: pages, deltas, and when a delta cannot be given. fetch_conversation: one of them.
SET search_path = tap;
BEGIN;
SELECT plan(34);
SELECT test.user(0, n) FROM generate_series(1, 9) n \g /dev/null
\set me 'test.id(0, 1)'

SELECT is((SELECT (peer_id, version, is_delta, has_more)::text FROM test.fetch_conversations(:me, 20, 0, 0)), '(,1000,f,f)',
          'an empty mailbox gives a header only');
SELECT is_empty('SELECT FROM test.fetch_conversations(test.id(0, 99), 20, 0, 0)', 'an unknown mailbox gives nothing');

-- Users 2 to 7 write in this order, so 7 is the newest.
SELECT test.write(test.deliver(:me, test.id(0, n), 'k', 'from ' || n, 5000 + n)) FROM generate_series(2, 7) n \g /dev/null

CREATE FUNCTION pg_temp.page(size int, skip bigint, since bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s%s %s', CASE WHEN bool_or(is_delta) THEN 'delta' ELSE 'page' END,
                  CASE WHEN bool_or(has_more) THEN '+' END,
                  string_agg((peer_id - test.id(0, 0))::text, ' ' ORDER BY ordinality) FILTER (WHERE peer_id IS NOT NULL))
    FROM test.fetch_conversations(test.id(0, 1), size, skip, since) WITH ORDINALITY
$$;
CREATE FUNCTION pg_temp.version_of(n int) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM parley.conversation WHERE user_id = test.id(0, 1) AND peer_id = test.id(0, n)
$$;
SELECT is(pg_temp.page(20, 0, 0), 'page 7 6 5 4 3 2', 'conversations are ordered from newest to oldest');
SELECT is((SELECT (snippet, unread_count, read_up_to, delivered_up_to, last_message_id, version)::text
           FROM test.fetch_conversations(:me, 1, 0, 0) WHERE peer_id IS NOT NULL),
          (SELECT ('from 7'::text, unread_count, read_up_to, delivered_up_to, last_message_id, version)::text
           FROM parley.conversation WHERE user_id = :me AND peer_id = test.id(0, 7)), 'a row has all columns of the conversation');
SELECT is((SELECT version FROM test.fetch_conversations(:me, 1, 0, 0) WHERE peer_id IS NULL), pg_temp.version_of(7),
          'the header has the mailbox''s version');
SELECT is(pg_temp.page(2, 0, 0), 'page+ 7 6', 'the first page says that there are more');
SELECT is(pg_temp.page(2, 2, 0), 'page+ 5 4', 'the second page');
SELECT is(pg_temp.page(2, 4, 0), 'page 3 2', 'the last page is full and says that there are no more');
SELECT is(pg_temp.page(6, 0, 0), 'page 7 6 5 4 3 2', 'a page with all conversations says that there are no more');
SELECT is(pg_temp.page(2, 100, 0), 'page ', 'a page beyond the end is empty');

SELECT is(pg_temp.page(20, 0, pg_temp.version_of(7)), 'delta ', 'a delta from the current version is empty');
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(5)), 'delta 7 6', 'a delta has what has changed since the cursor');
SELECT is(pg_temp.page(2, 0, pg_temp.version_of(5)), 'delta 7 6', 'a delta may fill the page exactly');
SELECT is(pg_temp.page(2, 0, pg_temp.version_of(4)), 'page+ 7 6', 'if more has changed than fits, the newest page is given');
SELECT is(pg_temp.page(2, 4, pg_temp.version_of(4)), 'page+ 7 6', 'this is the first page, whatever `skip` says');
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(7) + 1), 'page 7 6 5 4 3 2', 'for a cursor above the version, the newest page is given');
SELECT test.write(test.deliver(:me, test.id(0, 3), 'again', 'again', 6000)) \g /dev/null
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(5)), 'delta 3 7 6', 'a new message moves its conversation to the top');
UPDATE shard_0000.mailbox SET tombstone_horizon = pg_temp.version_of(6) WHERE user_id = :me;
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(5)), 'page 3 7 6 5 4 2', 'for a cursor before the horizon, the newest page is given');
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(6)), 'delta 3 7', 'for a cursor at the horizon, a complete delta is given');
SELECT is(pg_temp.page(20, 0, 9223372036854775807), 'page 3 7 6 5 4 2', 'the highest cursor causes no overflow');

-- Several conversations in each of several periods: pages and deltas are ordered and cut exactly, to the microsecond.
SELECT test.user(1, n) FROM generate_series(1, 21) n \g /dev/null
\set you 'test.id(1, 21)'
CREATE TEMP TABLE base AS SELECT ((extract(epoch FROM clock_timestamp())::bigint * 1000000 >> 27) + 10) << 27 AS t;
SELECT test.write(test.deliver(:you, test.id(1, 1 + n * 7 % 20), 'p' || n, 'text ' || n, t + ((n / 4)::bigint << 27) - n % 2)) FROM base, generate_series(1, 30) n \g /dev/null
SELECT is((SELECT (count(*), count(DISTINCT newest_period) > 4, count(DISTINCT changed_period) > 4)::text FROM parley.conversation WHERE user_id = :you), '(20,t,t)',
          'there are twenty conversations in more than four periods');
-- Reads page after page with the place of the last conversation. Some conversations have last messages with one id, which different senders can cause.
CREATE FUNCTION pg_temp.walk(size int) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    walked text[] := '{}';
    length int := 0;
    place record;
    before bigint := 0;
    peer bigint := 0;
BEGIN
    LOOP
        FOR place IN SELECT f.peer_id, f.last_message_id
                     FROM shard_0001.fetch_conversations(ARRAY[test.id(1, 21)], ARRAY[size], ARRAY[0], ARRAY[0], ARRAY[before], ARRAY[peer])
                          WITH ORDINALITY AS f
                     WHERE f.peer_id IS NOT NULL ORDER BY f.ordinality LIMIT size LOOP
            walked := walked || format('%s %s', place.peer_id, place.last_message_id);
            before := place.last_message_id;
            peer := place.peer_id;
        END LOOP;
        EXIT WHEN cardinality(walked) < length + size;
        length := length + size;
    END LOOP;
    RETURN walked;
END
$$;
SAVEPOINT same;
UPDATE shard_0001.conversation c
SET last_message_id = o.last_message_id, newest_period = o.newest_period
FROM (SELECT peer_id, last_message_id, newest_period, row_number() OVER (ORDER BY last_message_id) AS n FROM shard_0001.conversation WHERE user_id = :you) o
WHERE c.user_id = :you AND o.n IN (3, 9, 14) AND c.peer_id IN (o.peer_id + 1, o.peer_id + 2);
SELECT cmp_ok((SELECT count(*) - count(DISTINCT last_message_id) FROM parley.conversation WHERE user_id = :you), '>', 2::bigint, 'some conversations have last messages with the same id');
SELECT ok((SELECT bool_and(pg_temp.walk(size) = (SELECT array_agg(format('%s %s', peer_id, last_message_id) ORDER BY last_message_id DESC, peer_id DESC)
                                                 FROM parley.conversation WHERE user_id = :you)) FROM generate_series(1, 21) size),
          'page after page, each conversation is given exactly once');
ROLLBACK TO same;
CREATE FUNCTION pg_temp.rows_of(size int, skip bigint, since bigint) RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(format('%s %s %s', peer_id, last_message_id, snippet) ORDER BY ordinality) FILTER (WHERE peer_id IS NOT NULL)
    FROM test.fetch_conversations(test.id(1, 21), size, skip, since) WITH ORDINALITY
$$;
CREATE TEMP TABLE wanted AS
    SELECT format('%s %s %s', c.peer_id, c.last_message_id, m.content) AS row, c.version,
           row_number() OVER (ORDER BY c.last_message_id DESC) AS number
    FROM parley.conversation c JOIN parley.message m ON (m.user_id, m.peer_id, m.message_id) = (c.user_id, c.peer_id, c.last_message_id)
    WHERE c.user_id = :you;
SELECT is_empty($$SELECT size, skip FROM generate_series(1, 21) size, generate_series(0, 21) skip
                  WHERE pg_temp.rows_of(size, skip, 0) IS DISTINCT FROM
                        (SELECT array_agg(row ORDER BY number) FROM wanted WHERE number > skip AND number <= skip + size)$$,
                'every page has the right rows');
SELECT is_empty($$SELECT size, skip FROM generate_series(1, 21) size, generate_series(0, 21) skip,
                       test.fetch_conversations(test.id(1, 21), size, skip, 0) h
                  WHERE h.peer_id IS NULL AND h.has_more <> (skip + size < 20)$$, 'every page says rightly whether there are more');
SELECT is_empty($$SELECT size, w.version FROM generate_series(1, 21) size, wanted w, (VALUES (-1), (0), (1)) d (d)
                  WHERE pg_temp.rows_of(size, 0, w.version + d) IS DISTINCT FROM
                        (SELECT CASE WHEN w.version + d > (SELECT max(version) FROM wanted) OR count(*) > size
                                     THEN (SELECT array_agg(row ORDER BY number) FROM wanted WHERE number <= size)
                                     ELSE array_agg(row ORDER BY number) END
                         FROM wanted c WHERE c.version > w.version + d)$$,
                'every delta has the right rows');
SELECT is_empty($$SELECT size, w.version FROM generate_series(1, 21) size, wanted w, test.fetch_conversations(test.id(1, 21), size, 0, w.version) h
                  WHERE h.peer_id IS NULL AND h.is_delta <> ((SELECT count(*) FROM wanted c WHERE c.version > w.version) <= size)$$,
                'every delta is marked as a delta');

-- Many different reads in one call: each gets the rows that it gets when it runs alone. The last ones are for an unknown mailbox.
CREATE TEMP TABLE read AS
    SELECT row_number() OVER () AS number, mailbox_id, page_size, skip, since, before
    FROM (VALUES (test.id(1, 21)), (test.id(1, 1)), (test.id(1, 99))) m (mailbox_id),
         (VALUES (3, 0, 0, 0), (5, 4, 0, 0), (2, 100, 0, 0), (20, 0, (SELECT version FROM wanted WHERE number = 3), 0),
                 (2, 1, (SELECT version FROM wanted WHERE number = 3), 0), (1, 3, (SELECT version FROM wanted WHERE number = 3), 1), (20, 0, 9223372036854775807, 1),
                 (4, 0, (SELECT version FROM parley.mailbox WHERE user_id = test.id(1, 21)), 0),
                 (3, 0, 0, (SELECT max(last_message_id) FROM parley.conversation WHERE user_id = test.id(1, 21)))) p (page_size, skip, since, before);
CREATE TEMP TABLE together AS
    SELECT f.* FROM (SELECT array_agg(mailbox_id ORDER BY number) AS a, array_agg(page_size ORDER BY number) AS b, array_agg(skip::bigint ORDER BY number) AS c,
                            array_agg(since ORDER BY number) AS d, array_agg(before ORDER BY number) AS e FROM read) r,
         shard_0001.fetch_conversations(a, b, c, d, e, array_fill(1::bigint, ARRAY[cardinality(a)])) WITH ORDINALITY AS f (read, mailbox_version);
SELECT results_eq('SELECT number::integer, mailbox_version, is_delta, peer_id, last_message_id, beginning, unread_count, f.version FROM read r,
                       shard_0001.fetch_conversations(ARRAY[mailbox_id], ARRAY[page_size], ARRAY[skip::bigint], ARRAY[since], ARRAY[before], ARRAY[1])
                           WITH ORDINALITY AS f (read, mailbox_version) ORDER BY number, ordinality',
                  'SELECT read, mailbox_version, is_delta, peer_id, last_message_id, beginning, unread_count, version FROM together ORDER BY read, ordinality',
                  'each of many reads gets the rows that it gets alone');
SELECT is((SELECT count(*) FROM (SELECT read, lag(read) OVER (ORDER BY ordinality) AS previous FROM together) t WHERE read IS DISTINCT FROM previous),
          (SELECT count(DISTINCT read) FROM together), 'the rows of each read are adjacent');
SELECT results_eq('SELECT DISTINCT read FROM together ORDER BY read', 'SELECT number::integer FROM read WHERE mailbox_id <> test.id(1, 99) ORDER BY number',
                  'an unknown mailbox gets no rows');

-- Each conversation of a page, read alone, gives the row of the page.
CREATE TEMP TABLE listed AS SELECT * FROM shard_0001.fetch_conversations(ARRAY[test.id(1, 21)], ARRAY[100], ARRAY[0], ARRAY[0], ARRAY[0], ARRAY[0]);
SELECT results_eq('SELECT f.* FROM (SELECT array_agg(test.id(1, 21) ORDER BY peer_id) AS mailboxes, array_agg(peer_id ORDER BY peer_id) AS peers FROM listed) l,
                       shard_0001.fetch_conversation(mailboxes, peers) f ORDER BY f.peer_id',
                  'SELECT row_number() OVER (ORDER BY peer_id)::integer, mailbox_version, is_delta, peer_id, last_message_id, beginning, unread_count, version,
                       read_up_to, delivered_up_to, peer_read_up_to, peer_delivered_up_to, cleared_up_to, muted_until, flags, view FROM listed ORDER BY peer_id',
                  'fetch_conversation gives the same row as the list');
SELECT cmp_ok((SELECT count(*) FROM listed), '>', 10::bigint, 'the list has more than ten rows');
SELECT results_eq('SELECT read, mailbox_version, peer_id FROM shard_0001.fetch_conversation(ARRAY[test.id(1, 21), test.id(1, 99)], ARRAY[test.id(1, 99), test.id(1, 21)])',
                  'SELECT 1, version, NULL::bigint FROM parley.mailbox WHERE user_id = test.id(1, 21)',
                  'an unknown conversation gives a row without a peer; an unknown mailbox gives nothing');
SELECT is_empty('SELECT * FROM test.broken_rules()', 'the rules hold');
SELECT * FROM finish();
ROLLBACK;
