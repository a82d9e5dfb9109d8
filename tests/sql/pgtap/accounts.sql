-- create_account, find_account, fetch_account, update_account, fetch_users, shows_presence, mailbox_versions.
SET search_path = tap;
BEGIN;
SELECT plan(32);

SELECT is(shard_0001.create_account(test.id(1, 1), 'ann', 'Ann', 'hash', 7000, NULL), 'created', 'an account is created');
SELECT is((SELECT (user_id, username, display_name, password_hash, created_timestamp)::text FROM shard_0001.fetch_account(test.id(1, 1))),
          (test.id(1, 1), 'ann', 'Ann', 'hash', 7000)::text, 'an account is found by id');
SELECT is((SELECT (user_id, username, display_name, password_hash, created_timestamp)::text FROM shard_0001.find_account('ann')),
          (test.id(1, 1), 'ann', 'Ann', 'hash', 7000)::text, 'an account is found by name');
SELECT is(shard_0001.mailbox_versions(ARRAY[test.id(1, 1)]), '{7000}',
          'the first version of its mailbox is the time of the creation');
SELECT is(shard_0001.create_account(test.id(1, 1), 'ann', 'Ann', 'hash', 7000, NULL), 'created', 'a repeated call with the same arguments succeeds');
SELECT is(shard_0001.create_account(test.id(1, 1), 'ann', 'Ann', 'salt', 7000, NULL), 'id-taken', 'a repeated call with another password hash is refused');
SELECT is(shard_0001.create_account(test.id(1, 1), 'bob', 'Bob', 'hash', 7000, NULL), 'id-taken', 'an id in use is refused');
SELECT is(shard_0001.create_account(test.id(1, 2), 'ann', 'Ann', 'hash', 7000, NULL), 'username-taken', 'a username in use is refused');
SELECT is((SELECT count(*) FROM parley.account), 1::bigint, 'a refused call creates no account');
SELECT is((SELECT count(*) FROM parley.mailbox), 1::bigint, 'a refused call creates no mailbox');
SELECT is(shard_0001.create_account(test.id(1, 3), 'bob', 'Bob', NULL, 7001, NULL), 'created', 'an account needs no password');
SELECT is(shard_0001.create_account(test.id(1, 3), 'bob', 'Bob', NULL, 7001, NULL), 'created', 'a repeated call without a password succeeds too');
DELETE FROM shard_0001.account WHERE user_id = test.id(1, 3);
SELECT is(shard_0001.create_account(test.id(1, 3), 'carl', 'Carl', NULL, 7002, NULL), 'id-taken', 'an id whose mailbox still exists is refused');
SELECT is_empty($$SELECT FROM shard_0001.find_account('carl')$$, 'the refused call creates no account');
SELECT throws_ok($$SELECT shard_0001.create_account(test.id(2, 1), 'dan', 'Dan', NULL, 7000, NULL)$$, '23514', NULL,
                 'a shard refuses an id of another shard');
SELECT is_empty($$SELECT FROM shard_0001.fetch_account(test.id(1, 99))$$, 'an unknown id gives no row');
SELECT is(shard_0001.mailbox_versions(ARRAY[test.id(1, 3), test.id(1, 99), test.id(1, 1), test.id(1, 3)]),
          ARRAY[v.third, 0, 7000, v.third], 'mailbox_versions answers in the order of its argument, with 0 for an unknown id')
FROM (SELECT version AS third FROM parley.mailbox WHERE user_id = test.id(1, 3)) v;
SELECT is(parley.mailbox_versions(ARRAY[test.id(1, 99), test.id(1, 1), test.id(0, 1), test.id(3, 1)]), '{0,7000,0,0}',
          'the function for all shards does the same, and answers 0 for a shard of another database');
SELECT is(parley.mailbox_versions('{}'), '{}', 'an empty argument gives an empty result');

SELECT is((SELECT (display_name, password_hash, read_receipts, show_presence)::text FROM shard_0001.update_account(test.id(1, 1), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0)),
          ('Ann', 'hash', true, true)::text, 'an update without values changes nothing');
SELECT is((SELECT (user_id, username, display_name, password_hash, read_receipts, show_presence)::text
           FROM shard_0001.update_account(test.id(1, 1), 'Anna', NULL, false, NULL, NULL, NULL, NULL, 0)),
          (test.id(1, 1), 'ann', 'Anna', 'hash', false, true)::text, 'an update changes the values that are given');
SELECT is((SELECT (display_name, password_hash, read_receipts, show_presence, deleted_timestamp)::text
           FROM shard_0001.update_account(test.id(1, 1), NULL, 'salt', NULL, false, NULL, NULL, 'hash', 0), shard_0001.fetch_account(test.id(1, 1)) f (a, b, c, d, e, g, h, i, j, deleted_timestamp)),
          ('Anna', 'salt', false, false, NULL::bigint)::text, 'an update leaves all other values');
SELECT is((SELECT metadata FROM shard_0001.update_account(test.id(1, 1), NULL, NULL, NULL, NULL, NULL, '{"n":1.0}', NULL, 0)), '{"n":1.0}', 'metadata is kept as text');
SELECT is((SELECT metadata FROM shard_0001.update_account(test.id(1, 1), 'Anna', NULL, NULL, NULL, NULL, NULL, NULL, 0)), '{"n":1.0}', 'an update without metadata leaves it');
SELECT is_empty($$SELECT FROM shard_0001.update_account(test.id(1, 99), 'x', NULL, NULL, NULL, NULL, NULL, NULL, 0)$$, 'an update of an unknown user gives no row');
SELECT test.user(1, 4), test.user(0, 1);
SELECT is(shard_0001.shows_presence(9, ARRAY[test.id(1, 99), test.id(1, 4), test.id(1, 1)]), '{f,t,f}', 'a user without an account shows no presence');
SELECT is(parley.shows_presence(9, ARRAY[test.id(0, 1), test.id(1, 1), test.id(1, 4), test.id(3, 1)]), '{t,f,t,f}', 'the function for all shards does the same');

SELECT set_eq('SELECT f.* FROM shard_0001.fetch_users(ARRAY[test.id(1, 99), test.id(1, 4), test.id(1, 1), test.id(1, 3)]) f',
              'SELECT user_id, username, display_name, created_timestamp, metadata, NULL::bigint FROM parley.account WHERE user_id IN (test.id(1, 1), test.id(1, 4))',
              'fetch_users finds existing accounts only; a mailbox without an account is no user');
SELECT set_eq('SELECT user_id FROM parley.fetch_users(ARRAY[test.id(0, 1), test.id(1, 1), test.id(3, 1)])',
              'VALUES (test.id(0, 1)), (test.id(1, 1))', 'the function for all shards does the same, and skips a shard of another database');
SELECT is_empty('SELECT FROM parley.fetch_users(''{}'')', 'an empty argument gives no rows');
DELETE FROM shard_0001.account WHERE user_id = test.id(1, 4);
UPDATE shard_0001.mailbox SET erased_timestamp = 8000 WHERE user_id = test.id(1, 4);
SELECT results_eq('SELECT f.* FROM shard_0001.fetch_users(ARRAY[test.id(1, 4)]) f',
                  'VALUES (test.id(1, 4), NULL::text, NULL::text, NULL::bigint, NULL::text, 8000::bigint)', 'an erased user has only the time of the erasure');
SELECT results_eq('SELECT f.* FROM shard_0001.fetch_users(ARRAY[test.id(1, 4)]) f',
                  'SELECT f.* FROM parley.fetch_users(ARRAY[test.id(1, 4)]) f', 'the function for all shards does the same');
SELECT * FROM finish();
ROLLBACK;
