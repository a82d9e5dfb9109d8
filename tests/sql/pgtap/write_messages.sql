-- parley.write_messages: what one batch stores, answers and refuses.
SET search_path = tap;
BEGIN;
SELECT plan(115);

SELECT test.user(0, n) FROM generate_series(1, 9) n \g /dev/null
SELECT test.user(1, n) FROM generate_series(1, 9) n \g /dev/null
\set a 'test.id(0, 1)'
\set b 'test.id(0, 2)'
\set c 'test.id(1, 1)'
\set d 'test.id(1, 2)'

-- One primary copy.
CREATE TEMP TABLE r AS SELECT * FROM test.write(test.deliver(:a, :c, 'k1', 'hello', 5000));
SELECT is(status::int, 0, 'a new message is stored') FROM r;
SELECT is(message_id, 10001::bigint, 'its id is twice the time of receipt, plus 1 because the sender is the higher user') FROM r;
SELECT is(mailbox_previous, 1000::bigint, 'mailbox_previous is the mailbox''s previous version') FROM r;
SELECT is(mailbox_version, version, 'the only row has the mailbox''s version') FROM r;
SELECT ok(version BETWEEN extract(epoch FROM clock_timestamp() - interval '1 min') * 1000000
                      AND extract(epoch FROM clock_timestamp()) * 1000000, 'the version is the clock in microseconds') FROM r;
SELECT is(unread_count, 1, 'one message is unread') FROM r;
SELECT is((copy_version, copy_mailbox_previous, copy_mailbox_version, copy_unread_count)::text, '(,,,)',
          'copy mode 0 writes no copy') FROM r;
SELECT results_eq(
    format('SELECT peer_id, message_id, sender_id, client_message_id, content FROM shard_0000.message WHERE user_id = %s', :a),
    format('SELECT %s, 10001::bigint, %1$s, ''k1'' COLLATE "C", ''hello''', :c), 'the row is in the recipient''s leaf');
SELECT is_empty('SELECT FROM shard_0001.message', 'there is no row in the sender''s leaf');
SELECT is_empty('SELECT FROM parley.outbox', 'copy mode 0 leaves no outbox entry');
SELECT results_eq(
    format('SELECT peer_id, last_message_id, unread_count, read_up_to, delivered_up_to, version FROM shard_0000.conversation WHERE user_id = %s', :a),
    format('SELECT %s, 10001::bigint, 1, 0::bigint, 0::bigint, version FROM r', :c), 'the conversation exists');
SELECT is((SELECT (newest_period, changed_period)::text FROM shard_0000.conversation WHERE user_id = :a),
          (SELECT (10001 >> 28, version >> 27)::text FROM r), 'the conversation has the periods of its last message and of its version');
SELECT is((SELECT version FROM shard_0000.mailbox WHERE user_id = :a), (SELECT version FROM r), 'the mailbox has the version of the answer');

-- The same message again, and the same key with other content.
CREATE TEMP TABLE before AS SELECT test.everything() AS t;
CREATE TEMP TABLE r2 AS SELECT * FROM test.write(test.deliver(:a, :c, 'k1', 'hello', 9000, 2));
SELECT is(status::int, 1, 'a retry is a duplicate') FROM r2;
SELECT is((r2.message_id, r2.version), (r.message_id, r.version), 'a retry gets the id and the version of the first result') FROM r, r2;
SELECT is((r2.mailbox_previous, r2.mailbox_version), (r.version, r.version), 'a retry does not change the mailbox''s version') FROM r, r2;
SELECT is(unread_count, NULL, 'a retry changes no conversation') FROM r2;
SELECT is(test.everything(), (SELECT t FROM before), 'a retry changes nothing');
CREATE TEMP TABLE r3 AS SELECT * FROM test.write(test.deliver(:a, :c, 'k1', 'other', 9000, 2));
SELECT is(status::int, 2, 'the same key with other content is refused') FROM r3;
SELECT is(message_id, 10001::bigint, 'the refusal names the message that has the key') FROM r3;
SELECT is(test.everything(), (SELECT t FROM before), 'the refusal changes nothing');
SELECT is((SELECT status::int FROM test.write(test.deliver(:a, :b, 'k1', 'other', 9000))), 0,
          'the same key of another sender is another message');
