-- parley.write_messages: what one batch stores, answers and refuses.
SET search_path = tap;
BEGIN;
SELECT plan(65);

SELECT test.user(0, n) FROM generate_series(1, 9) n \g /dev/null
SELECT test.user(1, n) FROM generate_series(1, 9) n \g /dev/null
\set a 'test.id(0, 1)'
\set b 'test.id(0, 2)'
\set c 'test.id(1, 1)'
\set d 'test.id(1, 2)'

-- One first-written copy, alone.
CREATE TEMP TABLE r AS SELECT * FROM test.write(test.deliver(:a, :c, 'k1', 'hello', 5000));
SELECT is(status::int, 0, 'a new message is stored') FROM r;
SELECT is(message_id, 10001::bigint, 'its id is the time received, twice, plus 1: the sender is the higher user') FROM r;
SELECT is(mailbox_previous, 1000::bigint, 'mailbox_previous is the version before') FROM r;
SELECT is(mailbox_version, version, 'the only row has the mailbox''s version') FROM r;
SELECT ok(version BETWEEN extract(epoch FROM clock_timestamp() - interval '1 min') * 1000000
                      AND extract(epoch FROM clock_timestamp()) * 1000000, 'which is the clock, in microseconds') FROM r;
SELECT is(unread_count, 1, 'one is unread') FROM r;
SELECT is((copy_version, copy_mailbox_previous, copy_mailbox_version, copy_unread_count)::text, '(,,,)',
          'copy mode 0 has no copy') FROM r;
SELECT results_eq(
    format('SELECT peer_id, message_id, sender_id, client_message_id, content FROM shard_0000.message WHERE user_id = %s', :a),
    format('SELECT %s, 10001::bigint, %1$s, ''k1'', ''hello''', :c), 'the row is in the recipient''s leaf');
SELECT is_empty('SELECT FROM shard_0001.message', 'and nothing at the sender''s');
SELECT is_empty('SELECT FROM parley.outbox', 'copy mode 0 owes nothing');
SELECT results_eq(
    format('SELECT peer_id, last_message_id, snippet, unread_count, read_up_to, delivered_up_to, version FROM shard_0000.conversation WHERE user_id = %s', :a),
    format('SELECT %s, 10001::bigint, ''hello'', 1, 0::bigint, 0::bigint, version FROM r', :c), 'its conversation is there');
SELECT is((SELECT version FROM shard_0000.mailbox WHERE user_id = :a), (SELECT version FROM r), 'and the mailbox''s version');

-- The same again, and the key with other content.
CREATE TEMP TABLE before AS SELECT test.everything() AS t;
CREATE TEMP TABLE r2 AS SELECT * FROM test.write(test.deliver(:a, :c, 'k1', 'hello', 9000, 2));
SELECT is(status::int, 1, 'a retry is a duplicate') FROM r2;
SELECT is((r2.message_id, r2.version), (r.message_id, r.version), 'with the first one''s id and version') FROM r, r2;
SELECT is((r2.mailbox_previous, r2.mailbox_version), (r.version, r.version), 'the version does not move') FROM r, r2;
SELECT is(unread_count, NULL, 'no conversation was touched') FROM r2;
SELECT is(test.everything(), (SELECT t FROM before), 'a retry changes nothing');
CREATE TEMP TABLE r3 AS SELECT * FROM test.write(test.deliver(:a, :c, 'k1', 'other', 9000, 2));
SELECT is(status::int, 2, 'the key with other content is refused') FROM r3;
SELECT is(message_id, 10001::bigint, 'it names the message that has the key') FROM r3;
SELECT is(test.everything(), (SELECT t FROM before), 'and it changes nothing');
SELECT is((SELECT status::int FROM test.write(test.deliver(:a, :b, 'k1', 'other', 9000))), 0,
          'the key of another sender is another message');
SELECT is((SELECT status::int FROM test.write(test.deliver(:b, :c, 'k1', 'other', 9000))), 0,
          'the key in another conversation is another message');

-- Order within a batch and against what the mailbox holds.
CREATE TEMP TABLE r4 AS
    SELECT * FROM test.write(test.deliver(:d, :a, 'o1', 'one', 7000), test.deliver(:d, :a, 'o2', 'two', 6000),
                             test.deliver(:d, :b, 'o3', 'three', 6500), test.deliver(:d, :a, 'o4', 'four', 8000));
SELECT is(array_agg(op ORDER BY op), '{1,2,3,4}', 'one row per operation') FROM r4;
SELECT is(array_agg(message_id ORDER BY op), '{14000,14002,14004,16000}',
          'ids rise with the operations, be their times as they may; the lower user''s are even') FROM r4;
