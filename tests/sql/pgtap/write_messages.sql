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
    format('SELECT %s, 10001::bigint, %1$s, ''k1'' COLLATE "C", ''hello''', :c), 'the row is in the recipient''s leaf');
SELECT is_empty('SELECT FROM shard_0001.message', 'and nothing at the sender''s');
SELECT is_empty('SELECT FROM parley.outbox', 'copy mode 0 has no outbox entry');
SELECT results_eq(
    format('SELECT peer_id, last_message_id, unread_count, read_up_to, delivered_up_to, version FROM shard_0000.conversation WHERE user_id = %s', :a),
    format('SELECT %s, 10001::bigint, 1, 0::bigint, 0::bigint, version FROM r', :c), 'its conversation is there');
SELECT is((SELECT (newest_period, changed_period)::text FROM shard_0000.conversation WHERE user_id = :a),
          (SELECT (10001 >> 28, version >> 27)::text FROM r), 'with the periods of its last message and of its version');
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
SELECT is((SELECT last_message_id FROM shard_0001.conversation WHERE user_id = :d AND peer_id = :a), 16000::bigint,
          'the newest is last');
SELECT is((SELECT snippet FROM test.fetch_conversations(:d, 9, 0, 0) WHERE peer_id = :a), 'four',
          'the snippet is the newest message''s');
CREATE TEMP TABLE r5 AS SELECT * FROM test.write(test.deliver(:d, :a, 'o5', 'five', 9000));
SELECT is(message_id, ((SELECT max(mailbox_version) FROM r4) + 1) * 2,
          'a time at or below the mailbox''s version is taken to just above it') FROM r5;
SELECT ok(mailbox_version >= message_id >> 1, 'the version is not below it') FROM r5;
CREATE TEMP TABLE ahead AS SELECT (extract(epoch FROM clock_timestamp())::bigint + 3600) * 1000000 AS t;
CREATE TEMP TABLE r6 AS
    SELECT w.* FROM ahead, test.write(test.deliver(:d, :a, 'o6', 'six', t), test.deliver(:d, :a, 'o7', 'seven', 1)) w;
SELECT is(array_agg(message_id - t * 2 ORDER BY op), '{0,2}', 'a time from a clock ahead is kept') FROM r6, ahead;
SELECT is(array_agg(version - t ORDER BY op), '{1,2}', 'the version goes along') FROM r6, ahead;
SELECT is((SELECT (status, version - t, message_id - t * 2)::text FROM ahead, test.write(test.deliver(:d, :a, 'o8', 'eight', 1))),
          '(0,3,6)', 'and goes on from there');

-- A key twice in one batch is the caller's mistake: nothing of it is stored.
DELETE FROM before; INSERT INTO before SELECT test.everything();
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 2), test.id(1, 2), 'x', 'same'), test.deliver(test.id(0, 2), test.id(1, 2), 'y', 'new'),
                                     test.deliver(test.id(0, 2), test.id(1, 2), 'x', 'same'))$$,
                 '21000', 'ON CONFLICT DO UPDATE command cannot affect row a second time', 'a key twice is an error');
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 2), test.id(1, 2), 'x', 'same'),
                                     test.deliver(test.id(0, 2), test.id(1, 2), 'x', 'other'))$$,
                 '21000', NULL, 'be it with other content');
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 1), test.id(1, 1), 'k1', 'hello'),
                                     test.deliver(test.id(0, 1), test.id(1, 1), 'k1', 'hello'))$$,
                 '21000', NULL, 'or was it there before');
SELECT is(test.everything(), (SELECT t FROM before), 'which leaves nothing');

-- Retries and new messages in one batch.
SELECT test.write(test.deliver(:b, :d, 'x', 'same', 5000)) \g /dev/null
CREATE TEMP TABLE r20 AS
    SELECT * FROM test.write(test.deliver(:b, :d, 'y', 'new', 5000), test.deliver(:b, :d, 'x', 'same', 5001),
                             test.deliver(:b, :a, 'x', 'new', 5002), test.deliver(:b, :d, 'z', 'newer', 5003));
SELECT is(array_agg(status::int ORDER BY op), '{0,1,0,0}', 'what is new is stored, whatever else is in the batch') FROM r20;
SELECT is(array_agg(version - mailbox_version ORDER BY op) FILTER (WHERE op <> 2), '{-3,-1,0}', 'in its places') FROM r20;
SELECT is(version, mailbox_previous, 'what is there keeps its version') FROM r20 WHERE op = 2;
SELECT is((SELECT array_agg((client_message_id, content)::text ORDER BY message_id) FROM parley.message WHERE user_id = :b AND peer_id = :d),
          ARRAY['(x,same)', '(y,new)', '(z,newer)'], 'one row for each key, in order');
