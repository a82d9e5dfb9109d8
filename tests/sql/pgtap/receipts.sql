-- Receipts: watermarks only move forward, the other side follows, and unread_count stays what a recount gives.
BEGIN;
SET search_path = test, tap, public;
SELECT no_plan();

-- Ann (shard 0) writes to Bob (shard 1): five messages, all unread.
CREATE TEMP TABLE ids AS SELECT test.user(0, 1) AS ann, test.user(1, 1) AS bob, test.user(1, 2) AS eve;
CREATE TEMP TABLE sent AS
SELECT n, w.message_id AS id
FROM ids, generate_series(1, 5) n, LATERAL test.write(test.deliver(bob, ann, 'k' || n, 'text', 5000 + n, 1)) w;

CREATE FUNCTION pg_temp.m(n integer) RETURNS bigint LANGUAGE sql AS $$ SELECT id FROM sent WHERE sent.n = m.n $$;
CREATE FUNCTION pg_temp.change(kind text, mailbox bigint, argument jsonb, companion bigint DEFAULT 0)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT coalesce(c.detail::jsonb, '{}') || jsonb_build_object('status', c.kind)
    FROM parley.write_changes(ARRAY[kind], ARRAY[mailbox], ARRAY[argument::text], ARRAY[companion]) c
    WHERE c.part = 'r'
$$;
CREATE FUNCTION pg_temp.receipt(type text, message bigint, companion bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.change('receipt', bob, jsonb_build_object('peerId', ann::text, type || 'UpTo', message::text), companion)
           ->> 'status' FROM ids
$$;
CREATE FUNCTION pg_temp.own() RETURNS TABLE (read bigint, delivered bigint, unread integer) LANGUAGE sql AS $$
    SELECT read_up_to, delivered_up_to, unread_count FROM parley.conversation, ids WHERE user_id = bob AND peer_id = ann
$$;
CREATE FUNCTION pg_temp.seen_by_peer() RETURNS TABLE (read bigint, delivered bigint) LANGUAGE sql AS $$
    SELECT peer_read_up_to, peer_delivered_up_to FROM parley.conversation, ids WHERE user_id = ann
$$;
CREATE FUNCTION pg_temp.versions() RETURNS bigint[] LANGUAGE sql AS $$
    SELECT array_agg(version ORDER BY user_id) FROM parley.mailbox
$$;
CREATE FUNCTION pg_temp.entries() RETURNS TABLE (target bigint, kind text, argument jsonb) LANGUAGE sql AS $$
    SELECT target_id, kind, argument FROM parley.change_outbox ORDER BY mailbox_id, version, ordinal
$$;
CREATE FUNCTION pg_temp.is_counted() RETURNS boolean LANGUAGE sql AS $$
    SELECT NOT EXISTS (SELECT FROM ids, shard_0000.wrong_unread_counts(0, ann))
           AND NOT EXISTS (SELECT FROM ids, shard_0001.wrong_unread_counts(0, eve))
$$;

SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (0::bigint, 0::bigint, 5)', 'nothing is read at first');
SELECT ok(pg_temp.is_counted(), 'and five is what a recount gives');

-- Delivered, with the sender's mailbox in the same transaction.
SELECT is(pg_temp.receipt('delivered', pg_temp.m(2), ann), 'done', 'a receipt of delivery') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (0::bigint, pg_temp.m(2), 5)', 'moves one watermark');
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (0::bigint, pg_temp.m(2))', 'and the sender sees it');
SELECT is_empty('SELECT * FROM pg_temp.entries()', 'and there is no follow-up');
SELECT is(c.version, m.version, 'the conversation has the mailbox''s new version')
FROM ids, parley.conversation c JOIN parley.mailbox m USING (user_id) WHERE c.user_id = bob;
SELECT is(c.changed_period, (c.version >> 27)::integer, 'and is found by it') FROM ids, parley.conversation c WHERE c.user_id = ann;

-- Read, without.
SELECT is(pg_temp.receipt('read', pg_temp.m(3)), 'done', 'a receipt of reading');
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(3), pg_temp.m(3), 2)',
                  'moves both, and three messages count no more');
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (0::bigint, pg_temp.m(2))', 'the sender does not see it yet');
SELECT results_eq('SELECT target, kind FROM pg_temp.entries()', 'SELECT ann, ''peer_receipt''::text FROM ids', 'which has an outbox entry');
SELECT is(pg_temp.change(kind, target, argument) ->> 'status', 'done', 'the follow-up can be made') FROM pg_temp.entries();
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (pg_temp.m(3), pg_temp.m(3))', 'and the sender sees it');
SELECT is(now.versions, before.versions, 'made again it changes nothing')
FROM (SELECT pg_temp.versions() AS versions) before,
     LATERAL (SELECT pg_temp.change(kind, target, argument) FROM pg_temp.entries() WHERE before.versions IS NOT NULL) again,
     LATERAL (SELECT pg_temp.versions() AS versions WHERE again IS NOT NULL) now;