SELECT is((SELECT status::int FROM test.write(test.deliver(:b, :c, 'k1', 'other', 9000))), 0,
          'the same key in another conversation is another message');

-- Order in a batch, and relative to what the mailbox holds.
CREATE TEMP TABLE r4 AS
    SELECT * FROM test.write(test.deliver(:d, :a, 'o1', 'one', 7000), test.deliver(:d, :a, 'o2', 'two', 6000),
                             test.deliver(:d, :b, 'o3', 'three', 6500), test.deliver(:d, :a, 'o4', 'four', 8000));
SELECT is(array_agg(op ORDER BY op), '{1,2,3,4}', 'there is one row for each operation') FROM r4;
SELECT is(array_agg(message_id ORDER BY op), '{14000,14002,14004,16000}',
          'ids increase with the operations, whatever their times are; those of the lower user are even') FROM r4;
SELECT is(array_agg(version - mailbox_version ORDER BY op), '{-3,-2,-1,0}', 'versions are consecutive, in the order of the operations') FROM r4;
SELECT is(array_agg(DISTINCT mailbox_previous), '{1000}', 'all rows of one mailbox have the same previous version') FROM r4;
SELECT is(array_agg(unread_count ORDER BY op), '{3,3,1,3}', 'unread counts are those of the conversation after the batch') FROM r4;
SELECT is((SELECT last_message_id FROM shard_0001.conversation WHERE user_id = :d AND peer_id = :a), 16000::bigint,
          'the newest message is the last one of the conversation');
SELECT is((SELECT snippet FROM test.fetch_conversations(:d, 9, 0, 0) WHERE peer_id = :a), 'four',
          'the snippet is that of the newest message');
CREATE TEMP TABLE r5 AS SELECT * FROM test.write(test.deliver(:d, :a, 'o5', 'five', 9000));
SELECT is(message_id, ((SELECT max(mailbox_version) FROM r4) + 1) * 2,
          'a time at or below the mailbox''s version is raised to just above it') FROM r5;
SELECT ok(mailbox_version >= message_id >> 1, 'the version is not below the time of the message') FROM r5;
CREATE TEMP TABLE ahead AS SELECT (extract(epoch FROM clock_timestamp())::bigint + 3600) * 1000000 AS t;
CREATE TEMP TABLE r6 AS
    SELECT w.* FROM ahead, test.write(test.deliver(:d, :a, 'o6', 'six', t), test.deliver(:d, :a, 'o7', 'seven', 1)) w;
SELECT is(array_agg(message_id - t * 2 ORDER BY op), '{0,2}', 'a time above the clock is kept') FROM r6, ahead;
SELECT is(array_agg(version - t ORDER BY op), '{1,2}', 'the version is above that time too') FROM r6, ahead;
SELECT is((SELECT (status, version - t, message_id - t * 2)::text FROM ahead, test.write(test.deliver(:d, :a, 'o8', 'eight', 1))),
          '(0,3,6)', 'the next versions continue from there');

-- A key that is twice in one batch is a fault of the caller. Nothing of the batch is stored.
DELETE FROM before; INSERT INTO before SELECT test.everything();
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 2), test.id(1, 2), 'x', 'same'), test.deliver(test.id(0, 2), test.id(1, 2), 'y', 'new'),
                                     test.deliver(test.id(0, 2), test.id(1, 2), 'x', 'same'))$$,
                 '21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time', 'a key that is twice in a batch is an error');
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 2), test.id(1, 2), 'x', 'same'),
                                     test.deliver(test.id(0, 2), test.id(1, 2), 'x', 'other'))$$,
                 '21000', NULL, 'also with different contents');
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 1), test.id(1, 1), 'k1', 'hello'),
                                     test.deliver(test.id(0, 1), test.id(1, 1), 'k1', 'hello'))$$,
                 '21000', NULL, 'also if the message is already stored');
SELECT is(test.everything(), (SELECT t FROM before), 'the error changes nothing');

