-- Receipts: watermarks only increase, the other mailbox follows, and unread_count always equals a recount.
BEGIN;
SET search_path = test, tap, public;
SELECT no_plan();

-- Ann (shard 0) sends five messages to Bob (shard 1). All are unread.
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
SELECT ok(pg_temp.is_counted(), 'the unread count equals a recount');

-- A receipt of delivery, with the sender's mailbox as companion.
SELECT is(pg_temp.receipt('delivered', pg_temp.m(2), ann), 'done', 'the recipient sends a receipt of delivery') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (0::bigint, pg_temp.m(2), 5)', 'it raises one watermark');
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (0::bigint, pg_temp.m(2))', 'the sender sees it');
SELECT is_empty('SELECT * FROM pg_temp.entries()', 'there is no follow-up');
SELECT is(c.version, m.version, 'the conversation has the mailbox''s new version')
FROM ids, parley.conversation c JOIN parley.mailbox m USING (user_id) WHERE c.user_id = bob;
SELECT is(c.changed_period, (c.version >> 27)::integer, 'the conversation''s period is that of its version') FROM ids, parley.conversation c WHERE c.user_id = ann;

-- A receipt of reading, without a companion.
SELECT is(pg_temp.receipt('read', pg_temp.m(3)), 'done', 'the recipient sends a receipt of reading');
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(3), pg_temp.m(3), 2)',
                  'it raises both watermarks, and three messages fewer are unread');
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (0::bigint, pg_temp.m(2))', 'the sender does not see it yet');
SELECT results_eq('SELECT target, kind FROM pg_temp.entries()', 'SELECT ann, ''peer_receipt''::text FROM ids', 'the receipt leaves an outbox entry for the sender''s mailbox');
SELECT is(pg_temp.change(kind, target, argument) ->> 'status', 'done', 'the follow-up can be executed') FROM pg_temp.entries();
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (pg_temp.m(3), pg_temp.m(3))', 'then the sender sees it');
SELECT is(now.versions, before.versions, 'a repeated follow-up changes nothing')
FROM (SELECT pg_temp.versions() AS versions) before,
     LATERAL (SELECT pg_temp.change(kind, target, argument) FROM pg_temp.entries() WHERE before.versions IS NOT NULL) again,
     LATERAL (SELECT pg_temp.versions() AS versions WHERE again IS NOT NULL) now;
DELETE FROM parley.change_outbox;

-- Watermarks never decrease.
CREATE TEMP TABLE before AS SELECT pg_temp.versions() AS versions;
SELECT is(pg_temp.receipt('read', pg_temp.m(3), ann), 'done', 'the same receipt is repeated') FROM ids;
SELECT is(pg_temp.receipt('read', pg_temp.m(1), ann), 'done', 'a receipt of an older message is sent') FROM ids;
SELECT is(pg_temp.receipt('delivered', pg_temp.m(2)), 'done', 'a receipt of delivery is sent for a message that is read');
SELECT is(pg_temp.versions(), versions, 'the three receipts change no mailbox') FROM before;
SELECT is_empty('SELECT * FROM pg_temp.entries()', 'they leave no follow-up');
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(3), pg_temp.m(3), 2)', 'they change no watermark');

-- A late follow-up does not decrease the sender's watermarks.
SELECT is(pg_temp.change('peer_receipt', ann, jsonb_build_object('peerId', bob::text, 'deliveredUpTo', pg_temp.m(1)::text,
                                                                 'readUpTo', pg_temp.m(1)::text)) ->> 'status',
          'done', 'an old follow-up is executed late') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (pg_temp.m(3), pg_temp.m(3))', 'the sender''s watermarks do not change');

-- Two receipts in one change, and receipts above the last message.
SELECT is(pg_temp.change('receipt', bob, jsonb_build_object('peerId', ann::text, 'readUpTo', pg_temp.m(4)::text,
                                                            'deliveredUpTo', (pg_temp.m(5) + 1000)::text), ann) ->> 'status',
          'done', 'two receipts are written as one change') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(4), pg_temp.m(5), 1)',
                  'they raise both watermarks, at most to the last message');
SELECT is(pg_temp.receipt('read', 9223372036854775807, ann), 'done', 'a receipt has the highest possible id') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(5), pg_temp.m(5), 0)', 'it raises the watermark to the last message');
INSERT INTO sent SELECT 6, w.message_id FROM ids, test.write(test.deliver(bob, ann, 'k6', 'text', 5100, 1)) w;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(5), pg_temp.m(5), 1)', 'so the next message is unread');