DELETE FROM parley.change_outbox;

-- Forward only.
CREATE TEMP TABLE before AS SELECT pg_temp.versions() AS versions;
SELECT is(pg_temp.receipt('read', pg_temp.m(3), ann), 'done', 'the same again') FROM ids;
SELECT is(pg_temp.receipt('read', pg_temp.m(1), ann), 'done', 'one from before') FROM ids;
SELECT is(pg_temp.receipt('delivered', pg_temp.m(2)), 'done', 'and a delivery of what was read');
SELECT is(pg_temp.versions(), versions, 'change no mailbox') FROM before;
SELECT is_empty('SELECT * FROM pg_temp.entries()', 'without a follow-up');
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(3), pg_temp.m(3), 2)', 'and move nothing');

-- What is late at the sender's does not move anything back.
SELECT is(pg_temp.change('peer_receipt', ann, jsonb_build_object('peerId', bob::text, 'deliveredUpTo', pg_temp.m(1)::text,
                                                                 'readUpTo', pg_temp.m(1)::text)) ->> 'status',
          'done', 'an old one that arrives late') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (pg_temp.m(3), pg_temp.m(3))', 'moves nothing at the sender''s');

-- Both at once, and above the last message.
SELECT is(pg_temp.change('receipt', bob, jsonb_build_object('peerId', ann::text, 'readUpTo', pg_temp.m(4)::text,
                                                            'deliveredUpTo', (pg_temp.m(5) + 1000)::text), ann) ->> 'status',
          'done', 'two that were waiting together') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(4), pg_temp.m(5), 1)',
                  'are one write, and end at the last message');
SELECT is(pg_temp.receipt('read', 9223372036854775807, ann), 'done', 'the highest that can be named') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(5), pg_temp.m(5), 0)', 'is the last message');
INSERT INTO sent SELECT 6, w.message_id FROM ids, test.write(test.deliver(bob, ann, 'k6', 'text', 5100, 1)) w;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(5), pg_temp.m(5), 1)', 'so the next one is unread');

-- Who has no such conversation.
SELECT is(pg_temp.change('receipt', eve, jsonb_build_object('peerId', ann::text, 'readUpTo', '9')) ->> 'status',
          'conversation-not-found', 'no conversation, no receipt') FROM ids;
SELECT is(pg_temp.change('receipt', test.id(1, 99), '{"peerId": "1", "readUpTo": "9"}') ->> 'status', 'no-mailbox', 'nor without a mailbox');
SELECT is(pg_temp.change('peer_receipt', eve, jsonb_build_object('peerId', ann::text, 'deliveredUpTo', '9')) ->> 'status',
          'missing', 'a receipt before the sender''s copy waits') FROM ids;

