-- Erasure of a user: all reads treat the user as unknown at once, and the content of the mailbox is deleted slice by slice. Copies of
-- others stay. A message with an outbox entry for its sender's copy stays until the entry is settled.
SET search_path = test, tap, public;
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE ids AS SELECT test.user(0, 1) AS ann, test.user(1, 1) AS bob, test.user(1, 2) AS carl;
CREATE FUNCTION pg_temp.change(kind text, mailbox bigint, argument jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT c.kind FROM parley.write_changes(ARRAY[kind], ARRAY[mailbox], ARRAY[argument::text], '{0}') c WHERE c.part = 'r'
$$;
CREATE FUNCTION pg_temp.erase(mailbox bigint, at bigint) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.change('erase', mailbox, jsonb_build_object('timestamp', at))
$$;
CREATE FUNCTION pg_temp.slice() RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.change(o.kind, o.target_id, o.argument) FROM parley.change_outbox o
$$;
CREATE FUNCTION pg_temp.held(mailbox bigint) RETURNS bigint[] LANGUAGE sql AS $$
    SELECT ARRAY[(SELECT count(*) FROM parley.message WHERE user_id = mailbox),
                 (SELECT count(*) FROM parley.conversation WHERE user_id = mailbox),
                 (SELECT count(*) FROM parley.block WHERE user_id = mailbox)]
$$;

-- Bob has 1,500 messages from Ann, one of them with an outbox entry, 20 from Carl, and has blocked 1,001 users.
SELECT test.write(test.deliver(bob, ann, 'stored', 'to be kept by Ann', 5000, 1)) FROM ids;
SELECT test.write(test.deliver(bob, ann, 'pending', 'not with Ann yet', 5001, 2)) FROM ids;
INSERT INTO parley.message (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
SELECT bob, CASE WHEN n <= 1498 THEN ann ELSE carl END, (m.version + n) * 2, m.version + n, CASE WHEN n <= 1498 THEN ann ELSE carl END,
       n::text, 'text'
FROM ids, shard_0001.mailbox m, generate_series(1, 1518) n WHERE m.user_id = bob;
UPDATE shard_0001.mailbox SET version = version + 1518 FROM ids WHERE user_id = bob;
INSERT INTO parley.conversation (user_id, peer_id, last_message_id, version, newest_period, changed_period) SELECT bob, carl, 2, 1, 0, 0 FROM ids;
INSERT INTO parley.block SELECT bob, n, 1 FROM ids, generate_series(1, 1001) n;
CREATE TEMP TABLE before AS
SELECT version, pg_temp.held(ann) AS of_ann FROM ids, parley.mailbox WHERE user_id = bob;

SELECT is(pg_temp.erase(test.id(1, 99), 7), 'no-mailbox', 'an unknown user cannot be erased');
SELECT results_eq($$SELECT c.part, c.kind, c.mailbox_id = bob, c.version > before.version
                    FROM ids, before, parley.write_changes('{erase}', ARRAY[bob], ARRAY['{"timestamp": 7000}'], '{0}') c ORDER BY c.part$$,
                  $$VALUES ('o'::"char", 'erase_slice', true, true), ('r', 'done', true, NULL), ('w', NULL, true, true)$$,
                  'the erasure leaves a follow-up for the slices and wakes waiters');
SELECT is(pg_temp.erase(bob, 7000), 'done', 'a repeated erasure with the same time succeeds') FROM ids;
SELECT is(pg_temp.erase(bob, 7001), 'no-mailbox', 'a second erasure with another time is refused') FROM ids;
SELECT is((SELECT count(*) FROM parley.change_outbox), 1::bigint, 'there is one follow-up');

-- For all reads there is no such user.
SELECT is(shard_0001.mailbox_versions(ARRAY[bob, carl]) || parley.mailbox_versions(ARRAY[bob, carl]),
          ARRAY[0, v.version, 0, v.version], 'the mailbox has no version') FROM ids, shard_0001.mailbox v WHERE v.user_id = carl;
SELECT is_empty('SELECT f.* FROM ids, test.fetch_conversations(bob, 20, 0, 0) f', 'fetch_conversations gives no page');
SELECT is_empty('SELECT f.* FROM ids, test.fetch_conversations(bob, 20, 0, 1) f', 'fetch_conversations gives no delta');
SELECT is_empty('SELECT f.* FROM ids, test.fetch_messages(bob, ann, 20, 0, 0, 0) f', 'fetch_messages gives no page');
SELECT is_empty('SELECT f.* FROM ids, test.fetch_messages(bob, ann, 20, 0, 0, 1) f', 'fetch_messages gives no delta');
SELECT is_empty('SELECT f.* FROM ids, shard_0001.fetch_updates(bob, 20, 0) f', 'fetch_updates gives nothing');
SELECT is(shard_0001.has_conversations(bob, ARRAY[ann]), NULL, 'the user sees nobody''s presence') FROM ids;
SELECT is(shard_0001.shows_presence(9, ARRAY[bob]), '{f}', 'nobody sees the user''s presence') FROM ids;
SELECT is(pg_temp.change('deletion', bob, '{}'), 'no-mailbox', 'changes are refused') FROM ids;
SELECT is_empty($$SELECT FROM shard_0001.find_account('user1.1')$$, 'the username is no longer found');
SELECT results_eq('SELECT f.user_id, f.username, f.deleted_timestamp FROM ids, shard_0001.fetch_account(bob) f',
                  'SELECT bob, NULL::text, 7000::bigint FROM ids', 'fetch_account gives only the id and the time of the erasure');
SELECT is_empty($$SELECT f.* FROM ids, shard_0001.update_account(bob, 'B', NULL, NULL, NULL, NULL, NULL, NULL, 0) f$$, 'update_account changes nothing');
SELECT is(shard_0001.create_account(bob, 'other', 'o', NULL, 1, NULL), 'id-taken', 'the id cannot be used again') FROM ids;
SELECT is(shard_0001.create_account(test.id(1, 3), 'user1.1', 'o', NULL, 1, NULL), 'created', 'the username can be used again');

-- Slices.
SELECT is(pg_temp.slice(), 'missing', 'the first slice does not finish');
SELECT is(pg_temp.held(bob), '{521,0,1}', 'a slice deletes 1,000 messages and blocks, but not the message with an outbox entry') FROM ids;
SELECT is(pg_temp.slice(), 'missing', 'the second slice does not finish, because one message has to stay');
SELECT is(pg_temp.held(bob), '{1,0,0}', 'everything else is deleted') FROM ids;
SELECT is(pg_temp.slice(), 'missing', 'the message stays as long as it has an outbox entry');
SELECT results_eq('SELECT c.content FROM parley.outbox o, parley.claim_outbox(ARRAY[o.recipient_id], ARRAY[o.sender_id], ARRAY[o.message_id]) c',
                  $$VALUES ('not with Ann yet')$$, 'the sender''s copy can still be written');
SELECT is(parley.settle_outbox(ARRAY[recipient_id], ARRAY[sender_id], ARRAY[message_id]), 1, 'the outbox entry is settled') FROM parley.outbox;
SELECT is(pg_temp.slice(), 'done', 'then the next slice deletes the message');
SELECT is(pg_temp.held(bob), '{0,0,0}', 'the mailbox is empty') FROM ids;
SELECT is(pg_temp.slice(), 'done', 'a repeated slice changes nothing');
SELECT is(pg_temp.held(ann), of_ann, 'the copies of others are still there') FROM ids, before;
SELECT results_eq('SELECT test.held FROM ids, LATERAL (SELECT pg_temp.held(carl)) test (held)', $$VALUES ('{0,0,0}'::bigint[])$$, 'others get no new rows');
SELECT * FROM finish();
ROLLBACK;