SELECT is(array_agg(version - mailbox_version ORDER BY op), '{-3,-2,-1,0}', 'versions are the last n, in their order') FROM r4;
SELECT is(array_agg(DISTINCT mailbox_previous), '{1000}', 'one mailbox, one version before') FROM r4;
SELECT is(array_agg(unread_count ORDER BY op), '{3,3,1,3}', 'unread counts are the conversation''s after the batch') FROM r4;
SELECT is((SELECT snippet FROM shard_0001.conversation WHERE user_id = :d AND peer_id = :a), 'four',
          'the snippet is the newest message''s');
CREATE TEMP TABLE r5 AS SELECT * FROM test.write(test.deliver(:d, :a, 'o5', 'five', 9000));
SELECT is(message_id, ((SELECT max(mailbox_version) FROM r4) + 1) * 2,
          'a time at or below the mailbox''s version is taken to just above it') FROM r5;
SELECT ok(mailbox_version >= message_id >> 1, 'the version is not below it') FROM r5;
CREATE TEMP TABLE ahead AS SELECT (extract(epoch FROM clock_timestamp())::bigint + 3600) * 1000000 AS t;
CREATE TEMP TABLE r6 AS
    SELECT w.* FROM ahead, test.write(test.deliver(:d, :a, 'o6', 'six', t), test.deliver(:d, :a, 'o7', 'seven', 1)) w;
SELECT is(array_agg(message_id - t * 2 ORDER BY op), '{0,2}', 'a time from a clock ahead is kept') FROM r6, ahead;
SELECT is(array_agg(version - t ORDER BY op), '{0,1}', 'the version goes along') FROM r6, ahead;
SELECT is((SELECT (status, version - t, message_id - t * 2)::text FROM ahead, test.write(test.deliver(:d, :a, 'o8', 'eight', 1))),
          '(0,2,4)', 'and goes on from there');

-- Duplicates within one batch.
SELECT is((SELECT array_agg((status, message_id = min_id)::text ORDER BY op)
           FROM (SELECT w.*, min(message_id) OVER () AS min_id
                 FROM test.write(test.deliver(:b, :d, 'x', 'same'), test.deliver(:b, :d, 'x', 'same'),
                                 test.deliver(:b, :d, 'x', 'other'), test.deliver(:b, :d, 'y', 'new')) w) w),
          ARRAY['(0,t)', '(1,t)', '(2,t)', '(0,f)'], 'within a batch the first with a key counts');
SELECT is((SELECT count(*) FROM parley.message WHERE user_id = :b AND peer_id = :d), 2::bigint, 'one row each');
SELECT is((SELECT unread_count FROM parley.conversation WHERE user_id = :b AND peer_id = :d), 2, 'one unread each');

-- Copy mode 2 owes, and the sender's copy pays.
CREATE TEMP TABLE r7 AS SELECT * FROM test.write(test.deliver(test.id(0, 3), :c, 'm2', 'owed', 5000, 2));
SELECT results_eq('SELECT recipient_id, sender_id, message_id FROM parley.outbox',
                  format('SELECT %s::bigint, %s::bigint, message_id FROM r7', test.id(0, 3), :c), 'copy mode 2 inserts an outbox row');
SELECT test.write(test.deliver(test.id(0, 3), :c, 'm2', 'owed', 5000, 2)) \g /dev/null
SELECT is((SELECT count(*) FROM parley.outbox), 1::bigint, 'a retry does not');
CREATE TEMP TABLE r8 AS SELECT w.* FROM r7, test.write(test.copy(:c, test.id(0, 3), r7.message_id, 'm2', 'owed')) w;
SELECT is((r8.status::int, r8.message_id), (0, r7.message_id), 'the sender''s copy has the same id') FROM r7, r8;
SELECT is((SELECT (user_id, peer_id, sender_id, client_message_id, content)::text FROM shard_0001.message WHERE user_id = :c),
          (:c, test.id(0, 3), :c, 'm2', 'owed')::text, 'it is in the sender''s leaf');
SELECT is(unread_count, 0, 'one''s own message is not unread') FROM r8;
DELETE FROM before; INSERT INTO before SELECT test.everything();
CREATE TEMP TABLE r9 AS SELECT w.* FROM r7, test.write(test.copy(:c, test.id(0, 3), r7.message_id, 'm2', 'owed')) w;
SELECT is((r9.status::int, r9.message_id, r9.version, r9.mailbox_version), (1, r8.message_id, NULL::bigint, r8.mailbox_version),
          'again it is a duplicate') FROM r8, r9;
SELECT is(test.everything(), (SELECT t FROM before), 'which changes nothing');
SELECT is((SELECT array_agg(status::int ORDER BY op) FROM test.write(test.copy(:c, :a, 20, 'p'), test.copy(:c, :a, 20, 'p'))), '{0,1}',
          'a copy twice in a batch is stored once');