-- Receipts turned off, by who reads and by who sent.
UPDATE parley.account SET read_receipts = false FROM ids WHERE user_id = bob;
SELECT is(pg_temp.receipt('read', pg_temp.m(6), ann), 'done', 'a user who hides read receipts') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(6), pg_temp.m(6), 0)', 'has read it all the same');
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (pg_temp.m(5), pg_temp.m(6))', 'which to the sender is delivered');
UPDATE parley.account SET read_receipts = user_id = bob FROM ids;
INSERT INTO sent SELECT 7, w.message_id FROM ids, test.write(test.deliver(bob, ann, 'k7', 'text', 5200, 1)) w;
SELECT is(pg_temp.receipt('read', pg_temp.m(7), ann), 'done', 'a sender who hides read receipts') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (pg_temp.m(5), pg_temp.m(7))', 'is not told either');
UPDATE parley.account SET read_receipts = true;

-- What was delivered follows from a cursor.
INSERT INTO sent SELECT n, w.message_id
FROM ids, generate_series(8, 10) n, LATERAL test.write(test.deliver(bob, ann, 'k' || n, 'text', 5300 + n, 1)) w;
CREATE TEMP TABLE cursors AS
SELECT n, version FROM ids, sent JOIN parley.message m ON m.message_id = sent.id WHERE m.user_id = bob AND n > 7;
CREATE FUNCTION pg_temp.present(cursor_version bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT pg_temp.change('delivered', bob, jsonb_build_object('version', cursor_version::text)) FROM ids
$$;
CREATE FUNCTION pg_temp.known() RETURNS bigint LANGUAGE sql AS $$ SELECT delivered_version FROM parley.mailbox, ids WHERE user_id = bob $$;
UPDATE before SET versions = pg_temp.versions();
SELECT is(pg_temp.present(version + 3600000000) - 'upTo', '{"status": "done"}', 'a cursor from the future') FROM parley.mailbox, ids WHERE user_id = bob;
SELECT is(pg_temp.versions(), versions, 'says nothing') FROM before;
SELECT is((pg_temp.present(version) ->> 'upTo')::bigint, version, 'a cursor in the middle') FROM cursors WHERE n = 9;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(7), pg_temp.m(9), 3)', 'delivers what is up to it and reads nothing');
SELECT is(pg_temp.known(), version, 'which is remembered') FROM cursors WHERE n = 9;
SELECT results_eq('SELECT target, kind, argument FROM pg_temp.entries()',
                  $q$SELECT ann, 'peer_receipt'::text, jsonb_build_object('peerId', bob::text, 'deliveredUpTo', pg_temp.m(9)::text) FROM ids$q$,
                  'with a follow-up for the sender');
UPDATE before SET versions = pg_temp.versions();
SELECT ok(pg_temp.present(version) IS NOT NULL, 'the same cursor again') FROM cursors WHERE n = 9;
SELECT ok(pg_temp.present(version) IS NOT NULL, 'and one from before') FROM cursors WHERE n = 8;
SELECT is(pg_temp.versions(), versions, 'change no mailbox') FROM before;
SELECT is(pg_temp.known(), version, 'and do not move it back') FROM cursors WHERE n = 9;
CREATE TEMP TABLE answered AS
SELECT pg_temp.present(version) AS answer FROM (SELECT version FROM parley.mailbox, ids WHERE user_id = bob) m;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(7), pg_temp.m(10), 3)', 'the mailbox''s own version delivers all');
SELECT is(pg_temp.versions(), versions, 'without a change of it') FROM before;
SELECT is((answer ->> 'upTo')::bigint, version, 'up to which that is known') FROM answered, parley.mailbox, ids WHERE user_id = bob;
DELETE FROM parley.change_outbox;
INSERT INTO sent SELECT 11, w.message_id FROM ids, test.write(test.deliver(bob, ann, 'k11', 'text', 5400, 1)) w;
SELECT ok(pg_temp.receipt('delivered', pg_temp.m(11), ann) = 'done', 'what was delivered by a receipt') FROM ids;
UPDATE before SET versions = pg_temp.versions();
SELECT ok(pg_temp.present(version) IS NOT NULL, 'and then follows from a cursor') FROM parley.mailbox, ids WHERE user_id = bob;
SELECT is(pg_temp.versions(), versions, 'is no change') FROM before;
SELECT is(pg_temp.known(), version, 'but is remembered') FROM parley.mailbox, ids WHERE user_id = bob;

