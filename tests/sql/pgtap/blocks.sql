-- Blocks: what change_block makes of them, which sends the mailbox takes then, and how they are read.
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

SELECT is(pg_temp.status(bob, ann, false), 'done', 'a user who is not blocked can be unblocked') FROM ids;
SELECT is(pg_temp.version(bob), 1000::bigint, 'which changes nothing') FROM ids;
SELECT is(pg_temp.guarded(bob), NULL, 'the mailbox is not guarded') FROM ids;
SELECT results_eq('SELECT b.part, b.kind FROM ids, pg_temp.block(bob, ann, true) b', $$VALUES ('r'::"char", 'done'), ('w', NULL)$$,
                  'a block raises the version');
SELECT is(pg_temp.guarded(bob), true, 'and guards the mailbox') FROM ids;
SELECT is_empty('SELECT b.* FROM ids, pg_temp.block(bob, ann, true, 8000) b WHERE b.part = ''w''', 'again it changes nothing');
SELECT results_eq('SELECT b.blocked_timestamp FROM parley.block b', 'VALUES (7000::bigint)', 'nor the time');
SELECT is(pg_temp.status(test.id(1, 99), ann, true), 'no-mailbox', 'a user who does not exist cannot block') FROM ids;

-- Sends. In one batch with others, whose places in the answer stay theirs.
SELECT results_eq($$SELECT w.status, w.version < 0, w.message_id > 0 FROM ids, test.write(
                        test.deliver(bob, cid, 'k1', 'a', 9000, 1), test.deliver(bob, ann, 'k1', 'b', 9001, 1),
                        test.deliver(bob, cid, 'k2', 'c', 9002, 1), test.deliver(ann, bob, 'k1', 'd', 9003, 1)) w ORDER BY op$$,
                  $$VALUES (0::smallint, false, true), (2::smallint, true, false), (0::smallint, false, true), (0::smallint, false, true)$$,
                  'of a batch the blocked one''s message is refused, and no other; nor what the blocker writes');
SELECT results_eq('SELECT m.user_id, m.content FROM parley.message m ORDER BY 2, 1',
                  $$SELECT u.user_id, u.content FROM ids,
                        LATERAL (VALUES (bob, 'a'), (cid, 'a'), (bob, 'c'), (cid, 'c'), (ann, 'd'), (bob, 'd')) u (user_id, content)
                    ORDER BY 2, 1$$,
                  'and that is what is stored');
SELECT is_empty('SELECT o.* FROM parley.outbox o', 'and there is no outbox entry');
SELECT is(has_blocked, ARRAY[true, false, false, false], 'who has blocked whom')
FROM ids, shard_0001.have_blocked(ARRAY[bob, bob, cid, test.id(1, 99)], ARRAY[ann, cid, ann, ann]) has_blocked;

SELECT is(s.shown, ARRAY[false, true, true], 'who is blocked does not see the blocker')
FROM ids, parley.shows_presence(ann, ARRAY[bob, cid, ann]) s (shown);
SELECT is(s.shown, ARRAY[false, true], 'nor by the shard')
FROM ids, shard_0001.shows_presence(ann, ARRAY[bob, cid]) s (shown);
SELECT is(s.shown, ARRAY[true, true], 'others do')
FROM ids, parley.shows_presence(cid, ARRAY[bob, ann]) s (shown);

-- Reads.
SELECT is(pg_temp.status(bob, cid, true), 'done', 'another block') FROM ids;
SELECT results_eq('SELECT b.blocked_id FROM ids, shard_0001.fetch_blocks(bob, 0, 2) b', 'SELECT unnest(ARRAY[ann, cid]) FROM ids',
                  'a page is in the order of ids');
SELECT results_eq('SELECT b.blocked_id FROM ids, shard_0001.fetch_blocks(bob, 0, 1) b', 'SELECT unnest(ARRAY[ann, cid]) FROM ids',
                  'and one row longer if there are more');
SELECT results_eq('SELECT b.blocked_id FROM ids, shard_0001.fetch_blocks(bob, ann, 5) b', 'SELECT cid FROM ids', 'it begins after an id');
SELECT results_eq('SELECT b.blocked_id FROM ids, shard_0001.fetch_blocks(bob, cid, 5) b', 'VALUES (NULL::bigint)', 'no block is a row of nulls');
SELECT is_empty('SELECT b.* FROM ids, shard_0001.fetch_blocks(test.id(1, 99), 0, 5) b', 'no mailbox is no row');

-- Unblocked.
SELECT is(pg_temp.status(bob, ann, false), 'done', 'one of two is unblocked') FROM ids;
SELECT is(pg_temp.guarded(bob), true, 'the mailbox is guarded still') FROM ids;
SELECT is(w.status, 0::smallint, 'and takes what that one writes') FROM ids, test.write(test.deliver(bob, ann, 'k1', 'b', 9500, 1)) w;
SELECT is(pg_temp.status(bob, cid, false), 'done', 'the other too') FROM ids;
SELECT is(pg_temp.guarded(bob), NULL, 'it is guarded no more') FROM ids;

-- The most.
INSERT INTO parley.block SELECT bob, n, 1 FROM ids, generate_series(1, 10000) n;
SELECT is(pg_temp.status(bob, cid, true), 'too-many-blocks', 'there is an end to it') FROM ids;
SELECT is(pg_temp.status(bob, 5000, true), 'done', 'which does not concern who is blocked') FROM ids;
SELECT is(pg_temp.status(bob, 5000, false), 'done', 'with one less') FROM ids;
SELECT is(pg_temp.status(bob, cid, true), 'done', 'there is room again') FROM ids;

-- An erased user.
UPDATE parley.mailbox SET erased_timestamp = 1, guarded = true FROM ids WHERE user_id = bob;
SELECT is(pg_temp.status(bob, cid, false), 'no-mailbox', 'who is erased changes nothing') FROM ids;
SELECT is_empty('SELECT b.* FROM ids, shard_0001.fetch_blocks(bob, 0, 5) b', 'and has no blocks to show');

SELECT finish();
ROLLBACK;
