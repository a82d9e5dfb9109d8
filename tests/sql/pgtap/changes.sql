-- Changes of messages: what write_changes makes of them in both mailboxes, with and without a companion, and what a retry
-- or a late copy meets.
BEGIN;
SET search_path = test, tap, public;
SELECT no_plan();

-- Ann (shard 0) and Bob (shard 1): the message's first-written copy is Bob's.
CREATE TEMP TABLE ids AS SELECT test.user(0, 1) AS ann, test.user(1, 1) AS bob;
CREATE TEMP TABLE sent AS
SELECT w.message_id AS id FROM ids, test.write(test.deliver(bob, ann, 'k1', 'hello', 5000, 1)) w;

CREATE FUNCTION pg_temp.change(kind text, mailbox bigint, argument jsonb, companion bigint DEFAULT 0)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT c.part, c.kind, c.detail, c.mailbox_id, c.target_id, c.version, c.ordinal
    FROM parley.write_changes(ARRAY[kind], ARRAY[mailbox], ARRAY[argument::text], ARRAY[companion]) c
$$;
CREATE FUNCTION pg_temp.status(kind text, mailbox bigint, argument jsonb, companion bigint DEFAULT 0)
RETURNS text LANGUAGE sql AS $$
    SELECT c.kind FROM parley.write_changes(ARRAY[kind], ARRAY[mailbox], ARRAY[argument::text], ARRAY[companion]) c
    WHERE c.part = 'r'
$$;
CREATE FUNCTION pg_temp.edit(content text, at bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('peerId', ann::text, 'messageId', id::text, 'content', content, 'timestamp', at) FROM ids, sent
$$;
CREATE FUNCTION pg_temp.content(mailbox bigint) RETURNS text LANGUAGE sql AS $$
    SELECT m.content FROM parley.message m, sent WHERE m.user_id = mailbox AND m.message_id = sent.id
$$;
CREATE FUNCTION pg_temp.owed() RETURNS TABLE (target bigint, kind text, argument jsonb) LANGUAGE sql AS $$
    SELECT target_id, kind, argument FROM parley.change_outbox ORDER BY mailbox_id, version, ordinal
$$;

-- An edit.
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello!', 6000), ann), 'done', 'an edit with a companion') FROM ids;
SELECT is(pg_temp.content(bob), 'hello!', 'changes the recipient''s copy') FROM ids;
SELECT is(pg_temp.content(ann), 'hello!', 'and in the same transaction the sender''s') FROM ids;
SELECT is_empty('SELECT * FROM pg_temp.owed()', 'and owes nothing');
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello?', 7000)), 'done', 'an edit without one') FROM ids;
SELECT is(pg_temp.content(ann), 'hello!', 'leaves the sender''s copy') FROM ids;
SELECT results_eq('SELECT target, kind FROM pg_temp.owed()', 'SELECT ann, ''message''::text FROM ids', 'which is owed');
SELECT is(pg_temp.status(kind, target, argument), 'done', 'what is owed can be made') FROM pg_temp.owed();
SELECT is(pg_temp.content(ann), 'hello?', 'and brings it to the same state') FROM ids;
SELECT is(m.version, m2.version, 'made again it changes nothing')
FROM (SELECT version FROM parley.mailbox, ids WHERE user_id = ann) m,
     LATERAL (SELECT pg_temp.status(kind, target, argument) FROM pg_temp.owed()) again,
     LATERAL (SELECT version FROM parley.mailbox, ids WHERE user_id = ann) m2;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello?', 7000)), 'done', 'the same edit again') FROM ids;
SELECT is((SELECT count(*)::integer FROM pg_temp.owed()), 1, 'owes nothing more');
SELECT is(m.extra ->> 'editedTimestamp', '7000', 'the time is kept') FROM parley.message m, ids WHERE user_id = ann;
SELECT results_eq('SELECT status, message_id FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello'', 9000, 1))',
                  'SELECT 1::smallint, id FROM sent', 'a retry of the send is a duplicate');
SELECT results_eq('SELECT status FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello?'', 9000, 1))',
                  'SELECT 2::smallint', 'with the edited content it is another message under the same key');

-- What is refused.
SELECT is(pg_temp.status('message', ann, jsonb_build_object('peerId', bob::text, 'messageId', id::text, 'content', 'x', 'timestamp', 1)),
          'not-sender', 'the recipient cannot edit it') FROM ids, sent;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('x', 1) || '{"messageId": "12"}'), 'message-not-found', 'nor anybody what is not there') FROM ids;