-- A slice at a time.
SELECT test.user(0, n) FROM generate_series(10, 12) n;
SELECT count(w.message_id) FROM ids, generate_series(1, 250) n,
    LATERAL test.write(test.deliver(bob, test.id(0, 10 + n % 3), 's' || n, 'text', 6000 + n)) w;
CREATE TEMP TABLE target AS SELECT version FROM parley.mailbox, ids WHERE user_id = bob;
SELECT is((pg_temp.present(version) ->> 'rest')::bigint, version, 'a long way is gone in slices') FROM target;
SELECT ok(pg_temp.known() < version, 'of which one is behind') FROM target;
SELECT is((pg_temp.present(version) ->> 'rest')::bigint, version, 'and a second') FROM target;
SELECT ok(NOT pg_temp.present(version) ? 'rest', 'and the last') FROM target;
SELECT is_empty('SELECT FROM parley.conversation c, ids WHERE c.user_id = bob AND c.delivered_up_to <> c.last_message_id',
                'then all is delivered');
SELECT is((SELECT count(*)::integer FROM pg_temp.entries()), 9, 'and each slice has a follow-up for each sender');

-- Deleted messages, and a conversation that was cleared.
INSERT INTO sent SELECT n, w.message_id
FROM ids, generate_series(12, 19) n, LATERAL test.write(test.deliver(bob, ann, 'k' || n, 'text', 7000 + n, 1)) w;
SELECT is(pg_temp.change('deletion', bob, jsonb_build_object('peerId', ann::text, 'messageId', pg_temp.m(n)::text, 'timestamp', 1)) ->> 'status',
          'done', 'a message is deleted') FROM ids, unnest(ARRAY[13, 15]) n;
SELECT is(unread, 10, 'which counts no more') FROM pg_temp.own();
SELECT is(pg_temp.receipt('read', pg_temp.m(14)), 'done', 'reading over a deleted one');
SELECT is(unread, 4, 'counts it once') FROM pg_temp.own();
SELECT ok(pg_temp.is_counted(), 'as a recount does');
UPDATE parley.conversation SET cleared_up_to = pg_temp.m(17), unread_count = 2 FROM ids WHERE user_id = bob AND peer_id = ann;
SELECT ok(pg_temp.is_counted(), 'what was cleared does not count');
SELECT is(pg_temp.receipt('read', pg_temp.m(16)), 'done', 'reading what was cleared');
SELECT is(unread, 2, 'counts nothing twice') FROM pg_temp.own();
SELECT is(pg_temp.receipt('read', pg_temp.m(18)), 'done', 'and reading on');
SELECT is(unread, 1, 'counts what is above') FROM pg_temp.own();
SELECT ok(pg_temp.is_counted(), 'as a recount does');

-- The doctor's functions.
UPDATE parley.conversation SET unread_count = 7 FROM ids WHERE user_id = bob AND peer_id = ann;
SELECT results_eq('SELECT w.* FROM ids, shard_0001.wrong_unread_counts(0, bob) w', 'SELECT bob, ann, 7, 1 FROM ids', 'a wrong count is found');
UPDATE before SET versions = pg_temp.versions();
SELECT is(shard_0001.repair_unread_counts(bob), 1, 'and repaired') FROM ids;
SELECT ok(pg_temp.is_counted(), 'to what a recount gives');
SELECT ok(pg_temp.versions() <> versions, 'with a new version') FROM before;
SELECT is(c.version, m.version, 'of the conversation')
FROM ids, parley.conversation c JOIN parley.mailbox m USING (user_id) WHERE c.user_id = bob AND c.peer_id = ann;
SELECT is(shard_0001.repair_unread_counts(bob), 0, 'once') FROM ids;
UPDATE parley.conversation SET unread_count = 7 FROM ids WHERE user_id = bob AND peer_id = ann;
UPDATE parley.mailbox SET erased_timestamp = 1 FROM ids WHERE user_id = bob;
SELECT is_empty('SELECT FROM ids, shard_0001.wrong_unread_counts(0, bob)', 'of an erased user nothing is counted');