SELECT is((SELECT unread_count FROM parley.conversation WHERE user_id = :b AND peer_id = :d), 3, 'one unread each');
SELECT is((SELECT array_agg(status::int ORDER BY op) FROM test.write(test.deliver(:b, :d, 'x', 'other'), test.deliver(:b, :d, 'y', 'new'),
                                                                      test.deliver(:b, :d, 'u', 'newest'), test.deliver(:b, :a, 'x', 'old'))),
          '{2,1,0,2}', 'each operation is judged by its own content');
SELECT is((SELECT unread_count FROM parley.conversation WHERE user_id = :b AND peer_id = :d), 4, 'and only the new one is unread');

-- Copy mode 2 leaves an outbox entry; the sender's copy is stored later.
CREATE TEMP TABLE r7 AS SELECT * FROM test.write(test.deliver(test.id(0, 3), :c, 'm2', 'pending', 5000, 2));
SELECT results_eq('SELECT recipient_id, sender_id, message_id FROM parley.outbox',
                  format('SELECT %s::bigint, %s::bigint, message_id FROM r7', test.id(0, 3), :c), 'copy mode 2 inserts an outbox row');
SELECT test.write(test.deliver(test.id(0, 3), :c, 'm2', 'pending', 5000, 2)) \g /dev/null
SELECT is((SELECT count(*) FROM parley.outbox), 1::bigint, 'a retry does not');
CREATE TEMP TABLE r8 AS SELECT w.* FROM r7, test.write(test.copy(:c, test.id(0, 3), r7.message_id, 'm2', 'pending')) w;
SELECT is((r8.status::int, r8.message_id), (0, r7.message_id), 'the sender''s copy has the same id') FROM r7, r8;
SELECT is((SELECT (user_id, peer_id, sender_id, client_message_id, content)::text FROM shard_0001.message WHERE user_id = :c),
          (:c, test.id(0, 3), :c, 'm2', 'pending')::text, 'it is in the sender''s leaf');
SELECT is(unread_count, 0, 'one''s own message is not unread') FROM r8;
DELETE FROM before; INSERT INTO before SELECT test.everything();
CREATE TEMP TABLE r9 AS SELECT w.* FROM r7, test.write(test.copy(:c, test.id(0, 3), r7.message_id, 'm2', 'pending')) w;
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
SELECT is((SELECT (last_message_id, snippet)::text FROM test.fetch_conversations(:c, 9, 0, 0) WHERE peer_id = :a),
          (SELECT (message_id, 'text')::text FROM r10), 'a late copy of an old message does not become the last');
SELECT is((SELECT newest_period FROM parley.conversation WHERE user_id = :c AND peer_id = :a), (SELECT (message_id >> 28)::int FROM r10),
          'nor takes the conversation back');
CREATE TEMP TABLE r21 AS
    SELECT w.* FROM ahead, test.write(test.copy(:c, test.id(0, 4), 30, 'i'), test.copy(:c, :a, 20, 'p'), test.copy(:d, :a, (t + 100) * 2, 'j'),
                                      test.copy(test.id(1, 3), :a, 32, 'k'), test.copy(:c, test.id(0, 4), 34, 'l')) w;
SELECT is(array_agg(status::int ORDER BY op), '{0,1,0,0,0}', 'copies new and old in one batch') FROM r21;
SELECT is(array_agg(version - mailbox_version ORDER BY op), '{-2,NULL,NULL,0,0}', 'with the versions of their places')
FROM (SELECT op, CASE WHEN op <> 3 THEN version END AS version, mailbox_version FROM r21) r21;
SELECT is((SELECT mailbox_version - t FROM r21, ahead WHERE op = 3), 100::bigint,
          'the mailbox of one from a clock ahead is taken along');
SELECT ok((SELECT mailbox_version < t FROM r21, ahead WHERE op = 4), 'and no other');
SELECT is((SELECT array_agg(DISTINCT mailbox_version ORDER BY mailbox_version) FROM r21),
          (SELECT array_agg(version ORDER BY version) FROM parley.mailbox WHERE user_id IN (:c, :d, test.id(1, 3))), 'which the mailboxes say too');
