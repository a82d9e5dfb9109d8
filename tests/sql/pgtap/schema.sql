-- The catalogue: leaves, indexes, settings, rights.
SET search_path = tap;
BEGIN;
SELECT plan(18);

SELECT is((SELECT array_agg(DISTINCT count ORDER BY count)
           FROM (SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind = 'r'
                 AND inhparent::regclass::text LIKE 'parley.%' GROUP BY inhparent) n), '{4}', 'every parent has one leaf in each shard');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'parley'::regnamespace AND relkind IN ('p', 'I')
                  AND EXISTS (SELECT FROM pg_index WHERE indexrelid = pg_class.oid AND NOT indisvalid)$$, 'every parent''s index is valid');
SELECT is_empty($$SELECT p.oid::regclass FROM pg_class p WHERE p.relkind = 'I' AND p.relnamespace = 'parley'::regnamespace
                  AND (SELECT count(*) FROM pg_inherits WHERE inhparent = p.oid) <> 4$$, 'every parent''s index has an index in each leaf');
SELECT has_index('shard_0002', 'account', 'account_username', 'username', 'a leaf has an index on the username');
SELECT index_is_unique('shard_0002', 'account', 'account_username', 'this index is unique');
SELECT ok(reloptions @> '{fillfactor=50}', 'mailbox pages have room for updates') FROM pg_class WHERE oid = 'shard_0002.mailbox'::regclass;
SELECT ok(reloptions @> '{autovacuum_vacuum_cost_delay=0}', 'the outbox is vacuumed without delays') FROM pg_class WHERE oid = 'shard_0002.outbox'::regclass;
SELECT throws_ok($$INSERT INTO shard_0002.mailbox VALUES (test.id(3, 1), 1)$$, '23514', NULL, 'a leaf refuses ids of another shard');
SELECT lives_ok($$INSERT INTO parley.mailbox VALUES (9223372036854775807, 1)$$, 'the last shard accepts the highest id');

ALTER TABLE parley.mailbox DETACH PARTITION shard_0002.mailbox;
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(2, 1), test.id(0, 1), 'k'))$$, '23514', NULL, 'a detached shard refuses writes');

-- Rights.
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE (p.pronamespace = 'parley'::regnamespace OR p.pronamespace::regnamespace::text LIKE 'shard\_%')
      AND NOT (pg_get_userbyid(p.proowner) = 'parley_owner'
               AND (p.prosqlbody IS NOT NULL OR coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false))
               AND p.prosecdef = has_function_privilege('parley_server', p.oid, 'EXECUTE'))$$,
    'every function belongs to the owner, has a fixed search_path (or a body that was parsed at its creation), and runs with the owner''s rights if and only if the server may call it');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace = 'parley'::regnamespace AND p.prosqlbody IS NOT NULL
      AND (p.proconfig IS NOT NULL OR p.prosecdef OR p.proretset)$$,
    'the helpers can be inlined');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    WHERE (p.pronamespace = 'parley'::regnamespace OR p.pronamespace::regnamespace::text LIKE 'shard\_%')
      AND a.grantee = 0$$, 'PUBLIC may execute no function');
SELECT is((SELECT count(DISTINCT p.pronamespace) FROM pg_proc p WHERE p.pronamespace::regnamespace::text LIKE 'shard\_%'), 4::bigint,
          'each shard has functions');
SELECT is_empty($$
    SELECT c.oid::regclass FROM pg_class c
    WHERE (c.relnamespace IN ('parley'::regnamespace, 'directory'::regnamespace) OR c.relnamespace::regnamespace::text LIKE 'shard\_%')
      AND c.relkind IN ('r', 'p') AND has_table_privilege('parley_server', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')$$,
    'the server can write to no table');
SELECT is((SELECT array_agg(c.oid::regclass::text ORDER BY c.oid::regclass::text) FROM pg_class c
    WHERE (c.relnamespace IN ('parley'::regnamespace, 'directory'::regnamespace) OR c.relnamespace::regnamespace::text LIKE 'shard\_%')
      AND c.relkind IN ('r', 'p') AND has_table_privilege('parley_server', c.oid, 'SELECT')),
    '{directory.database,directory.shard,directory.system}', 'the server can read the tables of the directory only');
SELECT is_empty($$
    SELECT n.nspname FROM pg_namespace n
    WHERE (n.nspname IN ('parley', 'directory') OR n.nspname LIKE 'shard\_%')
      AND (has_schema_privilege('parley_server', n.oid, 'CREATE') OR NOT has_schema_privilege('parley_server', n.oid, 'USAGE'))$$,
    'the server can use all schemas and create nothing in them');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace::regnamespace::text LIKE 'shard\_%' AND p.provolatile <> 's'
      AND p.prosecdef AND p.proname NOT IN ('create_account', 'settle_outbox', 'settle_changes', 'update_account', 'create_session',
                                                                'rotate_session', 'end_sessions')$$,
    'functions that read are STABLE, so that all their statements use one snapshot');
SELECT * FROM finish();
ROLLBACK;