-- Mailboxes without the conversation.
SELECT is(pg_temp.change('receipt', eve, jsonb_build_object('peerId', ann::text, 'readUpTo', '9')) ->> 'status',
          'conversation-not-found', 'a receipt without a conversation is refused') FROM ids;
SELECT is(pg_temp.change('receipt', test.id(1, 99), '{"peerId": "1", "readUpTo": "9"}') ->> 'status', 'no-mailbox', 'a receipt in an unknown mailbox is refused');
SELECT is(pg_temp.change('peer_receipt', eve, jsonb_build_object('peerId', ann::text, 'deliveredUpTo', '9')) ->> 'status',
          'missing', 'a follow-up has to wait for the sender''s copy') FROM ids;

-- Read receipts are turned off, first by the reader, then by the sender.
UPDATE parley.account SET read_receipts = false FROM ids WHERE user_id = bob;
SELECT is(pg_temp.receipt('read', pg_temp.m(6), ann), 'done', 'a user who hides read receipts sends one') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(6), pg_temp.m(6), 0)', 'the user''s own conversation is read');
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (pg_temp.m(5), pg_temp.m(6))', 'the sender sees the message as delivered');
UPDATE parley.account SET read_receipts = user_id = bob FROM ids;
INSERT INTO sent SELECT 7, w.message_id FROM ids, test.write(test.deliver(bob, ann, 'k7', 'text', 5200, 1)) w;
SELECT is(pg_temp.receipt('read', pg_temp.m(7), ann), 'done', 'the recipient sends a read receipt to a sender who hides read receipts') FROM ids;
SELECT results_eq('SELECT * FROM pg_temp.seen_by_peer()', 'VALUES (pg_temp.m(5), pg_temp.m(7))', 'the sender does not see it as read either');
UPDATE parley.account SET read_receipts = true;

-- A cursor tells what was delivered.
INSERT INTO sent SELECT n, w.message_id
FROM ids, generate_series(8, 10) n, LATERAL test.write(test.deliver(bob, ann, 'k' || n, 'text', 5300 + n, 1)) w;
CREATE TEMP TABLE cursors AS
SELECT n, version FROM ids, sent JOIN parley.message m ON m.message_id = sent.id WHERE m.user_id = bob AND n > 7;
CREATE FUNCTION pg_temp.present(cursor_version bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT pg_temp.change('delivered', bob, jsonb_build_object('version', cursor_version::text)) FROM ids
$$;
CREATE FUNCTION pg_temp.known() RETURNS bigint LANGUAGE sql AS $$ SELECT delivered_version FROM parley.mailbox, ids WHERE user_id = bob $$;
UPDATE before SET versions = pg_temp.versions();
SELECT is(pg_temp.present(version + 3600000000) - 'upTo', '{"status": "done"}', 'a cursor above the mailbox''s version') FROM parley.mailbox, ids WHERE user_id = bob;
SELECT is(pg_temp.versions(), versions, 'it changes nothing') FROM before;
SELECT is((pg_temp.present(version) ->> 'upTo')::bigint, version, 'a cursor between two messages') FROM cursors WHERE n = 9;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(7), pg_temp.m(9), 3)', 'it marks the messages up to it as delivered, and none as read');
SELECT is(pg_temp.known(), version, 'the mailbox remembers the cursor') FROM cursors WHERE n = 9;
SELECT results_eq('SELECT target, kind, argument FROM pg_temp.entries()',
                  $q$SELECT ann, 'peer_receipt'::text, jsonb_build_object('peerId', bob::text, 'deliveredUpTo', pg_temp.m(9)::text) FROM ids$q$,
                  'it leaves a follow-up for the sender');
