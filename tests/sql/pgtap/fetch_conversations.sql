-- fetch_conversations: pages, deltas, and when a delta cannot be given. fetch_conversation: one of them.
SET search_path = tap;
BEGIN;
SELECT plan(32);
SELECT test.user(0, n) FROM generate_series(1, 9) n \g /dev/null
\set me 'test.id(0, 1)'

SELECT is((SELECT (peer_id, version, is_delta, has_more)::text FROM test.fetch_conversations(:me, 20, 0, 0)), '(,1000,f,f)',
          'an empty mailbox: a header alone');
SELECT is_empty('SELECT FROM test.fetch_conversations(test.id(0, 99), 20, 0, 0)', 'no such mailbox: nothing');

-- Users 2 to 7 write in this order; so 7 is the newest.
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
SELECT is(pg_temp.page(20, 0, 0), 'page 7 6 5 4 3 2', 'newest first');
SELECT is((SELECT (snippet, unread_count, read_up_to, delivered_up_to, last_message_id, version)::text
           FROM test.fetch_conversations(:me, 1, 0, 0) WHERE peer_id IS NOT NULL),
          (SELECT ('from 7'::text, unread_count, read_up_to, delivered_up_to, last_message_id, version)::text
           FROM parley.conversation WHERE user_id = :me AND peer_id = test.id(0, 7)), 'with all that a conversation has');
SELECT is((SELECT version FROM test.fetch_conversations(:me, 1, 0, 0) WHERE peer_id IS NULL), pg_temp.version_of(7),
          'the header has the mailbox''s version');
SELECT is(pg_temp.page(2, 0, 0), 'page+ 7 6', 'a page, and there is more');
SELECT is(pg_temp.page(2, 2, 0), 'page+ 5 4', 'the next');
SELECT is(pg_temp.page(2, 4, 0), 'page 3 2', 'the last, full');
SELECT is(pg_temp.page(6, 0, 0), 'page 7 6 5 4 3 2', 'all in one, and no more');
SELECT is(pg_temp.page(2, 100, 0), 'page ', 'beyond the end');

SELECT is(pg_temp.page(20, 0, pg_temp.version_of(7)), 'delta ', 'nothing since now');
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(5)), 'delta 7 6', 'what changed since');
SELECT is(pg_temp.page(2, 0, pg_temp.version_of(5)), 'delta 7 6', 'as many as fit');
SELECT is(pg_temp.page(2, 0, pg_temp.version_of(4)), 'page+ 7 6', 'one more than fits: the newest page');
SELECT is(pg_temp.page(2, 4, pg_temp.version_of(4)), 'page+ 7 6', 'which is the first, whatever is to be left out');
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(7) + 1), 'page 7 6 5 4 3 2', 'a cursor from the future: the newest page');
SELECT test.write(test.deliver(:me, test.id(0, 3), 'again', 'again', 6000)) \g /dev/null
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(5)), 'delta 3 7 6', 'a new message takes its conversation up');
UPDATE shard_0000.mailbox SET tombstone_horizon = pg_temp.version_of(6) WHERE user_id = :me;
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(5)), 'page 3 7 6 5 4 2', 'a cursor before the horizon: the newest page');
SELECT is(pg_temp.page(20, 0, pg_temp.version_of(6)), 'delta 3 7', 'at the horizon a delta is whole');
SELECT is(pg_temp.page(20, 0, 9223372036854775807), 'page 3 7 6 5 4 2', 'the highest cursor overflows nothing');

-- Conversations of several periods, several in each: pages and deltas are by the time and the version, to the microsecond.
SELECT test.user(1, n) FROM generate_series(1, 21) n \g /dev/null
\set you 'test.id(1, 21)'
CREATE TEMP TABLE base AS SELECT ((extract(epoch FROM clock_timestamp())::bigint * 1000000 >> 27) + 10) << 27 AS t;
SELECT test.write(test.deliver(:you, test.id(1, 1 + n * 7 % 20), 'p' || n, 'text ' || n, t + ((n / 4)::bigint << 27) - n % 2)) FROM base, generate_series(1, 30) n \g /dev/null
SELECT is((SELECT (count(*), count(DISTINCT newest_period) > 4, count(DISTINCT changed_period) > 4)::text FROM parley.conversation WHERE user_id = :you), '(20,t,t)',
          'twenty conversations of more than four periods');
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
                'every page is what it should be');
SELECT is_empty($$SELECT size, skip FROM generate_series(1, 21) size, generate_series(0, 21) skip,
                       test.fetch_conversations(test.id(1, 21), size, skip, 0) h
                  WHERE h.peer_id IS NULL AND h.has_more <> (skip + size < 20)$$, 'and says whether there is more');