SELECT is((SELECT array_agg(status::int ORDER BY op)
           FROM test.write(test.copy(test.id(1, 3), :a, 32, 'k'), test.copy(test.id(1, 4), :a, 36, 'k'))), '{1,0}',
          'an old one is not taken for the new one of another mailbox, though its version would be the same');

-- Copy mode 1: both mailboxes are of one database.
CREATE TEMP TABLE r11 AS SELECT * FROM test.write(test.deliver(test.id(0, 4), test.id(0, 5), 's', 'both', 5000, 1));
SELECT is((SELECT array_agg((user_id, message_id)::text ORDER BY user_id) FROM shard_0000.message WHERE client_message_id = 's'),
          (SELECT ARRAY[(test.id(0, 4), message_id)::text, (test.id(0, 5), message_id)::text] FROM r11),
          'copy mode 1 stores both copies with one id');
SELECT is((copy_version, copy_mailbox_previous, copy_unread_count), (copy_mailbox_version, 1000::bigint, 0),
          'and tells of the sender''s') FROM r11;
SELECT is((SELECT version FROM parley.mailbox WHERE user_id = test.id(0, 5)), (SELECT copy_mailbox_version FROM r11),
          'whose mailbox has that version');
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
          'a batch with both directions counts each mailbox''s conversation once') FROM r12;
SELECT is((SELECT count(*) FROM shard_0000.message WHERE user_id IN (test.id(0, 6), test.id(0, 7))), 4::bigint,
          'and has four rows');
UPDATE shard_0000.mailbox SET version = (SELECT t FROM ahead) WHERE user_id = test.id(0, 8);
CREATE TEMP TABLE r13 AS SELECT * FROM test.write(test.deliver(test.id(0, 8), test.id(0, 9), 'f', 'future', 5000, 1));
SELECT is(message_id >> 1, t + 1, 'the id is above the recipient''s version, which is ahead') FROM r13, ahead;
SELECT is((SELECT version FROM parley.mailbox WHERE user_id = test.id(0, 9)), message_id >> 1,
          'so the sender''s mailbox is taken up to the time of what it now holds') FROM r13;
SELECT is(copy_mailbox_version, message_id >> 1, 'and the answer says so') FROM r13;

-- The same over the shards of a database: the copy is where the sender lives, and only if the first is stored.
\set e 'test.id(2, 1)'
\set f 'test.id(3, 1)'
SELECT test.user(s, n) FROM generate_series(2, 3) s, generate_series(1, 3) n \g /dev/null
CREATE TEMP TABLE entries AS SELECT count(*) FROM parley.outbox;
CREATE TEMP TABLE r30 AS SELECT * FROM test.write(test.deliver(:e, :f, 'far', 'away', 5000, 1));
SELECT is((SELECT (user_id, peer_id, message_id, sender_id, client_message_id, content)::text FROM shard_0003.message),
          (SELECT (:f, :e, message_id, :f, 'far', 'away')::text FROM r30), 'the sender''s copy is in the sender''s shard, by the same id');
SELECT is((status::int, copy_version, copy_mailbox_previous, copy_unread_count), (0, copy_mailbox_version, 1000::bigint, 0),
          'and the answer tells of it') FROM r30;
SELECT is((SELECT version FROM shard_0003.mailbox WHERE user_id = :f), (SELECT copy_mailbox_version FROM r30), 'as does its mailbox');
DELETE FROM before; INSERT INTO before SELECT test.everything();
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, :f, 'far', 'not', 5000, 1))), ARRAY['(2,)'], 'of what is refused there is none');
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, :f, 'far', 'away', 5000, 1))), ARRAY['(1,)'], 'nor of a retry');
SELECT is(test.everything(), (SELECT t FROM before), 'neither changes anything');
-- Even if it is missing: a copy with an outbox entry, from before the shards were in one database, is stored by its own operation.
SELECT test.write(test.deliver(:e, test.id(3, 3), 'before', 'pending', 5000, 2)) \g /dev/null
DELETE FROM before; INSERT INTO before SELECT test.everything();
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, test.id(3, 3), 'before', 'pending', 5000, 1))), ARRAY['(1,)'], 'nor of a retry with an outbox entry');
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, test.id(3, 3), 'before', 'not', 5000, 1))), ARRAY['(2,)'], 'be it refused or not');
SELECT is(test.everything(), (SELECT t FROM before), 'these change nothing either');
DELETE FROM entries; INSERT INTO entries SELECT count(*) FROM parley.outbox;
CREATE TEMP TABLE r31 AS
    SELECT * FROM test.write(test.deliver(:e, :f, 'far', 'away', 5000, 1), test.deliver(:e, :f, 'two', 'new', 5000, 1),
                             test.copy(:f, :a, 40, 'own'), test.deliver(:e, :f, 'far2', 'new too', 5000, 1),
                             test.deliver(:f, :e, 'far', 'back', 5000, 1), test.deliver(:e, test.id(2, 2), 'far', 'near', 5000, 0));