UPDATE before SET versions = pg_temp.versions();
SELECT ok(pg_temp.present(version) IS NOT NULL, 'the same cursor is repeated') FROM cursors WHERE n = 9;
SELECT ok(pg_temp.present(version) IS NOT NULL, 'an older cursor is given') FROM cursors WHERE n = 8;
SELECT is(pg_temp.versions(), versions, 'neither changes a mailbox') FROM before;
SELECT is(pg_temp.known(), version, 'the remembered cursor does not decrease') FROM cursors WHERE n = 9;
CREATE TEMP TABLE answered AS
SELECT pg_temp.present(version) AS answer FROM (SELECT version FROM parley.mailbox, ids WHERE user_id = bob) m;
SELECT results_eq('SELECT * FROM pg_temp.own()', 'VALUES (pg_temp.m(7), pg_temp.m(10), 3)', 'a cursor at the mailbox''s version marks all messages as delivered');
SELECT is(pg_temp.versions(), versions, 'the mailbox''s version does not change') FROM before;
SELECT is((answer ->> 'upTo')::bigint, version, 'the answer names the version up to which all is delivered') FROM answered, parley.mailbox, ids WHERE user_id = bob;
DELETE FROM parley.change_outbox;
INSERT INTO sent SELECT 11, w.message_id FROM ids, test.write(test.deliver(bob, ann, 'k11', 'text', 5400, 1)) w;
SELECT ok(pg_temp.receipt('delivered', pg_temp.m(11), ann) = 'done', 'a message is marked as delivered by a receipt') FROM ids;
UPDATE before SET versions = pg_temp.versions();
SELECT ok(pg_temp.present(version) IS NOT NULL, 'then a cursor says the same') FROM parley.mailbox, ids WHERE user_id = bob;
SELECT is(pg_temp.versions(), versions, 'the cursor changes no mailbox') FROM before;
SELECT is(pg_temp.known(), version, 'the mailbox remembers the cursor') FROM parley.mailbox, ids WHERE user_id = bob;

-- Cursors are written in slices.
SELECT test.user(0, n) FROM generate_series(10, 12) n;
SELECT count(w.message_id) FROM ids, generate_series(1, 250) n,
    LATERAL test.write(test.deliver(bob, test.id(0, 10 + n % 3), 's' || n, 'text', 6000 + n)) w;
CREATE TEMP TABLE target AS SELECT version FROM parley.mailbox, ids WHERE user_id = bob;
SELECT is((pg_temp.present(version) ->> 'rest')::bigint, version, 'the first slice of many conversations does not finish') FROM target;
SELECT ok(pg_temp.known() < version, 'the remembered cursor is that of the first slice') FROM target;
SELECT is((pg_temp.present(version) ->> 'rest')::bigint, version, 'the second slice does not finish') FROM target;
SELECT ok(NOT pg_temp.present(version) ? 'rest', 'the last slice finishes') FROM target;
SELECT is_empty('SELECT FROM parley.conversation c, ids WHERE c.user_id = bob AND c.delivered_up_to <> c.last_message_id',
                'all conversations are delivered');
SELECT is((SELECT count(*)::integer FROM pg_temp.entries()), 9, 'each slice leaves one follow-up for each sender');

-- Deleted messages and a cleared conversation.
INSERT INTO sent SELECT n, w.message_id
FROM ids, generate_series(12, 19) n, LATERAL test.write(test.deliver(bob, ann, 'k' || n, 'text', 7000 + n, 1)) w;
SELECT is(pg_temp.change('deletion', bob, jsonb_build_object('peerId', ann::text, 'messageId', pg_temp.m(n)::text, 'timestamp', 1)) ->> 'status',
          'done', 'a message is deleted') FROM ids, unnest(ARRAY[13, 15]) n;
SELECT is(unread, 10, 'a deleted message does not count as unread') FROM pg_temp.own();
SELECT is(pg_temp.receipt('read', pg_temp.m(14)), 'done', 'a receipt covers a deleted message');
SELECT is(unread, 4, 'the deleted message is subtracted only once') FROM pg_temp.own();
SELECT ok(pg_temp.is_counted(), 'the unread count equals a recount');
UPDATE parley.conversation SET cleared_up_to = pg_temp.m(17), unread_count = 2 FROM ids WHERE user_id = bob AND peer_id = ann;
SELECT ok(pg_temp.is_counted(), 'cleared messages do not count as unread');
SELECT is(pg_temp.receipt('read', pg_temp.m(16)), 'done', 'a receipt covers cleared messages');
SELECT is(unread, 2, 'cleared messages are not subtracted again') FROM pg_temp.own();
SELECT is(pg_temp.receipt('read', pg_temp.m(18)), 'done', 'a receipt covers messages after the cleared ones');
SELECT is(unread, 1, 'only messages above the cleared ones are subtracted') FROM pg_temp.own();
SELECT ok(pg_temp.is_counted(), 'the unread count equals a recount');

