-- The catalogue: leaves, indexes, settings, rights.
SET search_path = tap;
BEGIN;
SELECT plan(18);

SELECT is((SELECT array_agg(DISTINCT count ORDER BY count)
           FROM (SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind = 'r'
                 AND inhparent::regclass::text LIKE 'parley.%' GROUP BY inhparent) n), '{4}', 'every parent has a leaf in each shard');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'parley'::regnamespace AND relkind IN ('p', 'I')
                  AND EXISTS (SELECT FROM pg_index WHERE indexrelid = pg_class.oid AND NOT indisvalid)$$, 'every parent''s index is valid');
SELECT is_empty($$SELECT p.oid::regclass FROM pg_class p WHERE p.relkind = 'I' AND p.relnamespace = 'parley'::regnamespace
                  AND (SELECT count(*) FROM pg_inherits WHERE inhparent = p.oid) <> 4$$, 'and has its part in each leaf');
SELECT has_index('shard_0002', 'account', 'account_username', 'username', 'usernames are unique in a leaf');
SELECT index_is_unique('shard_0002', 'account', 'account_username', 'really');
SELECT ok(reloptions @> '{fillfactor=50}', 'mailbox pages have room for updates') FROM pg_class WHERE oid = 'shard_0002.mailbox'::regclass;
SELECT ok(reloptions @> '{autovacuum_vacuum_cost_delay=0}', 'outbox is vacuumed at full speed') FROM pg_class WHERE oid = 'shard_0002.outbox'::regclass;
SELECT throws_ok($$INSERT INTO shard_0002.mailbox VALUES (test.id(3, 1), 1)$$, '23514', NULL, 'a leaf takes no other shard''s ids');
SELECT lives_ok($$INSERT INTO parley.mailbox VALUES (9223372036854775807, 1)$$, 'the last shard goes to the end');

ALTER TABLE parley.mailbox DETACH PARTITION shard_0002.mailbox;
SELECT throws_ok($$SELECT test.write(test.deliver(test.id(2, 1), test.id(0, 1), 'k'))$$, '23514', NULL, 'a detached shard cannot be written to');

-- Rights.
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE (p.pronamespace = 'parley'::regnamespace OR p.pronamespace::regnamespace::text LIKE 'shard\_%')
      AND NOT (pg_get_userbyid(p.proowner) = 'parley_owner'
               AND (p.prosqlbody IS NOT NULL OR coalesce(p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp'], false))
               AND p.prosecdef = has_function_privilege('parley_server', p.oid, 'EXECUTE'))$$,
    'every function is the owner''s, has a fixed search_path (or a body that was parsed at its creation), and runs with the owner''s rights exactly if the server may call it');
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
    '{directory.database,directory.shard,directory.system}', 'and reads the directory''s alone');
SELECT is_empty($$
    SELECT n.nspname FROM pg_namespace n
    WHERE (n.nspname IN ('parley', 'directory') OR n.nspname LIKE 'shard\_%')
      AND (has_schema_privilege('parley_server', n.oid, 'CREATE') OR NOT has_schema_privilege('parley_server', n.oid, 'USAGE'))$$,
    'it makes nothing in any of the schemas, and uses all');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p
    WHERE p.pronamespace::regnamespace::text LIKE 'shard\_%' AND p.provolatile <> 's'
      AND p.prosecdef AND p.proname NOT IN ('create_account', 'settle_outbox', 'settle_changes', 'update_account')$$,
    'reads are STABLE: all that one reads is of one snapshot');
SELECT * FROM finish();
ROLLBACK;