SELECT is((SELECT count(*) FROM parley.message WHERE user_id = :c AND peer_id = :a), 1::bigint, 'once indeed');
CREATE TEMP TABLE r10 AS SELECT w.* FROM ahead, test.write(test.copy(:c, :a, (t + 50) * 2, 'q')) w;
SELECT is(mailbox_version, t + 50, 'a copy from a clock ahead takes the mailbox along') FROM r10, ahead;
SELECT is((SELECT last_message_id FROM parley.conversation WHERE user_id = :c AND peer_id = :a), (SELECT message_id FROM r10),
          'the newest is last');
SELECT test.write(test.copy(:c, :a, 18, 'late', 'late')) \g /dev/null
SELECT is((SELECT (last_message_id, snippet)::text FROM parley.conversation WHERE user_id = :c AND peer_id = :a),
          (SELECT (message_id, 'text')::text FROM r10), 'a late copy of an old message does not become the last');

-- Copy mode 1: both mailboxes are of one shard.
CREATE TEMP TABLE r11 AS SELECT * FROM test.write(test.deliver(test.id(0, 4), test.id(0, 5), 's', 'both', 5000, 1));
SELECT is((SELECT array_agg((user_id, message_id)::text ORDER BY user_id) FROM shard_0000.message WHERE client_message_id = 's'),
          (SELECT ARRAY[(test.id(0, 4), message_id)::text, (test.id(0, 5), message_id)::text] FROM r11),
          'copy mode 1 stores both copies with one id');
SELECT is((copy_version, copy_mailbox_previous, copy_unread_count), (copy_mailbox_version, 1000::bigint, 0),
          'and tells of the sender''s') FROM r11;
SELECT is((SELECT version FROM parley.mailbox WHERE user_id = test.id(0, 5)), (SELECT copy_mailbox_version FROM r11),
          'whose mailbox has that version');
SELECT is((SELECT count(*) FROM parley.outbox), 1::bigint, 'nothing is owed');
DELETE FROM before; INSERT INTO before SELECT test.everything();
SELECT is((SELECT (status, copy_version)::text FROM test.write(test.deliver(test.id(0, 4), test.id(0, 5), 's', 'both', 5000, 1))),
          '(1,)', 'a retry is a duplicate without a copy');
SELECT is((SELECT (status, copy_version)::text FROM test.write(test.deliver(test.id(0, 4), test.id(0, 5), 's', 'not', 5000, 1))),
          '(2,)', 'other content is refused');
SELECT is(test.everything(), (SELECT t FROM before), 'neither changes either mailbox');
CREATE TEMP TABLE r12 AS
    SELECT * FROM test.write(test.deliver(test.id(0, 6), test.id(0, 7), '1', 'ping', 5000, 1),
                             test.deliver(test.id(0, 7), test.id(0, 6), '1', 'pong', 5001, 1));
SELECT is(array_agg((status, unread_count, copy_unread_count)::text ORDER BY op), ARRAY['(0,1,1)', '(0,1,1)'],
          'a batch with both directions counts each mailbox''s conversation once') FROM r12;
SELECT is((SELECT count(*) FROM shard_0000.message WHERE user_id IN (test.id(0, 6), test.id(0, 7))), 4::bigint,
          'and has four rows');
UPDATE shard_0000.mailbox SET version = (SELECT t FROM ahead) WHERE user_id = test.id(0, 8);
CREATE TEMP TABLE r13 AS SELECT * FROM test.write(test.deliver(test.id(0, 8), test.id(0, 9), 'f', 'future', 5000, 1));
SELECT is(message_id >> 1, t + 1, 'the id is above the recipient''s version, which is ahead') FROM r13, ahead;
SELECT is((SELECT version FROM parley.mailbox WHERE user_id = test.id(0, 9)), message_id >> 1,
          'so the sender''s mailbox is taken up to the time of what it now holds') FROM r13;
SELECT is(copy_mailbox_version, message_id >> 1, 'and the answer says so') FROM r13;

-- A large message, and what no server sends.
SELECT is((SELECT status::int FROM test.write(test.deliver(:a, :d, 'big', repeat('ü', 32767)))), 0, '65,534 bytes are stored');
SELECT is((SELECT snippet FROM parley.conversation WHERE user_id = :a AND peer_id = :d), repeat('ü', 100),
          'a snippet is 100 characters');
SELECT is((SELECT count(*) FROM parley.write_messages('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')), 0::bigint,
          'an empty batch has an empty answer');
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 1), test.id(1, 1), 'n', NULL))$$, '23502');

SELECT is_empty('SELECT * FROM test.broken_rules() WHERE broken_rules NOT LIKE ''direction bit%''', 'the rules hold');
SELECT * FROM finish();
ROLLBACK;