-- All conversations at once: up to a cursor, in slices.
CREATE TEMP TABLE reader AS SELECT test.user(2, 1) AS id;
SELECT test.user(3, n) FROM generate_series(1, 150) n \g /dev/null
SELECT test.write(VARIADIC b.batch) FROM reader, LATERAL (
    SELECT array_agg(test.deliver(reader.id, test.id(3, n), 'k' || n || '.' || i, 'text', 50000 + n * 10 + i, 2) ORDER BY n, i) AS batch
    FROM generate_series(1, 150) n, generate_series(1, 2) i) b \g /dev/null
CREATE FUNCTION pg_temp.read_all(cursor bigint, after bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT pg_temp.change('read_all', id, jsonb_build_object('version', cursor::text, 'after', after::text)) FROM reader
$$;
CREATE FUNCTION pg_temp.totals() RETURNS TABLE (conversations integer, messages bigint, more boolean) LANGUAGE sql AS $$
    SELECT f.conversation_count, f.message_count, f.has_more FROM reader, shard_0002.fetch_unread(ARRAY[id]) f
$$;
CREATE TEMP TABLE cursor AS SELECT m.version FROM reader, parley.mailbox m WHERE m.user_id = reader.id;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (150, 300::bigint, false)', 'all are unread');
SELECT test.write(test.deliver(reader.id, test.id(3, 150), 'late', 'text', 90000, 2)) FROM reader \g /dev/null
DELETE FROM parley.change_outbox;
SELECT is((a ->> 'after') || ' ' || (a ->> 'upTo'), test.id(3, 100) || ' ' || version, 'a slice is of 100')
FROM cursor, pg_temp.read_all(version, 0) a;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (50, 101::bigint, false)', 'which are read');
SELECT results_eq('SELECT count(*), count(DISTINCT target) FROM pg_temp.entries() WHERE kind = ''peer_receipt''', 'VALUES (100::bigint, 100::bigint)',
                  'and whose senders are told');
SELECT results_eq('SELECT count(DISTINCT c.version), max(c.version) FROM reader, parley.conversation c WHERE c.user_id = id AND c.read_up_to > 0',
                  'SELECT 100::bigint, m.version FROM reader, parley.mailbox m WHERE m.user_id = id', 'each has a version of its own');
SELECT is(pg_temp.read_all(version, test.id(3, 100)) ? 'after', false, 'the next one is the last') FROM cursor;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (1, 1::bigint, false)', 'what is above the cursor stays unread');
SELECT is_empty('SELECT w.* FROM reader, shard_0002.wrong_unread_counts(0, id) w', 'as a recount says');
SELECT is(pg_temp.read_all(version, 0), '{"status": "done"}', 'again it changes nothing') FROM cursor;
UPDATE parley.conversation c SET marked_unread = true FROM reader WHERE c.user_id = id AND c.peer_id IN (test.id(3, 1), test.id(3, 150));
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (2, 1::bigint, false)', 'the user''s own marks count as conversations');
DELETE FROM parley.change_outbox;
SELECT is(pg_temp.read_all(version, 0) ->> 'status', 'done', 'once more') FROM cursor;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (1, 1::bigint, false)', 'clears them');
SELECT is_empty('SELECT * FROM pg_temp.entries()', 'and tells nobody');
SELECT is(pg_temp.read_all(9223372036854775807, 0) ->> 'status', 'done', 'a cursor above the version') FROM cursor;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (0, 0::bigint, false)', 'is the version');
SELECT is_empty('SELECT * FROM shard_0002.fetch_unread(ARRAY[7::bigint])', 'a user who does not exist has no totals');

SELECT finish();
ROLLBACK;
