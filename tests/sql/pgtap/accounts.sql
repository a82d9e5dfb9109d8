-- create_account, find_account, fetch_account, update_account, fetch_users, shows_presence, mailbox_versions.
SET search_path = tap;
BEGIN;
SELECT plan(32);

SELECT is(shard_0001.create_account(test.id(1, 1), 'ann', 'Ann', 'hash', 7000, NULL), 'created', 'an account is created');
SELECT is((SELECT (user_id, username, display_name, password_hash, created_timestamp)::text FROM shard_0001.fetch_account(test.id(1, 1))),
          (test.id(1, 1), 'ann', 'Ann', 'hash', 7000)::text, 'and found by id');
SELECT is((SELECT (user_id, username, display_name, password_hash, created_timestamp)::text FROM shard_0001.find_account('ann')),
          (test.id(1, 1), 'ann', 'Ann', 'hash', 7000)::text, 'and by name');
SELECT is(shard_0001.mailbox_versions(ARRAY[test.id(1, 1)]), '{7000}',
          'its mailbox''s first version is its time');
SELECT is(shard_0001.create_account(test.id(1, 1), 'ann', 'Ann', 'hash', 7000, NULL), 'created', 'the same call again is the same account');
SELECT is(shard_0001.create_account(test.id(1, 1), 'ann', 'Ann', 'salt', 7000, NULL), 'id-taken', 'not so with another hash');
SELECT is(shard_0001.create_account(test.id(1, 1), 'bob', 'Bob', 'hash', 7000, NULL), 'id-taken', 'an id is given once');
SELECT is(shard_0001.create_account(test.id(1, 2), 'ann', 'Ann', 'hash', 7000, NULL), 'username-taken', 'a name is given once');
SELECT is((SELECT count(*) FROM parley.account), 1::bigint, 'refusals leave no account');
SELECT is((SELECT count(*) FROM parley.mailbox), 1::bigint, 'and no mailbox');
SELECT is(shard_0001.create_account(test.id(1, 3), 'bob', 'Bob', NULL, 7001, NULL), 'created', 'an account needs no password');
SELECT is(shard_0001.create_account(test.id(1, 3), 'bob', 'Bob', NULL, 7001, NULL), 'created', 'and is itself without one too');
DELETE FROM shard_0001.account WHERE user_id = test.id(1, 3);
SELECT is(shard_0001.create_account(test.id(1, 3), 'carl', 'Carl', NULL, 7002, NULL), 'id-taken', 'the mailbox that is left keeps an id taken');
SELECT is_empty($$SELECT FROM shard_0001.find_account('carl')$$, 'and then there is no account');
SELECT throws_ok($$SELECT shard_0001.create_account(test.id(2, 1), 'dan', 'Dan', NULL, 7000, NULL)$$, '23514', NULL,
                 'a shard takes no id of another''s');
SELECT is_empty($$SELECT FROM shard_0001.fetch_account(test.id(1, 99))$$, 'no such id, no row');
SELECT is(shard_0001.mailbox_versions(ARRAY[test.id(1, 3), test.id(1, 99), test.id(1, 1), test.id(1, 3)]),
          ARRAY[v.third, 0, 7000, v.third], 'mailbox_versions answers in the order asked, 0 for what is not there')
FROM (SELECT version AS third FROM parley.mailbox WHERE user_id = test.id(1, 3)) v;
SELECT is(parley.mailbox_versions(ARRAY[test.id(1, 99), test.id(1, 1), test.id(0, 1), test.id(3, 1)]), '{0,7000,0,0}',
          'and so for any shards, also one of another database');
SELECT is(parley.mailbox_versions('{}'), '{}', 'none asked, none given');

SELECT is((SELECT (display_name, password_hash, read_receipts, show_presence)::text FROM shard_0001.update_account(test.id(1, 1), NULL, NULL, NULL, NULL, NULL)),
          ('Ann', 'hash', true, true)::text, 'nothing given, nothing changed');
SELECT is((SELECT (user_id, username, display_name, password_hash, read_receipts, show_presence)::text
           FROM shard_0001.update_account(test.id(1, 1), 'Anna', NULL, false, NULL, NULL)),
          (test.id(1, 1), 'ann', 'Anna', 'hash', false, true)::text, 'what is given is changed');
SELECT is((SELECT (display_name, password_hash, read_receipts, show_presence, deleted_timestamp)::text
           FROM shard_0001.update_account(test.id(1, 1), NULL, 'salt', NULL, false, NULL), shard_0001.fetch_account(test.id(1, 1)) f (a, b, c, d, e, g, h, i, deleted_timestamp)),
          ('Anna', 'salt', false, false, NULL::bigint)::text, 'the rest stays');
SELECT is((SELECT metadata FROM shard_0001.update_account(test.id(1, 1), NULL, NULL, NULL, NULL, '{"n":1.0}')), '{"n":1.0}', 'metadata is kept as text');
SELECT is((SELECT metadata FROM shard_0001.update_account(test.id(1, 1), 'Anna', NULL, NULL, NULL, NULL)), '{"n":1.0}', 'and stays');
SELECT is_empty($$SELECT FROM shard_0001.update_account(test.id(1, 99), 'x', NULL, NULL, NULL, NULL)$$, 'no such user, no row');
SELECT test.user(1, 4), test.user(0, 1);
SELECT is(shard_0001.shows_presence(9, ARRAY[test.id(1, 99), test.id(1, 4), test.id(1, 1)]), '{f,t,f}', 'who is not there shows nothing');
SELECT is(parley.shows_presence(9, ARRAY[test.id(0, 1), test.id(1, 1), test.id(1, 4), test.id(3, 1)]), '{t,f,t,f}', 'and so for any shards');

SELECT set_eq('SELECT f.* FROM shard_0001.fetch_users(ARRAY[test.id(1, 99), test.id(1, 4), test.id(1, 1), test.id(1, 3)]) f',
              'SELECT user_id, username, display_name, created_timestamp, metadata, NULL::bigint FROM parley.account WHERE user_id IN (test.id(1, 1), test.id(1, 4))',
              'fetch_users finds those who are there; a mailbox without an account is nobody');
SELECT set_eq('SELECT user_id FROM parley.fetch_users(ARRAY[test.id(0, 1), test.id(1, 1), test.id(3, 1)])',
              'VALUES (test.id(0, 1)), (test.id(1, 1))', 'and so for any shards, also one of another database');
SELECT is_empty('SELECT FROM parley.fetch_users(''{}'')', 'none asked, none found');
DELETE FROM shard_0001.account WHERE user_id = test.id(1, 4);
UPDATE shard_0001.mailbox SET erased_timestamp = 8000 WHERE user_id = test.id(1, 4);
SELECT results_eq('SELECT f.* FROM shard_0001.fetch_users(ARRAY[test.id(1, 4)]) f',
                  'VALUES (test.id(1, 4), NULL::text, NULL::text, NULL::bigint, NULL::text, 8000::bigint)', 'of an erased user there is the time');
SELECT results_eq('SELECT f.* FROM shard_0001.fetch_users(ARRAY[test.id(1, 4)]) f',
                  'SELECT f.* FROM parley.fetch_users(ARRAY[test.id(1, 4)]) f', 'for any shards too');
SELECT * FROM finish();
ROLLBACK;