-- Retries and new messages in one batch.
SELECT test.write(test.deliver(:b, :d, 'x', 'same', 5000)) \g /dev/null
CREATE TEMP TABLE r20 AS
    SELECT * FROM test.write(test.deliver(:b, :d, 'y', 'new', 5000), test.deliver(:b, :d, 'x', 'same', 5001),
                             test.deliver(:b, :a, 'x', 'new', 5002), test.deliver(:b, :d, 'z', 'newer', 5003));
SELECT is(array_agg(status::int ORDER BY op), '{0,1,0,0}', 'new messages are stored, whatever else is in the batch') FROM r20;
SELECT is(array_agg(version - mailbox_version ORDER BY op) FILTER (WHERE op <> 2), '{-3,-1,0}', 'they have the right versions') FROM r20;
SELECT is(version, mailbox_previous, 'a stored message keeps its version') FROM r20 WHERE op = 2;
SELECT is((SELECT array_agg((client_message_id, content)::text ORDER BY message_id) FROM parley.message WHERE user_id = :b AND peer_id = :d),
          ARRAY['(x,same)', '(y,new)', '(z,newer)'], 'there is one row for each key, in order');
SELECT is((SELECT unread_count FROM parley.conversation WHERE user_id = :b AND peer_id = :d), 3, 'each new message is unread');
SELECT is((SELECT array_agg(status::int ORDER BY op) FROM test.write(test.deliver(:b, :d, 'x', 'other'), test.deliver(:b, :d, 'y', 'new'),
                                                                      test.deliver(:b, :d, 'u', 'newest'), test.deliver(:b, :a, 'x', 'old'))),
          '{2,1,0,2}', 'each operation is compared with its own content');
SELECT is((SELECT unread_count FROM parley.conversation WHERE user_id = :b AND peer_id = :d), 4, 'only the new message is unread');

-- Copy mode 2 leaves an outbox entry; the sender's copy is stored later.
CREATE TEMP TABLE r7 AS SELECT * FROM test.write(test.deliver(test.id(0, 3), :c, 'm2', 'pending', 5000, 2));
SELECT results_eq('SELECT recipient_id, sender_id, message_id FROM parley.outbox',
                  format('SELECT %s::bigint, %s::bigint, message_id FROM r7', test.id(0, 3), :c), 'copy mode 2 leaves an outbox entry');
SELECT test.write(test.deliver(test.id(0, 3), :c, 'm2', 'pending', 5000, 2)) \g /dev/null
SELECT is((SELECT count(*) FROM parley.outbox), 1::bigint, 'a retry leaves no outbox entry');
CREATE TEMP TABLE r8 AS SELECT w.* FROM r7, test.write(test.copy(:c, test.id(0, 3), r7.message_id, 'm2', 'pending')) w;
SELECT is((r8.status::int, r8.message_id), (0, r7.message_id), 'the sender''s copy has the same id') FROM r7, r8;
SELECT is((SELECT (user_id, peer_id, sender_id, client_message_id, content)::text FROM shard_0001.message WHERE user_id = :c),
          (:c, test.id(0, 3), :c, 'm2', 'pending')::text, 'the copy is in the sender''s leaf');
SELECT is(unread_count, 0, 'a message of the user is not unread') FROM r8;
DELETE FROM before; INSERT INTO before SELECT test.everything();
CREATE TEMP TABLE r9 AS SELECT w.* FROM r7, test.write(test.copy(:c, test.id(0, 3), r7.message_id, 'm2', 'pending')) w;
SELECT is((r9.status::int, r9.message_id, r9.version, r9.mailbox_version), (1, r8.message_id, NULL::bigint, r8.mailbox_version),
          'a repeated copy is a duplicate') FROM r8, r9;
SELECT is(test.everything(), (SELECT t FROM before), 'it changes nothing');
SELECT is((SELECT array_agg(status::int ORDER BY op) FROM test.write(test.copy(:c, :a, 20, 'p'), test.copy(:c, :a, 20, 'p'))), '{0,1}',
          'a copy that is twice in a batch is stored once');