SELECT is(pg_temp.status('message', test.id(1, 99), pg_temp.edit('x', 1)), 'no-mailbox', 'nor in no mailbox');

-- Reactions.
CREATE FUNCTION pg_temp.reaction(emoji text, is_on boolean) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('peerId', bob::text, 'messageId', id::text, 'actorId', bob::text, 'emoji', emoji, 'on', is_on)
    FROM ids, sent
$$;
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('+', true), bob), 'done', 'a reaction') FROM ids;
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('-', true), bob), 'done', 'and another of the same user') FROM ids;
SELECT results_eq('SELECT DISTINCT parley.message_extra(m.extra) FROM parley.message m',
                  $q$SELECT '"editedTimestamp":7000,"reactions":[{"emoji": "+", "userIds": ["' || bob || '"]}, {"emoji": "-", "userIds": ["' || bob || '"]}]' FROM ids$q$,
                  'are in both copies');
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('-', false), bob), 'done', 'one is taken back') FROM ids;
SELECT results_eq('SELECT DISTINCT m.extra -> ''reactions'' FROM parley.message m',
                  'SELECT jsonb_build_object(''+'', jsonb_build_array(bob::text)) FROM ids', 'in both copies');

-- A block.
INSERT INTO parley.block SELECT bob, ann, 1 FROM ids;
UPDATE parley.mailbox SET guarded = true FROM ids WHERE user_id = bob;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('x', 1)), 'recipient-unavailable', 'who is blocked cannot edit') FROM ids;
SELECT results_eq('SELECT o.status, o.version FROM ids, test.write(test.deliver(bob, ann, ''k2'', ''hey'', 9000, 1)) o',
                  'SELECT 2::smallint, -2::bigint', 'nor send');
SELECT results_eq('SELECT status, message_id FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello'', 9000, 1))',
                  'SELECT 1::smallint, id FROM sent', 'but gets a retry''s first result');
SELECT is((SELECT count(*)::integer FROM parley.message), 2, 'nothing was stored');
DELETE FROM parley.block;

-- Deletions.
SELECT is(pg_temp.status('deletion', bob, jsonb_build_object('peerId', ann::text, 'messageId', id::text, 'timestamp', 8000)),
          'done', 'the recipient deletes it for themselves') FROM ids, sent;
SELECT is(pg_temp.content(bob), '', 'which leaves no content') FROM ids;
SELECT is(pg_temp.content(ann), 'hello?', 'and the sender''s copy alone') FROM ids;
SELECT is((SELECT unread_count FROM parley.conversation, ids WHERE user_id = bob), 0, 'it does not count any more');
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hm', 9500), ann), 'done', 'an edit after that') FROM ids;
SELECT is(pg_temp.content(bob), '', 'does not bring it back') FROM ids;
SELECT is(pg_temp.content(ann), 'hm', 'and is in the sender''s copy') FROM ids;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('x', 9600) - 'content', ann), 'done', 'it is deleted for everyone') FROM ids;
SELECT results_eq('SELECT DISTINCT content, extra ->> ''deletedScope'' FROM parley.message', $$VALUES ('', 'everyone')$$, 'in both copies');
SELECT is(pg_temp.status('message', bob, pg_temp.edit('x', 9700)), 'message-not-found', 'and cannot be edited any more') FROM ids;
SELECT results_eq('SELECT status, message_id FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello'', 9000, 1))',
                  'SELECT 1::smallint, id FROM sent', 'a retry of the send is still a duplicate');

-- The sender's copy is owed while the message changes.
CREATE TEMP TABLE late AS SELECT w.message_id AS id FROM ids, test.write(test.deliver(bob, ann, 'k3', 'late', 9000, 2)) w;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('later', 10000) || jsonb_build_object('messageId', late.id::text)), 'done',
          'an edit before the sender has a copy') FROM ids, late;
SELECT is(pg_temp.status(kind, target, argument), 'missing', 'cannot be made there yet')
FROM pg_temp.owed() o, late WHERE o.argument ->> 'messageId' = late.id::text;
SELECT is(pg_temp.status('deletion', bob, jsonb_build_object('peerId', ann::text, 'messageId', late.id::text, 'timestamp', 10100)),
          'done', 'and the recipient deletes it for themselves') FROM ids, late;
SELECT results_eq('SELECT c.content, c.extra::jsonb - ''revisions'' FROM ids, late, parley.claim_outbox(ARRAY[bob], ARRAY[ann], ARRAY[late.id]) c',
                  $$VALUES ('later', '{"editedTimestamp": 10000}'::jsonb)$$, 'the sender''s copy is of what the message is now');

SELECT finish();
ROLLBACK;
