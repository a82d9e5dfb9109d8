-- export_blocks: pages in the order of ids, of one user only.
SET search_path = tap;
BEGIN;
SELECT plan(4);

INSERT INTO parley.block SELECT test.id(1, 1), n, 100 + n FROM generate_series(1, 5) n;
INSERT INTO parley.block VALUES (test.id(1, 2), 3, 7), (test.id(2, 1), 3, 7);
SELECT results_eq($$SELECT blocked_id, blocked_timestamp FROM shard_0001.export_blocks(test.id(1, 1), 0, 3)$$,
                  $$VALUES (1::bigint, 101::bigint), (2, 102), (3, 103)$$, 'the first page');
SELECT results_eq($$SELECT blocked_id, blocked_timestamp FROM shard_0001.export_blocks(test.id(1, 1), 3, 3)$$,
                  $$VALUES (4::bigint, 104::bigint), (5, 105)$$, 'the last page');
SELECT is_empty($$SELECT FROM shard_0001.export_blocks(test.id(1, 1), 5, 3)$$, 'there is no further page');
SELECT is_empty($$SELECT FROM shard_0001.export_blocks(test.id(1, 3), 0, 3)$$, 'a user without blocks');
SELECT * FROM finish();
ROLLBACK;
