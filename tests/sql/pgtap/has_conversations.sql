-- has_conversations.
SET search_path = tap;
BEGIN;
SELECT plan(9);

SELECT test.user(1, n) FROM generate_series(1, 4) n;
SELECT test.user(2, 1);
SELECT test.write(test.deliver(test.id(1, 1), test.id(1, 2), 'a', copy_mode => 1), test.deliver(test.id(1, 1), test.id(2, 1), 'b'),
                  test.deliver(test.id(2, 1), test.id(1, 3), 'c'));

SELECT is(shard_0001.has_conversations(test.id(1, 1), ARRAY[test.id(1, 2)]), '{t}', 'a recipient has a conversation with the sender');
SELECT is(shard_0001.has_conversations(test.id(1, 2), ARRAY[test.id(1, 1)]), '{t}', 'a sender has a conversation with the recipient');
SELECT is(shard_0001.has_conversations(test.id(1, 1), ARRAY[test.id(1, 3), test.id(2, 1), test.id(1, 1), test.id(1, 2), test.id(1, 3), 7]),
          '{f,t,f,t,f,f}', 'the answers are in the order of the argument; false for strangers, the user and an unknown user');
SELECT is(shard_0001.has_conversations(test.id(1, 3), ARRAY[test.id(2, 1)]), '{f}',
          'a conversation that only the other user has does not count: the sender''s copy is not stored yet');
SELECT is(shard_0001.has_conversations(test.id(1, 4), ARRAY[test.id(1, 1), test.id(1, 2)]), '{f,f}', 'a user without messages has no conversations');
SELECT is(c.kind || shard_0001.has_conversations(test.id(1, 4), ARRAY[test.id(1, 1)])::text, 'done{f}', 'a conversation that has only settings does not count')
FROM parley.write_changes('{settings}', ARRAY[test.id(1, 4)],
                          ARRAY[jsonb_build_object('peerId', test.id(1, 1)::text, 'pinned', true, 'creates', true)::text], '{0}') c WHERE c.part = 'r';
SELECT is(shard_0001.has_conversations(test.id(1, 1), '{}'), '{}', 'an empty argument gives an empty result');
SELECT is(shard_0001.has_conversations(test.id(1, 99), ARRAY[test.id(1, 1)]), NULL, 'an unknown mailbox gives NULL');
SELECT is(shard_0002.has_conversations(test.id(1, 1), ARRAY[test.id(1, 2)]), NULL, 'a shard gives NULL for a user of another shard');
SELECT * FROM finish();
ROLLBACK;