SELECT is_empty($$SELECT size, w.version FROM generate_series(1, 21) size, wanted w, (VALUES (-1), (0), (1)) d (d)
                  WHERE pg_temp.rows_of(size, 0, w.version + d) IS DISTINCT FROM
                        (SELECT CASE WHEN w.version + d > (SELECT max(version) FROM wanted) OR count(*) > size
                                     THEN (SELECT array_agg(row ORDER BY number) FROM wanted WHERE number <= size)
                                     ELSE array_agg(row ORDER BY number) END
                         FROM wanted c WHERE c.version > w.version + d)$$,
                'as is every delta');
SELECT is_empty($$SELECT size, w.version FROM generate_series(1, 21) size, wanted w, test.fetch_conversations(test.id(1, 21), size, 0, w.version) h
                  WHERE h.peer_id IS NULL AND h.is_delta <> ((SELECT count(*) FROM wanted c WHERE c.version > w.version) <= size)$$,
                'which says that it is one');

-- Reads of all sorts in one call: each gets what it gets alone. The last are of a mailbox that does not exist.
CREATE TEMP TABLE read AS
    SELECT row_number() OVER () AS number, mailbox_id, page_size, skip, since
    FROM (VALUES (test.id(1, 21)), (test.id(1, 1)), (test.id(1, 99))) m (mailbox_id),
         (VALUES (3, 0, 0), (5, 4, 0), (2, 100, 0), (20, 0, (SELECT version FROM wanted WHERE number = 3)), (2, 1, (SELECT version FROM wanted WHERE number = 3)),
                 (1, 3, (SELECT version FROM wanted WHERE number = 3)), (20, 0, 9223372036854775807),
                 (4, 0, (SELECT version FROM parley.mailbox WHERE user_id = test.id(1, 21)))) p (page_size, skip, since);
CREATE TEMP TABLE together AS
    SELECT f.* FROM (SELECT array_agg(mailbox_id ORDER BY number) AS a, array_agg(page_size ORDER BY number) AS b, array_agg(skip::bigint ORDER BY number) AS c,
                            array_agg(since ORDER BY number) AS d FROM read) r,
         shard_0001.fetch_conversations(a, b, c, d) WITH ORDINALITY AS f (read, mailbox_version);
SELECT results_eq('SELECT number::integer, mailbox_version, is_delta, peer_id, last_message_id, beginning, unread_count, f.version FROM read r,
                       shard_0001.fetch_conversations(ARRAY[mailbox_id], ARRAY[page_size], ARRAY[skip::bigint], ARRAY[since])
                           WITH ORDINALITY AS f (read, mailbox_version) ORDER BY number, ordinality',
                  'SELECT read, mailbox_version, is_delta, peer_id, last_message_id, beginning, unread_count, version FROM together ORDER BY read, ordinality',
                  'many reads at once get what each gets alone');
SELECT is((SELECT count(*) FROM (SELECT read, lag(read) OVER (ORDER BY ordinality) AS previous FROM together) t WHERE read IS DISTINCT FROM previous),
          (SELECT count(DISTINCT read) FROM together), 'each its rows together');
SELECT results_eq('SELECT DISTINCT read FROM together ORDER BY read', 'SELECT number::integer FROM read WHERE mailbox_id <> test.id(1, 99) ORDER BY number',
                  'and none of a mailbox that does not exist');

-- Each conversation of a page, read alone, is the page's row.
CREATE TEMP TABLE listed AS SELECT * FROM shard_0001.fetch_conversations(ARRAY[test.id(1, 21)], ARRAY[100], ARRAY[0], ARRAY[0]);
SELECT results_eq('SELECT f.* FROM (SELECT array_agg(test.id(1, 21) ORDER BY peer_id) AS mailboxes, array_agg(peer_id ORDER BY peer_id) AS peers FROM listed) l,
                       shard_0001.fetch_conversation(mailboxes, peers) f ORDER BY f.peer_id',
                  'SELECT row_number() OVER (ORDER BY peer_id)::integer, mailbox_version, is_delta, peer_id, last_message_id, beginning, unread_count, version,
                       read_up_to, delivered_up_to, peer_read_up_to, peer_delivered_up_to, cleared_up_to, muted_until, flags, view FROM listed ORDER BY peer_id',
                  'one conversation is as it is in the list');
SELECT cmp_ok((SELECT count(*) FROM listed), '>', 10::bigint, 'and there are some');
SELECT results_eq('SELECT read, mailbox_version, peer_id FROM shard_0001.fetch_conversation(ARRAY[test.id(1, 21), test.id(1, 99)], ARRAY[test.id(1, 99), test.id(1, 21)])',
                  'SELECT 1, version, NULL::bigint FROM parley.mailbox WHERE user_id = test.id(1, 21)',
                  'no such conversation: no peer; no such mailbox: nothing');
SELECT is_empty('SELECT * FROM test.broken_rules()', 'the rules hold');
SELECT * FROM finish();
ROLLBACK;