SELECT is((SELECT count(*) FROM parley.message WHERE user_id = :c AND peer_id = :a), 1::bigint, 'there is one row');
CREATE TEMP TABLE r10 AS SELECT w.* FROM ahead, test.write(test.copy(:c, :a, (t + 50) * 2, 'q')) w;
SELECT is(mailbox_version, t + 50, 'a copy with a time above the clock raises the mailbox''s version to it') FROM r10, ahead;
SELECT is((SELECT last_message_id FROM parley.conversation WHERE user_id = :c AND peer_id = :a), (SELECT message_id FROM r10),
          'the newest message is the last one of the conversation');
SELECT test.write(test.copy(:c, :a, 18, 'late', 'late')) \g /dev/null
SELECT is((SELECT (last_message_id, snippet)::text FROM test.fetch_conversations(:c, 9, 0, 0) WHERE peer_id = :a),
          (SELECT (message_id, 'text')::text FROM r10), 'a late copy of an old message does not become the last');
SELECT is((SELECT newest_period FROM parley.conversation WHERE user_id = :c AND peer_id = :a), (SELECT (message_id >> 28)::int FROM r10),
          'the period of the conversation does not decrease');
CREATE TEMP TABLE r21 AS
    SELECT w.* FROM ahead, test.write(test.copy(:c, test.id(0, 4), 30, 'i'), test.copy(:c, :a, 20, 'p'), test.copy(:d, :a, (t + 100) * 2, 'j'),
                                      test.copy(test.id(1, 3), :a, 32, 'k'), test.copy(:c, test.id(0, 4), 34, 'l')) w;
SELECT is(array_agg(status::int ORDER BY op), '{0,1,0,0,0}', 'new and old copies in one batch') FROM r21;
SELECT is(array_agg(version - mailbox_version ORDER BY op), '{-2,NULL,NULL,0,0}', 'new copies have the right versions')
FROM (SELECT op, CASE WHEN op <> 3 THEN version END AS version, mailbox_version FROM r21) r21;
SELECT is((SELECT mailbox_version - t FROM r21, ahead WHERE op = 3), 100::bigint,
          'a copy with a time above the clock raises its mailbox''s version');
SELECT ok((SELECT mailbox_version < t FROM r21, ahead WHERE op = 4), 'other mailboxes do not get that version');
SELECT is((SELECT array_agg(DISTINCT mailbox_version ORDER BY mailbox_version) FROM r21),
          (SELECT array_agg(version ORDER BY version) FROM parley.mailbox WHERE user_id IN (:c, :d, test.id(1, 3))), 'the mailboxes have the versions of the answer');
SELECT is((SELECT array_agg(status::int ORDER BY op)
           FROM test.write(test.copy(test.id(1, 3), :a, 32, 'k'), test.copy(test.id(1, 4), :a, 36, 'k'))), '{1,0}',
          'an old copy is not confused with a new one of another mailbox that has the same version');

-- Copy mode 1: both mailboxes are in one database.
CREATE TEMP TABLE r11 AS SELECT * FROM test.write(test.deliver(test.id(0, 4), test.id(0, 5), 's', 'both', 5000, 1));
SELECT is((SELECT array_agg((user_id, message_id)::text ORDER BY user_id) FROM shard_0000.message WHERE client_message_id = 's'),
          (SELECT ARRAY[(test.id(0, 4), message_id)::text, (test.id(0, 5), message_id)::text] FROM r11),
          'copy mode 1 stores both copies with one id');
SELECT is((copy_version, copy_mailbox_previous, copy_unread_count), (copy_mailbox_version, 1000::bigint, 0),
          'the answer has the version of the sender''s copy') FROM r11;
SELECT is((SELECT version FROM parley.mailbox WHERE user_id = test.id(0, 5)), (SELECT copy_mailbox_version FROM r11),
          'the sender''s mailbox has that version');
SELECT is((SELECT count(*) FROM parley.outbox), 1::bigint, 'there is no new outbox entry');
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
          'in a batch with both directions, each mailbox''s conversation has the right unread count') FROM r12;
SELECT is((SELECT count(*) FROM shard_0000.message WHERE user_id IN (test.id(0, 6), test.id(0, 7))), 4::bigint,
          'there are four rows');
