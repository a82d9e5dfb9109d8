-- fetch_updates: order, cuts and cursors.
SET search_path = tap;
BEGIN;
SELECT plan(19);
SELECT test.user(0, n) FROM generate_series(1, 9) n \g /dev/null
\set me 'test.id(0, 1)'

SELECT is_empty('SELECT FROM shard_0000.fetch_updates(test.id(0, 99), 20, 0)', 'no such mailbox: nothing');
SELECT is((SELECT (kind, version, mailbox_version, is_delta, has_more)::text FROM shard_0000.fetch_updates(:me, 20, 0)),
          '(h,1000,1000,f,f)', 'an empty mailbox: a header alone');

-- Messages m1 to m6: two each from users 2, 3, 4, in turns. The conversations' versions are those of m4, m5, m6.
SELECT test.write(test.deliver(:me, test.id(0, 2 + (n - 1) % 3), 'm' || n, 'text ' || n)) FROM generate_series(1, 6) n \g /dev/null

CREATE FUNCTION pg_temp.page(size int, since bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s%s %s', CASE WHEN bool_or(is_delta) THEN 'delta' ELSE 'page' END,
                  CASE WHEN bool_or(has_more) THEN '+' END,
                  string_agg(CASE kind WHEN 'm' THEN client_message_id ELSE 'c' || peer_id - test.id(0, 0) END, ' ' ORDER BY ordinality)
                  FILTER (WHERE kind <> 'h'))
    FROM shard_0000.fetch_updates(test.id(0, 1), size, since) WITH ORDINALITY
$$;
CREATE FUNCTION pg_temp.cursor(size int, since bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM shard_0000.fetch_updates(test.id(0, 1), size, since) WHERE kind = 'h'
$$;
CREATE FUNCTION pg_temp.version_of(n int) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM parley.message WHERE user_id = test.id(0, 1) AND client_message_id = 'm' || n
$$;
SELECT is(pg_temp.page(20, 0), 'page m1 m2 m3 m4 m5 m6 c2 c3 c4', 'from the beginning: all, by version');
SELECT is(pg_temp.cursor(20, 0), pg_temp.version_of(6), 'the cursor is the mailbox''s version');
SELECT is((SELECT ARRAY[peer_id::text, message_id::text, sender_id::text, content] FROM shard_0000.fetch_updates(:me, 20, pg_temp.version_of(5)) WHERE kind = 'm'),
          (SELECT ARRAY[test.id(0, 4)::text, message_id::text, test.id(0, 4)::text, 'text 6'] FROM parley.message WHERE client_message_id = 'm6'),
          'with all that a message has');
SELECT is((SELECT (peer_id, message_id, content, unread_count, read_up_to, delivered_up_to, version)::text
           FROM shard_0000.fetch_updates(:me, 20, pg_temp.version_of(5)) WHERE kind = 'c'),
          (SELECT (peer_id, last_message_id, 'text 6'::text, unread_count, read_up_to, delivered_up_to, version)::text
           FROM parley.conversation WHERE user_id = :me AND peer_id = test.id(0, 4)), 'and all that a conversation has');
SELECT is(pg_temp.page(20, pg_temp.version_of(4)), 'delta m5 m6 c3 c4', 'since a cursor');
SELECT is(pg_temp.page(20, pg_temp.version_of(6)), 'delta ', 'nothing since now');
SELECT is(pg_temp.page(6, 0), 'page m1 m2 m3 m4 m5 m6 c2 c3 c4', 'a page that is just full is whole');
SELECT is(pg_temp.page(5, 0), 'page+ m1 m2 m3 m4 m5 c2 c3', 'cut where the messages are full');
SELECT is(pg_temp.cursor(5, 0), pg_temp.version_of(5), 'with the cursor there');
SELECT is(pg_temp.page(2, 0), 'page+ m1 m2', 'no conversation is as old as these');
SELECT is(pg_temp.page(2, pg_temp.version_of(2)), 'delta+ m3 m4 c2', 'the next page');
-- As if all were read just now.
UPDATE shard_0000.conversation
SET version = pg_temp.version_of(6) + peer_id - test.id(0, 0),
    changed_period = (pg_temp.version_of(6) + peer_id - test.id(0, 0)) >> 27
WHERE user_id = :me;
UPDATE shard_0000.mailbox SET version = version + 4 WHERE user_id = :me;
SELECT is(pg_temp.page(2, pg_temp.version_of(6)), 'delta+ c2 c3', 'cut where the conversations are full');
SELECT is(pg_temp.page(2, (SELECT version + 1 FROM parley.mailbox WHERE user_id = :me)), 'page m5 m6 c3 c4',
          'a cursor from the future: the newest of each, ascending, and no more');
SELECT is(pg_temp.cursor(2, 9223372036854775807), (SELECT version FROM parley.mailbox WHERE user_id = :me), 'and the mailbox''s version');
UPDATE shard_0000.mailbox SET tombstone_horizon = pg_temp.version_of(3) WHERE user_id = :me;
SELECT is(pg_temp.page(2, pg_temp.version_of(2)), 'page m5 m6 c3 c4', 'a cursor before the horizon: the same');
SELECT is(pg_temp.page(3, pg_temp.version_of(3)), 'delta m4 m5 m6 c2 c3 c4', 'at the horizon a delta is whole');
SELECT is(pg_temp.page(2, 0), 'page+ m1 m2', 'the beginning is never too old');
SELECT * FROM finish();
ROLLBACK;
