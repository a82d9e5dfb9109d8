-- Blocks: what change_block changes, which sends a mailbox accepts then, and how blocks are read.
BEGIN;
SET search_path = test, tap, public;
SELECT no_plan();

CREATE TEMP TABLE ids AS SELECT test.user(0, 1) AS ann, test.user(1, 1) AS bob, test.user(1, 2) AS cid;

CREATE FUNCTION pg_temp.block(mailbox bigint, other bigint, is_on boolean, at bigint DEFAULT 7000)
RETURNS TABLE (part "char", kind text, detail jsonb) LANGUAGE sql AS $$
    SELECT c.part, c.kind, c.detail::jsonb
    FROM parley.write_changes(ARRAY['block'], ARRAY[mailbox],
                              ARRAY[jsonb_build_object('otherId', other::text, 'on', is_on, 'timestamp', at)::text], ARRAY[0::bigint]) c
$$;
CREATE FUNCTION pg_temp.status(mailbox bigint, other bigint, is_on boolean) RETURNS text LANGUAGE sql AS $$
    SELECT kind FROM pg_temp.block(mailbox, other, is_on) WHERE part = 'r'
$$;
CREATE FUNCTION pg_temp.version(mailbox bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM parley.mailbox m WHERE m.user_id = $1
$$;
CREATE FUNCTION pg_temp.guarded(mailbox bigint) RETURNS boolean LANGUAGE sql AS $$
    SELECT guarded FROM parley.mailbox m WHERE m.user_id = $1
$$;

SELECT is(pg_temp.status(bob, ann, false), 'done', 'unblocking a user who is not blocked succeeds') FROM ids;
SELECT is(pg_temp.version(bob), 1000::bigint, 'it changes nothing') FROM ids;
SELECT is(pg_temp.guarded(bob), NULL, 'the mailbox is not guarded') FROM ids;
SELECT results_eq('SELECT b.part, b.kind FROM ids, pg_temp.block(bob, ann, true) b', $$VALUES ('r'::"char", 'done'), ('w', NULL)$$,
                  'a block raises the version');
SELECT is(pg_temp.guarded(bob), true, 'a block makes the mailbox guarded') FROM ids;
SELECT is_empty('SELECT b.* FROM ids, pg_temp.block(bob, ann, true, 8000) b WHERE b.part = ''w''', 'a repeated block changes nothing');
SELECT results_eq('SELECT b.blocked_timestamp FROM parley.block b', 'VALUES (7000::bigint)', 'a repeated block keeps the first time');
SELECT is(pg_temp.status(test.id(1, 99), ann, true), 'no-mailbox', 'a user who does not exist cannot block') FROM ids;

-- Sends, in one batch with others. The others keep their places in the answer.
SELECT results_eq($$SELECT w.status, w.version < 0, w.message_id > 0 FROM ids, test.write(
                        test.deliver(bob, cid, 'k1', 'a', 9000, 1), test.deliver(bob, ann, 'k1', 'b', 9001, 1),
                        test.deliver(bob, cid, 'k2', 'c', 9002, 1), test.deliver(ann, bob, 'k1', 'd', 9003, 1)) w ORDER BY op$$,
                  $$VALUES (0::smallint, false, true), (2::smallint, true, false), (0::smallint, false, true), (0::smallint, false, true)$$,
                  'only the blocked user''s message is refused; messages of others and of the blocker are stored');
SELECT results_eq('SELECT m.user_id, m.content FROM parley.message m ORDER BY 2, 1',
                  $$SELECT u.user_id, u.content FROM ids,
                        LATERAL (VALUES (bob, 'a'), (cid, 'a'), (bob, 'c'), (cid, 'c'), (ann, 'd'), (bob, 'd')) u (user_id, content)
                    ORDER BY 2, 1$$,
                  'exactly the accepted messages are stored');
SELECT is_empty('SELECT o.* FROM parley.outbox o', 'there is no outbox entry');
SELECT is(has_blocked, ARRAY[true, false, false, false], 'have_blocked tells for each pair whether the first user has blocked the second')
FROM ids, shard_0001.have_blocked(ARRAY[bob, bob, cid, test.id(1, 99)], ARRAY[ann, cid, ann, ann]) has_blocked;

SELECT is(s.shown, ARRAY[false, true, true], 'a blocked user does not see the blocker''s presence')
FROM ids, parley.shows_presence(ann, ARRAY[bob, cid, ann]) s (shown);
SELECT is(s.shown, ARRAY[false, true], 'the shard''s function hides the blocker''s presence too')
FROM ids, shard_0001.shows_presence(ann, ARRAY[bob, cid]) s (shown);
SELECT is(s.shown, ARRAY[true, true], 'other users see the blocker''s presence')
FROM ids, parley.shows_presence(cid, ARRAY[bob, ann]) s (shown);

-- Reads.
SELECT is(pg_temp.status(bob, cid, true), 'done', 'a second user is blocked') FROM ids;
SELECT results_eq('SELECT b.blocked_id FROM ids, shard_0001.fetch_blocks(bob, 0, 2) b', 'SELECT unnest(ARRAY[ann, cid]) FROM ids',
                  'a page of blocks is in the order of ids');
SELECT results_eq('SELECT b.blocked_id FROM ids, shard_0001.fetch_blocks(bob, 0, 1) b', 'SELECT unnest(ARRAY[ann, cid]) FROM ids',
                  'a page has one more row if there are more blocks');
SELECT results_eq('SELECT b.blocked_id FROM ids, shard_0001.fetch_blocks(bob, ann, 5) b', 'SELECT cid FROM ids', 'a page begins after the given id');
SELECT results_eq('SELECT b.blocked_id FROM ids, shard_0001.fetch_blocks(bob, cid, 5) b', 'VALUES (NULL::bigint)', 'a page without blocks is one row of nulls');
SELECT is_empty('SELECT b.* FROM ids, shard_0001.fetch_blocks(test.id(1, 99), 0, 5) b', 'an unknown mailbox gives no row');

-- Unblocked.
SELECT is(pg_temp.status(bob, ann, false), 'done', 'one of two blocked users is unblocked') FROM ids;
SELECT is(pg_temp.guarded(bob), true, 'the mailbox is still guarded') FROM ids;
SELECT is(w.status, 0::smallint, 'the mailbox accepts messages of the unblocked user') FROM ids, test.write(test.deliver(bob, ann, 'k1', 'b', 9500, 1)) w;
SELECT is(pg_temp.status(bob, cid, false), 'done', 'the other user is unblocked too') FROM ids;
SELECT is(pg_temp.guarded(bob), NULL, 'the mailbox is no longer guarded') FROM ids;

-- The limit.
INSERT INTO parley.block SELECT bob, n, 1 FROM ids, generate_series(1, 10000) n;
SELECT is(pg_temp.status(bob, cid, true), 'too-many-blocks', 'a block above the limit is refused') FROM ids;
SELECT is(pg_temp.status(bob, 5000, true), 'done', 'blocking a user who is already blocked succeeds at the limit') FROM ids;
SELECT is(pg_temp.status(bob, 5000, false), 'done', 'a user is unblocked') FROM ids;
SELECT is(pg_temp.status(bob, cid, true), 'done', 'then there is room for another block') FROM ids;

-- An erased user.
UPDATE parley.mailbox SET erased_timestamp = 1, guarded = true FROM ids WHERE user_id = bob;
SELECT is(pg_temp.status(bob, cid, false), 'no-mailbox', 'an erased user cannot change blocks') FROM ids;
SELECT is_empty('SELECT b.* FROM ids, shard_0001.fetch_blocks(bob, 0, 5) b', 'an erased user has no blocks');

SELECT finish();
ROLLBACK;