UPDATE shard_0000.mailbox SET version = (SELECT t FROM ahead) WHERE user_id = test.id(0, 8);
CREATE TEMP TABLE r13 AS SELECT * FROM test.write(test.deliver(test.id(0, 8), test.id(0, 9), 'f', 'future', 5000, 1));
SELECT is(message_id >> 1, t + 1, 'the id is above the recipient''s version, which is above the clock') FROM r13, ahead;
SELECT is((SELECT version FROM parley.mailbox WHERE user_id = test.id(0, 9)), message_id >> 1,
          'the sender''s mailbox has at least the time of the message') FROM r13;
SELECT is(copy_mailbox_version, message_id >> 1, 'the answer has that version') FROM r13;

-- The same with two shards of one database: the copy is in the sender's shard, and it is written only if the first copy is stored.
\set e 'test.id(2, 1)'
\set f 'test.id(3, 1)'
SELECT test.user(s, n) FROM generate_series(2, 3) s, generate_series(1, 3) n \g /dev/null
CREATE TEMP TABLE entries AS SELECT count(*) FROM parley.outbox;
CREATE TEMP TABLE r30 AS SELECT * FROM test.write(test.deliver(:e, :f, 'far', 'away', 5000, 1));
SELECT is((SELECT (user_id, peer_id, message_id, sender_id, client_message_id, content)::text FROM shard_0003.message),
          (SELECT (:f, :e, message_id, :f, 'far', 'away')::text FROM r30), 'the sender''s copy is in the sender''s shard and has the same id');
SELECT is((status::int, copy_version, copy_mailbox_previous, copy_unread_count), (0, copy_mailbox_version, 1000::bigint, 0),
          'the answer has the version of the copy') FROM r30;
SELECT is((SELECT version FROM shard_0003.mailbox WHERE user_id = :f), (SELECT copy_mailbox_version FROM r30), 'the sender''s mailbox has that version');
DELETE FROM before; INSERT INTO before SELECT test.everything();
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, :f, 'far', 'not', 5000, 1))), ARRAY['(2,)'], 'a refused message has no copy');
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, :f, 'far', 'away', 5000, 1))), ARRAY['(1,)'], 'a retry writes no copy');
SELECT is(test.everything(), (SELECT t FROM before), 'neither changes anything');
-- A retry writes no copy even if the copy is missing: a copy with an outbox entry, from before both shards were in one database, is stored by its own operation.
SELECT test.write(test.deliver(:e, test.id(3, 3), 'before', 'pending', 5000, 2)) \g /dev/null
DELETE FROM before; INSERT INTO before SELECT test.everything();
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, test.id(3, 3), 'before', 'pending', 5000, 1))), ARRAY['(1,)'], 'a retry of a message with an outbox entry writes no copy');
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, test.id(3, 3), 'before', 'not', 5000, 1))), ARRAY['(2,)'], 'a refused retry writes no copy either');
SELECT is(test.everything(), (SELECT t FROM before), 'these change nothing either');
DELETE FROM entries; INSERT INTO entries SELECT count(*) FROM parley.outbox;
CREATE TEMP TABLE r31 AS
    SELECT * FROM test.write(test.deliver(:e, :f, 'far', 'away', 5000, 1), test.deliver(:e, :f, 'two', 'new', 5000, 1),
                             test.copy(:f, :a, 40, 'own'), test.deliver(:e, :f, 'far2', 'new too', 5000, 1),
                             test.deliver(:f, :e, 'far', 'back', 5000, 1), test.deliver(:e, test.id(2, 2), 'far', 'near', 5000, 0));
SELECT is(array_agg(status::int ORDER BY op), '{1,0,0,0,0,0}', 'retries, new messages and other copies in one batch') FROM r31;
SELECT is((SELECT array_agg((client_message_id, content, message_id)::text ORDER BY message_id) FROM shard_0003.message
           WHERE user_id = :f AND peer_id = :e AND sender_id = :f),
          (SELECT array_agg((key, content, message_id)::text ORDER BY message_id)
           FROM (SELECT 'far', 'away', message_id FROM r30 UNION ALL
                 SELECT CASE op WHEN 2 THEN 'two' ELSE 'far2' END, CASE op WHEN 2 THEN 'new' ELSE 'new too' END, message_id
                 FROM r31 WHERE op IN (2, 4)) c (key, content, message_id)),
          'each copy has the id and content of its primary copy');