SELECT is(array_agg(status::int ORDER BY op), '{1,0,0,0,0,0}', 'retries, new ones and other copies in one batch') FROM r31;
SELECT is((SELECT array_agg((client_message_id, content, message_id)::text ORDER BY message_id) FROM shard_0003.message
           WHERE user_id = :f AND peer_id = :e AND sender_id = :f),
          (SELECT array_agg((key, content, message_id)::text ORDER BY message_id)
           FROM (SELECT 'far', 'away', message_id FROM r30 UNION ALL
                 SELECT CASE op WHEN 2 THEN 'two' ELSE 'far2' END, CASE op WHEN 2 THEN 'new' ELSE 'new too' END, message_id
                 FROM r31 WHERE op IN (2, 4)) c (key, content, message_id)),
          'each copy is that of its own first-written one');
SELECT is((SELECT array_agg(m.message_id ORDER BY o.op) FROM r31 o JOIN shard_0003.message m ON m.version = o.copy_version AND m.user_id = :f
           WHERE o.op IN (2, 4)), (SELECT array_agg(message_id ORDER BY op) FROM r31 WHERE op IN (2, 4)),
          'with the version that the answer says');
SELECT is((SELECT copy_version FROM r31 WHERE op = 1), NULL, 'a retry''s answer has no copy');
SELECT is((SELECT array_agg((unread_count, copy_unread_count)::text ORDER BY op) FROM r31),
          ARRAY['(3,)', '(3,1)', '(0,)', '(3,1)', '(1,3)', '(1,)'], 'unread counts are of the conversation in each mailbox');
SELECT is((SELECT count FROM entries), (SELECT count(*) FROM parley.outbox), 'there is no new outbox entry');
SELECT is((SELECT array_agg((status, copy_version)::text ORDER BY op)
           FROM test.write(test.deliver(:e, :f, 'two', 'not', 5000, 1), test.deliver(:e, :f, 'far', 'away', 5000, 1))),
          ARRAY['(2,)', '(1,)'], 'a batch of none but retries');
UPDATE shard_0002.mailbox SET version = (SELECT t + 1000 FROM ahead) WHERE user_id = test.id(2, 3);
CREATE TEMP TABLE r32 AS
    SELECT * FROM test.write(test.deliver(test.id(2, 3), :f, 'f', 'future', 5000, 1), test.deliver(:e, test.id(3, 2), 'g', 'present', 5000, 1));
SELECT is((SELECT version FROM parley.mailbox WHERE user_id = :f), message_id >> 1,
          'a sender''s mailbox is taken up to a copy from a mailbox ahead') FROM r32 WHERE op = 1;
SELECT is((copy_mailbox_version, message_id >> 1), (message_id >> 1, t + 1001), 'and the answer says so') FROM r32, ahead WHERE op = 1;
SELECT ok(mailbox_version < t AND copy_mailbox_version < t, 'the others'' are not') FROM r32, ahead WHERE op = 2;
CREATE TEMP TABLE r33 AS SELECT * FROM test.write(test.deliver(:f, test.id(2, 3), 'h', 'after', 5000, 1));
SELECT ok(r33.message_id > r32.message_id, 'what comes after sorts after, in both') FROM r32, r33 WHERE r32.op = 1;

-- Several conversations with several messages each.
CREATE TEMP TABLE r40 AS
    SELECT w.* FROM test.write(
        VARIADIC (SELECT array_agg(test.deliver(test.id(2, 2), test.id(1 + n % 3, 3), 'r' || n, 'row ' || n, 5000 + n, 1 + n % 2) ORDER BY n)
                  FROM generate_series(1, 12) n)) w;
SELECT is(array_agg(version - mailbox_version ORDER BY op), '{-11,-10,-9,-8,-7,-6,-5,-4,-3,-2,-1,0}', 'versions in the order of operations') FROM r40;
SELECT is((SELECT array_agg((peer_id >> 50, unread_count, last_message_id, version)::text ORDER BY peer_id)
           FROM parley.conversation WHERE user_id = test.id(2, 2) AND peer_id IN (test.id(1, 3), test.id(2, 3), test.id(3, 3))),
          (SELECT array_agg((1 + op % 3, 4, message_id, version)::text ORDER BY 1 + op % 3) FROM r40 WHERE op > 9),
          'each conversation has its unread count, its last message and its last version');
