-- Changes of messages by write_changes in both mailboxes, with and without a companion, and what a retry
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
CREATE FUNCTION pg_temp.entries() RETURNS TABLE (target bigint, kind text, argument jsonb) LANGUAGE sql AS $$
    SELECT target_id, kind, argument FROM parley.change_outbox ORDER BY mailbox_id, version, ordinal
$$;

-- An edit.
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello!', 6000), ann), 'done', 'an edit with a companion') FROM ids;
SELECT is(pg_temp.content(bob), 'hello!', 'changes the recipient''s copy') FROM ids;
SELECT is(pg_temp.content(ann), 'hello!', 'and in the same transaction the sender''s') FROM ids;
SELECT is_empty('SELECT * FROM pg_temp.entries()', 'without an outbox entry');
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello?', 7000)), 'done', 'an edit without one') FROM ids;
SELECT is(pg_temp.content(ann), 'hello!', 'leaves the sender''s copy') FROM ids;
SELECT results_eq('SELECT target, kind FROM pg_temp.entries()', 'SELECT ann, ''message''::text FROM ids', 'which has an outbox entry');
SELECT is(pg_temp.status(kind, target, argument), 'done', 'the follow-up can be made') FROM pg_temp.entries();
SELECT is(pg_temp.content(ann), 'hello?', 'and brings it to the same state') FROM ids;
SELECT is(m.version, m2.version, 'made again it changes nothing')
FROM (SELECT version FROM parley.mailbox, ids WHERE user_id = ann) m,
     LATERAL (SELECT pg_temp.status(kind, target, argument) FROM pg_temp.entries()) again,
     LATERAL (SELECT version FROM parley.mailbox, ids WHERE user_id = ann) m2;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello?', 7000)), 'done', 'the same edit again') FROM ids;
SELECT is((SELECT count(*)::integer FROM pg_temp.entries()), 1, 'adds no outbox entry');
SELECT is(m.extra ->> 'editedTimestamp', '7000', 'the time is kept') FROM parley.message m, ids WHERE user_id = ann;
SELECT results_eq('SELECT status, message_id FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello'', 9000, 1))',
                  'SELECT 1::smallint, id FROM sent', 'a retry of the send is a duplicate');
SELECT results_eq('SELECT status FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello?'', 9000, 1))',
                  'SELECT 2::smallint', 'with the edited content it is another message under the same key');

-- A change that is made and asked for again has the same follow-ups: the first answer may have been lost with them.
SELECT is(parley.settle_changes(ARRAY[o.mailbox_id], ARRAY[o.version], ARRAY[o.ordinal::bigint]), 1, 'the row is settled') FROM parley.change_outbox o;
CREATE TEMP TABLE before AS SELECT test.everything() AS text;
SELECT results_eq('SELECT part, kind, target FROM ids, pg_temp.change(''message'', bob, pg_temp.edit(''hello?'', 7000))
                       AS c (part "char", kind text, detail text, mailbox bigint, target bigint, version bigint, ordinal bigint)',
                  'SELECT ''o''::"char", ''message''::text, ann FROM ids UNION ALL SELECT ''r'', ''done'', NULL', 'the same edit has the same follow-up');
SELECT is(pg_temp.status(kind, target, argument), 'done', 'the follow-up is made again') FROM pg_temp.entries();
SELECT is(test.everything(), before.text, 'and nothing has changed') FROM before;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello?', 7000), ann), 'done', 'also with a companion') FROM ids;
SELECT is(test.everything(), before.text, 'where it changes nothing either') FROM before;

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
SELECT results_eq('SELECT DISTINCT parley.message_extra(m.extra, bob) FROM parley.message m, ids',
                  $q$SELECT '"messageType":"user","editedTimestamp":7000,"reactions":[' || string_agg(format('{"own": true, "count": 1, "emoji": "%s", "userIds": ["%s"]}', e, bob), ', ') || ']'
                     FROM ids, unnest(ARRAY['+', '-']) e GROUP BY bob$q$,
                  'are in both copies');
SELECT is(parley.reactions_list('{"+": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]}', 12),
          '[{"emoji": "+", "count": 11, "own": false, "userIds": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]}]', 'ten users of many are shown');
SELECT results_eq('SELECT r.status, r.page::jsonb FROM ids, sent, shard_0000.fetch_reactions(ann, bob, id, NULL, 0, 10) r',
                  $q$SELECT 'done', jsonb_build_object('hasMore', false, 'reactions', jsonb_build_array(
                         jsonb_build_object('userId', bob::text, 'emoji', '+'), jsonb_build_object('userId', bob::text, 'emoji', '-'))) FROM ids$q$, 'and all are listed');
SELECT results_eq('SELECT r.page::jsonb FROM ids, sent, shard_0000.fetch_reactions(ann, bob, id, ''-'', bob - 1, 1) r',
                  $q$SELECT jsonb_build_object('hasMore', false, 'reactions', jsonb_build_array(jsonb_build_object('userId', bob::text, 'emoji', '-'))) FROM ids$q$, 'or those of one kind');