-- The functions of `parleyctl doctor --unread`.
UPDATE parley.conversation SET unread_count = 7 FROM ids WHERE user_id = bob AND peer_id = ann;
SELECT results_eq('SELECT w.* FROM ids, shard_0001.wrong_unread_counts(0, bob) w', 'SELECT bob, ann, 7, 1 FROM ids', 'a wrong unread count is found');
UPDATE before SET versions = pg_temp.versions();
SELECT is(shard_0001.repair_unread_counts(bob), 1, 'a wrong unread count is repaired') FROM ids;
SELECT ok(pg_temp.is_counted(), 'the repaired count equals a recount');
SELECT ok(pg_temp.versions() <> versions, 'the repair raises the mailbox''s version') FROM before;
SELECT is(c.version, m.version, 'the conversation has the new version')
FROM ids, parley.conversation c JOIN parley.mailbox m USING (user_id) WHERE c.user_id = bob AND c.peer_id = ann;
SELECT is(shard_0001.repair_unread_counts(bob), 0, 'a second repair changes nothing') FROM ids;
UPDATE parley.conversation SET unread_count = 7 FROM ids WHERE user_id = bob AND peer_id = ann;
UPDATE parley.mailbox SET erased_timestamp = 1 FROM ids WHERE user_id = bob;
SELECT is_empty('SELECT FROM ids, shard_0001.wrong_unread_counts(0, bob)', 'an erased user''s unread counts are not checked');

-- Reading all conversations up to a cursor, in slices.
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
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (150, 300::bigint, false)', 'all conversations are unread');
SELECT test.write(test.deliver(reader.id, test.id(3, 150), 'late', 'text', 90000, 2)) FROM reader \g /dev/null
DELETE FROM parley.change_outbox;
SELECT is((a ->> 'after') || ' ' || (a ->> 'upTo'), test.id(3, 100) || ' ' || version, 'a slice has 100 conversations')
FROM cursor, pg_temp.read_all(version, 0) a;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (50, 101::bigint, false)', 'the conversations of the slice are read');
SELECT results_eq('SELECT count(*), count(DISTINCT target) FROM pg_temp.entries() WHERE kind = ''peer_receipt''', 'VALUES (100::bigint, 100::bigint)',
                  'there is a follow-up for each of their senders');
SELECT results_eq('SELECT count(DISTINCT c.version), max(c.version) FROM reader, parley.conversation c WHERE c.user_id = id AND c.read_up_to > 0',
                  'SELECT 100::bigint, m.version FROM reader, parley.mailbox m WHERE m.user_id = id', 'each conversation has a version of its own');
SELECT is(pg_temp.read_all(version, test.id(3, 100)) ? 'after', false, 'the second slice is the last') FROM cursor;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (1, 1::bigint, false)', 'a message above the cursor stays unread');
SELECT is_empty('SELECT w.* FROM reader, shard_0002.wrong_unread_counts(0, id) w', 'the unread counts equal a recount');
SELECT is(pg_temp.read_all(version, 0), '{"status": "done"}', 'a repeated call changes nothing') FROM cursor;
UPDATE parley.conversation c SET marked_unread = true FROM reader WHERE c.user_id = id AND c.peer_id IN (test.id(3, 1), test.id(3, 150));
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (2, 1::bigint, false)', 'a conversation that the user has marked as unread counts');
DELETE FROM parley.change_outbox;
SELECT is(pg_temp.read_all(version, 0) ->> 'status', 'done', 'all is read up to the same cursor again') FROM cursor;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (1, 1::bigint, false)', 'this removes the marks');
SELECT is_empty('SELECT * FROM pg_temp.entries()', 'it leaves no follow-up');
SELECT is(pg_temp.read_all(9223372036854775807, 0) ->> 'status', 'done', 'a cursor above the mailbox''s version') FROM cursor;
SELECT results_eq('SELECT * FROM pg_temp.totals()', 'VALUES (0, 0::bigint, false)', 'it counts as the mailbox''s version');
SELECT is_empty('SELECT * FROM shard_0002.fetch_unread(ARRAY[7::bigint])', 'an unknown user has no totals');

SELECT finish();
ROLLBACK;