SELECT is((SELECT array_agg(m.message_id ORDER BY o.op) FROM r31 o JOIN shard_0003.message m ON m.version = o.copy_version AND m.user_id = :f
           WHERE o.op IN (2, 4)), (SELECT array_agg(message_id ORDER BY op) FROM r31 WHERE op IN (2, 4)),
          'the copies have the versions of the answer');
SELECT is((SELECT copy_version FROM r31 WHERE op = 1), NULL, 'a retry''s answer has no version of a copy');
SELECT is((SELECT array_agg((unread_count, copy_unread_count)::text ORDER BY op) FROM r31),
          ARRAY['(3,)', '(3,1)', '(0,)', '(3,1)', '(1,3)', '(1,)'], 'unread counts are those of the conversation in each mailbox');
SELECT is((SELECT count FROM entries), (SELECT count(*) FROM parley.outbox), 'there is no new outbox entry');
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, :f, 'two', 'not', 5000, 1), test.deliver(:e, :f, 'far', 'away', 5000, 1))),
          ARRAY['(2,)', '(1,)'], 'a batch of retries only');
UPDATE shard_0002.mailbox SET version = (SELECT t + 1000 FROM ahead) WHERE user_id = test.id(2, 3);
CREATE TEMP TABLE r32 AS
    SELECT * FROM test.write(test.deliver(test.id(2, 3), :f, 'f', 'future', 5000, 1), test.deliver(:e, test.id(3, 2), 'g', 'present', 5000, 1));
SELECT is((SELECT version FROM parley.mailbox WHERE user_id = :f), message_id >> 1,
          'a copy from a mailbox whose version is above the clock raises the sender''s mailbox') FROM r32 WHERE op = 1;
SELECT is((copy_mailbox_version, message_id >> 1), (message_id >> 1, t + 1001), 'the answer has that version') FROM r32, ahead WHERE op = 1;
SELECT ok(mailbox_version < t AND copy_mailbox_version < t, 'other mailboxes are not raised') FROM r32, ahead WHERE op = 2;
CREATE TEMP TABLE r33 AS SELECT * FROM test.write(test.deliver(:f, test.id(2, 3), 'h', 'after', 5000, 1));
SELECT ok(r33.message_id > r32.message_id, 'the next message is sorted after it in both mailboxes') FROM r32, r33 WHERE r32.op = 1;

-- Several conversations with several messages each.
CREATE TEMP TABLE r40 AS
    SELECT w.* FROM test.write(
        VARIADIC (SELECT array_agg(test.deliver(test.id(2, 2), test.id(1 + n % 3, 3), 'r' || n, 'row ' || n, 5000 + n, 1 + n % 2) ORDER BY n)
                  FROM generate_series(1, 12) n)) w;
SELECT is(array_agg(version - mailbox_version ORDER BY op), '{-11,-10,-9,-8,-7,-6,-5,-4,-3,-2,-1,0}', 'versions are in the order of the operations') FROM r40;
SELECT is((SELECT array_agg((peer_id >> 50, unread_count, last_message_id, version)::text ORDER BY peer_id)
           FROM parley.conversation WHERE user_id = test.id(2, 2) AND peer_id IN (test.id(1, 3), test.id(2, 3), test.id(3, 3))),
          (SELECT array_agg((1 + op % 3, 4, message_id, version)::text ORDER BY 1 + op % 3) FROM r40 WHERE op > 9),
          'each conversation has its unread count, its last message and its last version');
SELECT is((SELECT array_agg(DISTINCT unread_count) FROM r40), '{4}', 'the answer has that unread count for each operation');
SELECT is((SELECT array_agg(copy_unread_count ORDER BY op) FROM r40), '{NULL,0,NULL,0,NULL,0,NULL,0,NULL,0,NULL,0}',
          'a sender''s conversation has no unread messages');