SELECT results_eq('SELECT r.page::jsonb FROM ids, sent, shard_0000.fetch_reactions(ann, bob, id, NULL, bob, 1) r', $q$SELECT '{"hasMore": false, "reactions": []}'::jsonb$q$, 'after a user');
SELECT is(r.status, 'message-not-found', 'of a message that is not there none') FROM ids, sent, shard_0000.fetch_reactions(ann, bob, id + 2, NULL, 0, 10) r;
SELECT is(r.status, 'no-mailbox', 'nor in no mailbox') FROM ids, sent, shard_0000.fetch_reactions(test.id(0, 99), bob, id, NULL, 0, 10) r;
SELECT is(r.page::jsonb -> 'receipts', jsonb_build_array(jsonb_build_object('userId', bob::text, 'status', w.status)), 'the recipient has one receipt: ' || w.status)
FROM ids, sent, LATERAL (SELECT 'sent' AS status, page FROM shard_0000.fetch_receipts(ann, bob, id, 0)
                         UNION ALL SELECT 'delivered', page FROM shard_0001.fetch_receipts(bob, ann, id, 0)) w, LATERAL (SELECT w.page) r;
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('-', false), bob), 'done', 'one is taken back') FROM ids;
SELECT results_eq('SELECT DISTINCT m.extra -> ''reactions'' FROM parley.message m',
                  'SELECT jsonb_build_object(''+'', jsonb_build_array(bob::text)) FROM ids', 'in both copies');

SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('+', true)), 'done', 'one that is there already') FROM ids;
SELECT results_eq('SELECT kind, argument -> ''emojis'' FROM pg_temp.entries() WHERE kind <> ''message''', $$VALUES ('reaction', '["+"]'::jsonb)$$,
                  'the follow-up has all emojis of the user');
SELECT is((SELECT pg_temp.status('reaction', ann, pg_temp.reaction('-', false) || jsonb_build_object('actorId', '12')) FROM ids), 'done',
          'one that never was there');
SELECT is((SELECT count(*)::integer FROM pg_temp.entries()), 2, 'has no follow-up');
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('+', true) || '{"messageId": "12"}'), 'message-not-found', 'what is not there is not found') FROM ids;
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('+', true) || '{"messageId": "12", "held": true}'), 'missing',
          'but where the user has a copy of it, it is to come') FROM ids;
DELETE FROM parley.change_outbox;

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
UPDATE before SET text = test.everything();
SELECT results_eq('SELECT part, kind, detail::jsonb -> ''timestamp'' FROM ids, pg_temp.change(''message'', bob, pg_temp.edit(''x'', 9800) - ''content'')
                       AS c (part "char", kind text, detail text, mailbox bigint, target bigint, version bigint, ordinal bigint)',
                  $$VALUES ('o'::"char", 'message', '9600'::jsonb), ('r', 'done', NULL)$$, 'it is deleted again, as of the first time');
SELECT is(test.everything(), before.text, 'which changes nothing') FROM before;
DELETE FROM parley.change_outbox;
SELECT results_eq('SELECT status, message_id FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello'', 9000, 1))',
                  'SELECT 1::smallint, id FROM sent', 'a retry of the send is still a duplicate');

-- The message changes while the sender's copy is still in the outbox.
CREATE TEMP TABLE late AS SELECT w.message_id AS id FROM ids, test.write(test.deliver(bob, ann, 'k3', 'late', 9000, 2)) w;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('later', 10000) || jsonb_build_object('messageId', late.id::text)), 'done',
          'an edit before the sender has a copy') FROM ids, late;
SELECT is(pg_temp.status(kind, target, argument), 'missing', 'cannot be made there yet')
FROM pg_temp.entries() o, late WHERE o.argument ->> 'messageId' = late.id::text;
SELECT is(pg_temp.status('deletion', bob, jsonb_build_object('peerId', ann::text, 'messageId', late.id::text, 'timestamp', 10100)),
          'done', 'and the recipient deletes it for themselves') FROM ids, late;
SELECT results_eq('SELECT c.content, c.extra::jsonb - ''revisions'' FROM ids, late, parley.claim_outbox(ARRAY[bob], ARRAY[ann], ARRAY[late.id]) c',
                  $$VALUES ('later', '{"editedTimestamp": 10000}'::jsonb)$$, 'the sender''s copy is of what the message is now');

-- The outbox of changes.
DELETE FROM parley.change_outbox;
CREATE TEMP TABLE replied AS
SELECT (parley.write_messages(ARRAY[bob], ARRAY[1], ARRAY[9000], ARRAY[1], ARRAY[1], ARRAY[ann], ARRAY['k4'], ARRAY['a reply'],
                              ARRAY[9000], ARRAY[true], '{}', '{}', '{}', '{}', '{}', '{}', '{}',
                              ARRAY[format('{"replyTo":"%s"}', sent.id)])).first_messages[1] AS id
FROM ids, sent;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('an answer', 11000) || jsonb_build_object('messageId', replied.id::text), ann), 'done',
          'a companion that has not got its copy yet') FROM ids, replied;
SELECT results_eq('SELECT target, kind, argument ->> ''content'' FROM pg_temp.entries()', 'SELECT ann, ''message''::text, ''an answer''::text FROM ids',
                  'gets the change by an outbox entry');
