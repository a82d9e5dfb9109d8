-- A user's own view of a conversation: its settings, and what remains when it is deleted for oneself.
BEGIN;
SET search_path = test, tap, public;
SELECT no_plan();

-- Ann (shard 0) sends to Bob (shard 1): Bob's copies are written first.
CREATE TEMP TABLE ids AS SELECT test.user(0, 1) AS ann, test.user(1, 1) AS bob, test.user(1, 2) AS cid;
CREATE TEMP TABLE sent AS
SELECT n, w.message_id AS id FROM ids, generate_series(1, 3) n, test.write(test.deliver(bob, ann, 'k' || n, 'text ' || n, 5000 + n, 1)) w;

CREATE FUNCTION pg_temp.change(change text, mailbox bigint, argument jsonb)
RETURNS TABLE (part "char", status text, detail jsonb) LANGUAGE sql AS $$
    SELECT c.part, c.kind, c.detail::jsonb - 'version'
    FROM parley.write_changes(ARRAY[change], ARRAY[mailbox], ARRAY[argument::text], ARRAY[0::bigint]) c
$$;
CREATE FUNCTION pg_temp.status(change text, argument jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT c.status FROM ids, pg_temp.change(change, bob, jsonb_build_object('peerId', ann::text) || argument) c WHERE c.part = 'r'
$$;
CREATE FUNCTION pg_temp.version(mailbox bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM parley.mailbox m WHERE m.user_id = $1
$$;
CREATE FUNCTION pg_temp.conversation(mailbox bigint) RETURNS parley.conversation LANGUAGE sql AS $$
    SELECT c FROM parley.conversation c WHERE c.user_id = mailbox
$$;
CREATE FUNCTION pg_temp.slice() RETURNS text LANGUAGE sql AS $$
    SELECT c.status FROM parley.change_outbox o, pg_temp.change(o.kind, o.target_id, o.argument) c WHERE c.part = 'r'
$$;

-- Settings.
SELECT results_eq($$SELECT c.part, c.detail FROM ids, pg_temp.change('settings', bob,
                        jsonb_build_object('peerId', ann::text, 'mutedUntil', 9007199254740991, 'pinned', true)) c$$,
                  $$VALUES ('r'::"char", '{"status": "done", "mutedUntil": 9007199254740991, "archived": false, "pinned": true, "markedUnread": false}'::jsonb), ('w', NULL)$$,
                  'the answer has the new settings');
SELECT results_eq('SELECT c.muted_until, c.archived, c.pinned, c.version, parley.period_of(c.version)::integer FROM ids, pg_temp.conversation(bob) c',
                  'SELECT 9007199254740991, false, true, m.version, c.changed_period FROM ids, pg_temp.conversation(bob) c, parley.mailbox m WHERE m.user_id = bob',
                  'the conversation has the new settings and the mailbox''s version');
SELECT is_empty($$SELECT c.* FROM ids, pg_temp.change('settings', bob, jsonb_build_object('peerId', ann::text, 'pinned', true)) c WHERE part = 'w'$$,
                'the same settings again change nothing');
SELECT is(pg_temp.status('settings', '{"archived": true}'), 'done', 'one setting is changed');
SELECT results_eq('SELECT c.muted_until, c.archived, c.pinned FROM ids, pg_temp.conversation(bob) c', 'VALUES (9007199254740991, true, true)', 'the other settings stay');
SELECT is(c.status, 'conversation-not-found', 'a setting without a conversation is refused: peer ' || peer)
FROM ids, (VALUES (2::bigint), (9223372036854775807)) p (peer),
     LATERAL pg_temp.change('settings', bob, jsonb_build_object('peerId', peer::text, 'pinned', true)) c;
SELECT is(c.status, 'conversation-not-found', 'a setting for another user without a conversation is refused')
FROM ids, pg_temp.change('settings', ann, jsonb_build_object('peerId', cid::text, 'pinned', true)) c;
SELECT is((SELECT muted_until FROM ids, pg_temp.conversation(ann)), 0::bigint, 'the other user''s settings do not change');

-- Deleted for oneself.
SELECT is(c.status, 'conversation-not-found', 'an unknown conversation cannot be deleted')
FROM ids, pg_temp.change('clear', bob, jsonb_build_object('peerId', cid::text, 'timestamp', 8000)) c;
CREATE TEMP TABLE before AS SELECT pg_temp.version(bob) AS version FROM ids;
SELECT is(pg_temp.status('clear', '{"timestamp": 8000}'), 'done', 'a conversation is deleted');
SELECT results_eq('SELECT c.cleared_up_to, c.last_message_id, c.unread_count, c.pinned, c.archived, c.version FROM ids, pg_temp.conversation(bob) c',
                  'SELECT id, id, 0, false, true, pg_temp.version(bob) FROM ids, sent WHERE n = 3', 'it is cleared up to its last message');
SELECT is_empty('SELECT f.* FROM ids, shard_0001.fetch_conversations(ARRAY[bob], ARRAY[9], ARRAY[0], ARRAY[0], ARRAY[0], ARRAY[0]) f WHERE f.peer_id IS NOT NULL',
                'the list does not show it');
SELECT is_empty($$SELECT f.* FROM ids, before, unnest(ARRAY[0, 1, version]) since,
                      LATERAL shard_0001.fetch_messages(ARRAY[bob], ARRAY[ann], ARRAY[9], ARRAY[0], ARRAY[0], ARRAY[since], ARRAY[0], ARRAY[9]) f
                  WHERE f.message_id IS NOT NULL$$, 'no page shows its messages');
SELECT results_eq('SELECT f.kind, f.cleared_up_to FROM ids, before, shard_0001.fetch_updates(bob, 9, version) f WHERE f.kind <> ''h''',
                  $$SELECT 'c'::"char", id FROM sent WHERE n = 3$$, 'other devices learn up to which message it is cleared');
SELECT results_eq('SELECT target_id, kind COLLATE "default", argument ->> ''after'' FROM parley.change_outbox', $$SELECT bob, 'clear_slice', '0' FROM ids$$,
                  'a follow-up to the same mailbox deletes the content');

-- The sender edits a message before its content is deleted.
SELECT is(c.status, 'done', 'the sender edits a message')
FROM ids, sent, pg_temp.change('message', bob, jsonb_build_object('peerId', ann::text, 'messageId', id::text, 'content', 'edited', 'timestamp', 8100)) c
WHERE n = 2 AND part = 'r';
SELECT is_empty($$SELECT f.* FROM ids, before, unnest(ARRAY[0, version]) since,
                      LATERAL shard_0001.fetch_messages(ARRAY[bob], ARRAY[ann], ARRAY[9], ARRAY[0], ARRAY[0], ARRAY[since], ARRAY[0], ARRAY[9]) f
                  WHERE f.message_id IS NOT NULL$$, 'the edit does not restore it');
DELETE FROM parley.change_outbox WHERE kind = 'message';
CREATE TEMP TABLE versions AS SELECT m.message_id, m.version FROM ids, parley.message m WHERE m.user_id = bob;

SELECT is(pg_temp.slice(), 'done', 'the slice deletes the content');
SELECT results_eq($$SELECT m.content, m.extra ->> 'deletedScope', (m.extra ->> 'deletedTimestamp')::bigint, m.extra ? 'copyContent'
                    FROM ids, parley.message m WHERE m.user_id = bob$$,
                  $$SELECT '', 'me', 8000::bigint, false FROM generate_series(1, 3)$$, 'the messages look as if each had been deleted');
SELECT results_eq('SELECT m.message_id, m.version FROM ids, parley.message m WHERE m.user_id = bob ORDER BY 1', 'SELECT * FROM versions ORDER BY 1',
                  'no message gets a new version');
SELECT results_eq('SELECT m.content FROM ids, parley.message m WHERE m.user_id = ann ORDER BY m.message_id', $$VALUES ('text 1'), ('text 2'), ('text 3')$$,
                  'the other user''s copies do not change');
SELECT is(pg_temp.slice(), 'done', 'a repeated slice succeeds');
SELECT results_eq($$SELECT w.status, w.message_id FROM ids, generate_series(1, 3) n, test.write(test.deliver(bob, ann, 'k' || n, 'text ' || n, 9000, 1)) w$$,
                  'SELECT 1::smallint, id FROM sent ORDER BY n', 'retries of the sends are duplicates');
SELECT is(c.status, 'done', 'the sender deletes a message for everyone')
FROM ids, sent, pg_temp.change('message', bob, jsonb_build_object('peerId', ann::text, 'messageId', id::text, 'timestamp', 8200)) c
WHERE n = 1 AND part = 'r';
SELECT is((SELECT unread_count FROM ids, pg_temp.conversation(bob)), 0, 'a cleared message is not subtracted from the unread count');
DELETE FROM parley.change_outbox;

CREATE TEMP TABLE cleared AS SELECT pg_temp.version(bob) AS version FROM ids;
SELECT is(pg_temp.status('clear', '{"timestamp": 8300}'), 'done', 'the conversation is deleted again');
SELECT is(pg_temp.version(bob), version, 'the mailbox''s version does not change') FROM ids, cleared;
SELECT is_empty('SELECT * FROM parley.change_outbox', 'there is no follow-up');
SELECT is(pg_temp.status('settings', '{"pinned": true}'), 'done', 'a deleted conversation can be pinned');
SELECT is(pg_temp.status('clear', '{"timestamp": 8400}'), 'done', 'it is deleted once more');
SELECT is((SELECT pinned FROM ids, pg_temp.conversation(bob)), false, 'the deletion unpins it');
SELECT is_empty('SELECT * FROM parley.change_outbox', 'there is no follow-up either');

-- Later messages are deleted too, while the senders' copies are still in the outbox. They are more than one slice.
SELECT is(count(DISTINCT w.message_id), 2500::bigint, 'many messages are sent')
FROM ids, LATERAL (SELECT array_agg(test.deliver(bob, ann, 'late' || n, 'late ' || n, 20000 + n, 2) ORDER BY n) AS batch
                   FROM generate_series(1, 2500) n) b, test.write(VARIADIC b.batch) w;
SELECT results_eq('SELECT c.unread_count FROM ids, pg_temp.conversation(bob) c', 'VALUES (2500)', 'they count as unread');
SELECT is(pg_temp.status('clear', '{"timestamp": 8500}'), 'done', 'the conversation is deleted again');
SELECT results_eq('SELECT o.argument ->> ''after'' FROM parley.change_outbox o', 'SELECT id::text FROM sent WHERE n = 3', 'the follow-up begins after the last deletion');
SELECT is(pg_temp.slice(), 'missing', 'the first slice does not finish');
SELECT is((SELECT count(*)::integer FROM ids, parley.message m WHERE m.user_id = bob AND m.content <> ''), 1500, 'a slice has 1,000 messages');
SELECT is(pg_temp.slice(), 'missing', 'the second slice does not finish');
SELECT results_eq($$SELECT c.content, c.extra FROM ids, parley.outbox o, parley.claim_outbox(ARRAY[bob], ARRAY[ann], ARRAY[o.message_id]) c
                    ORDER BY c.message_id$$, $$SELECT 'late ' || n, NULL FROM generate_series(1, 2500) n$$,
                  'the senders'' copies get the content that was sent');
SELECT is(pg_temp.slice(), 'done', 'the last slice finishes');
SELECT is_empty($$SELECT m.* FROM ids, parley.message m WHERE m.user_id = bob AND m.content <> ''$$, 'all messages are empty');
SELECT results_eq($$SELECT c.content, c.extra FROM ids, parley.outbox o, parley.claim_outbox(ARRAY[bob], ARRAY[ann], ARRAY[o.message_id]) c
                    ORDER BY c.message_id$$, $$SELECT 'late ' || n, NULL FROM generate_series(1, 2500) n$$,
                  'the senders'' copies still get the content that was sent');
SELECT is(pg_temp.slice(), 'done', 'a repeated slice succeeds');

SELECT finish();
ROLLBACK;