SELECT is((SELECT array_agg(DISTINCT unread_count) FROM r40), '{4}', 'which the answer says for each');
SELECT is((SELECT array_agg(copy_unread_count ORDER BY op) FROM r40), '{NULL,0,NULL,0,NULL,0,NULL,0,NULL,0,NULL,0}',
          'a sender''s conversation has nothing unread');
SELECT is((SELECT array_agg((user_id >> 50, last_message_id)::text ORDER BY user_id)
           FROM parley.conversation WHERE peer_id = test.id(2, 2) AND user_id IN (test.id(1, 3), test.id(2, 3), test.id(3, 3))),
          (SELECT array_agg((1 + op % 3, message_id)::text ORDER BY 1 + op % 3)
           FROM (SELECT op, message_id, max(op) OVER (PARTITION BY op % 3) AS last FROM r40 WHERE op % 2 = 0) r WHERE op = last),
          'and its last message, which is the last copied');
SELECT is((SELECT count(*) FROM parley.outbox WHERE recipient_id = test.id(2, 2)), 6::bigint, 'the others have outbox entries');

-- The answer's own form.
CREATE TEMP TABLE r50 AS
    SELECT * FROM parley.write_messages(ARRAY[:a], '{2}', '{5000}', '{1,1}', '{1,2}', ARRAY[:c, :d], '{v1,v2}', '{one,two}', '{4000,5000}', '{f,f}',
                                        '{}', '{}', '{}', '{}', '{}', '{}', '{}', awaited_ids => ARRAY[:a]);
SELECT is(first_equals, NULL, 'with no retry in it nothing is compared') FROM r50;
SELECT is((cardinality(first_messages), copy_versions, cardinality(conversation_users)), (2, NULL::bigint[], 2), 'as many elements as there are') FROM r50;
SELECT is((r.first_equals, r.first_messages[1], r.first_versions[1]), ('{t,t}'::boolean[], r50.first_messages[1], r50.first_versions[1]), 'a retry''s content is, and what was stored counts as equal')
FROM r50, parley.write_messages(ARRAY[:a], '{2}', '{5000}', '{1,1}', '{1,2}', ARRAY[:c, :d], '{v1,v3}', '{one,three}', '{4000,5000}', '{f,f}',
                                '{}', '{}', '{}', '{}', '{}', '{}', '{}') r;
SELECT is(first_equals, '{t,f}', 'each with its own')
FROM parley.write_messages(ARRAY[:a], '{2}', '{5000}', '{1,1}', '{1,2}', ARRAY[:c, :d], '{v1,v3}', '{one,other}', '{4000,5000}', '{f,f}',
                           '{}', '{}', '{}', '{}', '{}', '{}', '{}');

SELECT is(conversation_users, NULL, 'no conversation row of a mailbox without waiters is given')
FROM parley.write_messages(ARRAY[:a], '{1}', '{5000}', '{1}', '{1}', ARRAY[:c], '{v4}', '{four}', '{5000}', '{f}',
                           '{}', '{}', '{}', '{}', '{}', '{}', '{}', awaited_ids => ARRAY[:b]);

-- A large message, and what no server sends.
SELECT is((SELECT status::int FROM test.write(test.deliver(:a, :d, 'big', repeat('ü', 32767)))), 0, '65,534 bytes are stored');
SELECT is((SELECT snippet FROM test.fetch_conversations(:a, 9, 0, 0) WHERE peer_id = :d), repeat('ü', 100),
          'a snippet is 100 characters');
SELECT is((SELECT content FROM shard_0000.fetch_updates(:a, 99, 0) WHERE kind = 'c' AND peer_id = :d), repeat('ü', 100),
          'in what has changed as well');
SELECT is((SELECT array_agg(w::text) FROM parley.write_messages('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
                                                               '{}', '{}', '{}', '{}', '{}', '{}', '{}') w), '{"(,,,,,,,,,,,,,,)"}',
          'an empty batch has an empty answer');
SELECT is_empty('SELECT FROM test.write(VARIADIC ''{}'')', 'so it has no rows here');
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(0, 1), test.id(1, 1), 'n', NULL))$$, '23502');

SELECT is_empty('SELECT * FROM test.broken_rules() WHERE broken_rules NOT LIKE ''direction bit%''', 'the rules hold');
SELECT * FROM finish();
ROLLBACK;