SELECT results_eq('SELECT c.content, c.extra::jsonb - ''revisions'' FROM ids, replied, parley.claim_outbox(ARRAY[bob], ARRAY[ann], ARRAY[replied.id]) c',
                  'SELECT ''an answer''::text, jsonb_build_object(''replyTo'', sent.id::text, ''editedTimestamp'', 11000) FROM sent',
                  'the sender''s copy has what the message answers');
SELECT is((SELECT array_agg(k.target_id) FROM parley.pending_changes(0, 0, 0, 10) k), ARRAY[ann], 'the row is pending') FROM ids;
SELECT is_empty('SELECT o.mailbox_id FROM parley.change_outbox o, parley.pending_changes(o.mailbox_id, o.version, o.ordinal, 10)', 'once');
SELECT results_eq('SELECT c.target_id, c.kind, c.argument::jsonb FROM parley.change_outbox o,
                       parley.claim_changes(ARRAY[o.mailbox_id, o.mailbox_id], ARRAY[o.version, o.version], ARRAY[o.ordinal, 99]) c',
                  'SELECT target, kind, argument FROM pg_temp.entries()', 'it can be claimed, and one that is not there cannot');
SELECT is(parley.settle_changes(ARRAY[o.mailbox_id, 5], ARRAY[o.version, 6], ARRAY[o.ordinal::bigint, 7]), 1, 'and settled') FROM parley.change_outbox o;
SELECT is_empty('SELECT * FROM parley.pending_changes(0, 0, 0, 10)', 'then it is gone');

-- Several messages in a batch for a mailbox that refuses some.
CREATE TEMP TABLE more AS SELECT test.user(1, 2) AS cid, test.user(1, 3) AS dan;
INSERT INTO parley.block SELECT bob, ann, 1 FROM ids;
UPDATE parley.mailbox SET guarded = true, erased_timestamp = CASE WHEN user_id = dan THEN 1 END FROM ids, more WHERE user_id IN (bob, dan);
SELECT results_eq('SELECT w.op, w.version FROM ids, more, test.write(
                       test.deliver(bob, ann, ''b1''), test.deliver(bob, cid, ''b2'', copy_mode => 1), test.deliver(dan, cid, ''b3'', copy_mode => 1),
                       test.deliver(bob, ann, ''k1'', ''hello''), test.deliver(cid, dan, ''b4'', copy_mode => 1), test.deliver(bob, ann, ''b5'')) w
                   WHERE w.op NOT IN (2, 5)',
                  $$SELECT v.op, coalesce(v.version, m.version)
                    FROM (VALUES (1, -2), (3, -1), (4, NULL), (6, -2)) v (op, version), ids, sent, parley.message m
                    WHERE m.user_id = bob AND m.message_id = sent.id$$, 'each has its own answer: blocked, erased, a retry, blocked');
SELECT results_eq('SELECT m.user_id, m.client_message_id COLLATE "default" FROM parley.message m WHERE m.client_message_id LIKE ''b%'' ORDER BY 2, 1',
                  'SELECT bob, ''b2''::text FROM ids UNION ALL SELECT cid, ''b2'' FROM more UNION ALL SELECT cid, ''b4'' FROM more',
                  'and what is not refused is stored, but for the copy of who is erased');
SELECT is((SELECT array_agg(c.kind) FROM more, ids, parley.write_changes(ARRAY['deletion', 'deletion'], ARRAY[dan, bob],
              ARRAY['{"peerId": "1", "messageId": "2"}', '{"peerId": "1", "messageId": "2"}'], ARRAY[0, 0]::bigint[]) c),
          '{no-mailbox,message-not-found}', 'an erased mailbox takes no change either');
DELETE FROM parley.change_outbox;
CREATE TEMP TABLE left_alone AS
SELECT w.message_id AS id FROM more, test.write(test.deliver(cid, dan, 'b6')) w WHERE w.op = 1;
SELECT results_eq('SELECT part, kind FROM more, left_alone, parley.write_changes(ARRAY[''message''], ARRAY[cid], ARRAY[jsonb_build_object(
                       ''peerId'', dan::text, ''messageId'', left_alone.id::text, ''timestamp'', 1)::text], ARRAY[dan])',
                  $$VALUES ('r'::"char", 'done'), ('w', NULL)$$, 'nor has it a follow-up for one');

-- has_messages.
SELECT is(shard_0001.has_messages(ARRAY[bob, bob, bob, bob, cid], ARRAY[ann, ann, cid, ann, ann],
                                  ARRAY[sent.id, sent.id - 1, sent.id, replied.id, sent.id]), '{t,f,f,t,f}', 'by mailbox, conversation and id; deleted ones too')
FROM ids, more, sent, replied;
SELECT is(shard_0000.has_messages(ARRAY[ann], ARRAY[bob], ARRAY[9223372036854775807]), '{f}', 'above all that are there') FROM ids;
SELECT is(shard_0001.has_messages('{}', '{}', '{}'), '{}', 'none asked, none given');

SELECT finish();
ROLLBACK;