SELECT is((SELECT array_agg((user_id >> 50, last_message_id)::text ORDER BY user_id)
           FROM parley.conversation WHERE peer_id = test.id(2, 2) AND user_id IN (test.id(1, 3), test.id(2, 3), test.id(3, 3))),
          (SELECT array_agg((1 + op % 3, message_id)::text ORDER BY 1 + op % 3)
           FROM (SELECT op, message_id, max(op) OVER (PARTITION BY op % 3) AS last FROM r40 WHERE op % 2 = 0) r WHERE op = last),
          'a sender''s conversation has the last copied message');
SELECT is((SELECT count(*) FROM parley.outbox WHERE recipient_id = test.id(2, 2)), 6::bigint, 'operations with copy mode 2 leave outbox entries');

-- The form of the answer.
CREATE TEMP TABLE r50 AS
    SELECT * FROM parley.write_messages(ARRAY[:a], '{2}', '{5000}', '{1,1}', '{1,2}', ARRAY[:c, :d], '{v1,v2}', '{one,two}', '{4000,5000}', '{f,f}',
                                        '{}', '{}', '{}', '{}', '{}', '{}', '{}', awaited_ids => ARRAY[:a]);
SELECT is(first_equals, NULL, 'without a retry no content is compared') FROM r50;
SELECT is((cardinality(first_messages), copy_versions, cardinality(conversation_users)), (2, NULL::bigint[], 2), 'the arrays have one element for each operation, or for each conversation') FROM r50;
SELECT is((r.first_equals, r.first_messages[1], r.first_versions[1]), ('{t,t}'::boolean[], r50.first_messages[1], r50.first_versions[1]), 'a retry''s content is compared, and a new message counts as equal')
FROM r50, parley.write_messages(ARRAY[:a], '{2}', '{5000}', '{1,1}', '{1,2}', ARRAY[:c, :d], '{v1,v3}', '{one,three}', '{4000,5000}', '{f,f}',
                                '{}', '{}', '{}', '{}', '{}', '{}', '{}') r;
SELECT is(first_equals, '{t,f}', 'each operation is compared with its own content')
FROM parley.write_messages(ARRAY[:a], '{2}', '{5000}', '{1,1}', '{1,2}', ARRAY[:c, :d], '{v1,v3}', '{one,other}', '{4000,5000}', '{f,f}',
                           '{}', '{}', '{}', '{}', '{}', '{}', '{}');

SELECT is(conversation_users, NULL, 'no conversation row is returned for a mailbox without waiters')
FROM parley.write_messages(ARRAY[:a], '{1}', '{5000}', '{1}', '{1}', ARRAY[:c], '{v4}', '{four}', '{5000}', '{f}',
                           '{}', '{}', '{}', '{}', '{}', '{}', '{}', awaited_ids => ARRAY[:b]);

-- A large message, and calls that no server makes.
SELECT is((SELECT status::int FROM test.write(test.deliver(:a, :d, 'big', repeat('ü', 32767)))), 0, 'a message of 65,534 bytes is stored');
SELECT is((SELECT snippet FROM test.fetch_conversations(:a, 9, 0, 0) WHERE peer_id = :d), repeat('ü', 100),
          'a snippet has 100 characters');
SELECT is((SELECT content FROM shard_0000.fetch_updates(:a, 99, 0) WHERE kind = 'c' AND peer_id = :d), repeat('ü', 100),
          'an update''s snippet has 100 characters too');
SELECT is((SELECT array_agg(w::text) FROM parley.write_messages('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
                                                               '{}', '{}', '{}', '{}', '{}', '{}', '{}') w), '{"(,,,,,,,,,,,,,,)"}',
          'an empty batch has an empty answer');
SELECT is_empty('SELECT FROM test.write(VARIADIC ''{}'')', 'it gives no rows');
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 1), test.id(1, 1), 'n', NULL))$$, '23502');

SELECT is_empty('SELECT * FROM test.broken_rules() WHERE broken_rules NOT LIKE ''direction bit%''', 'the rules hold');
SELECT * FROM finish();
ROLLBACK;
