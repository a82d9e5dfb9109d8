-- has_conversations.
SET search_path = tap;
BEGIN;
SELECT plan(9);

SELECT test.user(1, n) FROM generate_series(1, 4) n;
SELECT test.user(2, 1);
SELECT test.write(test.deliver(test.id(1, 1), test.id(1, 2), 'a', copy_mode => 1), test.deliver(test.id(1, 1), test.id(2, 1), 'b'),
                  test.deliver(test.id(2, 1), test.id(1, 3), 'c'));

SELECT is(shard_0001.has_conversations(test.id(1, 1), ARRAY[test.id(1, 2)]), '{t}', 'with who wrote to them');
SELECT is(shard_0001.has_conversations(test.id(1, 2), ARRAY[test.id(1, 1)]), '{t}', 'with whom they wrote to');
SELECT is(shard_0001.has_conversations(test.id(1, 1), ARRAY[test.id(1, 3), test.id(2, 1), test.id(1, 1), test.id(1, 2), test.id(1, 3), 7]),
          '{f,t,f,t,f,f}', 'answers in the order asked, also for strangers, oneself and a user who does not exist');
SELECT is(shard_0001.has_conversations(test.id(1, 3), ARRAY[test.id(2, 1)]), '{f}',
          'a conversation only in the other''s mailbox does not count: the sender''s copy is not stored yet');
SELECT is(shard_0001.has_conversations(test.id(1, 4), ARRAY[test.id(1, 1), test.id(1, 2)]), '{f,f}', 'a user without messages');
SELECT is(c.kind || shard_0001.has_conversations(test.id(1, 4), ARRAY[test.id(1, 1)])::text, 'done{f}', 'settings alone make no acquaintance')
FROM parley.write_changes('{settings}', ARRAY[test.id(1, 4)],
                          ARRAY[jsonb_build_object('peerId', test.id(1, 1)::text, 'pinned', true, 'creates', true)::text], '{0}') c WHERE c.part = 'r';
SELECT is(shard_0001.has_conversations(test.id(1, 1), '{}'), '{}', 'none asked, none given');
SELECT is(shard_0001.has_conversations(test.id(1, 99), ARRAY[test.id(1, 1)]), NULL, 'no such mailbox');
SELECT is(shard_0002.has_conversations(test.id(1, 1), ARRAY[test.id(1, 2)]), NULL, 'nor in a shard that is not theirs');
SELECT * FROM finish();
ROLLBACK;
