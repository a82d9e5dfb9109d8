-- write_changes on messages, in both mailboxes, with and without a companion; then retries and late copies of
-- changed messages.
BEGIN;
SET search_path = test, tap, public;
SELECT no_plan();

-- Ann (shard 0) sends to Bob (shard 1): Bob's copy is written first.
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
SELECT is(pg_temp.content(bob), 'hello!', 'it changes the recipient''s copy') FROM ids;
SELECT is(pg_temp.content(ann), 'hello!', 'it changes the sender''s copy in the same transaction') FROM ids;
SELECT is_empty('SELECT * FROM pg_temp.entries()', 'it leaves no outbox entry');
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello?', 7000)), 'done', 'an edit without a companion') FROM ids;
SELECT is(pg_temp.content(ann), 'hello!', 'it does not change the sender''s copy yet') FROM ids;
SELECT results_eq('SELECT target, kind FROM pg_temp.entries()', 'SELECT ann, ''message''::text FROM ids', 'it leaves an outbox entry for the sender''s copy');
SELECT is(pg_temp.status(kind, target, argument), 'done', 'the follow-up can be executed') FROM pg_temp.entries();
SELECT is(pg_temp.content(ann), 'hello?', 'the follow-up brings the sender''s copy to the same state') FROM ids;
SELECT is(m.version, m2.version, 'a repeated follow-up changes nothing')
FROM (SELECT version FROM parley.mailbox, ids WHERE user_id = ann) m,
     LATERAL (SELECT pg_temp.status(kind, target, argument) FROM pg_temp.entries()) again,
     LATERAL (SELECT version FROM parley.mailbox, ids WHERE user_id = ann) m2;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello?', 7000)), 'done', 'the same edit is repeated') FROM ids;
SELECT is((SELECT count(*)::integer FROM pg_temp.entries()), 1, 'a repeated edit adds no outbox entry');
SELECT is(m.extra ->> 'editedTimestamp', '7000', 'the copy has the time of the edit') FROM parley.message m, ids WHERE user_id = ann;
SELECT results_eq('SELECT status, message_id FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello'', 9000, 1))',
                  'SELECT 1::smallint, id FROM sent', 'a retry of the send is a duplicate');
SELECT results_eq('SELECT status FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello?'', 9000, 1))',
                  'SELECT 2::smallint', 'a send with the same key and the edited content is refused');

-- A repeated change returns the same follow-ups, because the first answer may have been lost.
SELECT is(parley.settle_changes(ARRAY[o.mailbox_id], ARRAY[o.version], ARRAY[o.ordinal::bigint]), 1, 'the outbox entry is settled') FROM parley.change_outbox o;
CREATE TEMP TABLE before AS SELECT test.everything() AS text;
SELECT results_eq('SELECT part, kind, target FROM ids, pg_temp.change(''message'', bob, pg_temp.edit(''hello?'', 7000))
                       AS c (part "char", kind text, detail text, mailbox bigint, target bigint, version bigint, ordinal bigint)',
                  'SELECT ''o''::"char", ''message''::text, ann FROM ids UNION ALL SELECT ''r'', ''done'', NULL', 'a repeated edit returns the same follow-up');
SELECT is(pg_temp.status(kind, target, argument), 'done', 'the follow-up is executed again') FROM pg_temp.entries();
SELECT is(test.everything(), before.text, 'nothing has changed') FROM before;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hello?', 7000), ann), 'done', 'the edit is repeated with a companion') FROM ids;
SELECT is(test.everything(), before.text, 'this changes nothing either') FROM before;

-- Refused changes.
SELECT is(pg_temp.status('message', ann, jsonb_build_object('peerId', bob::text, 'messageId', id::text, 'content', 'x', 'timestamp', 1)),
          'not-sender', 'the recipient cannot edit the message') FROM ids, sent;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('x', 1) || '{"messageId": "12"}'), 'message-not-found', 'an unknown message cannot be edited') FROM ids;
SELECT is(pg_temp.status('message', test.id(1, 99), pg_temp.edit('x', 1)), 'no-mailbox', 'a message in an unknown mailbox cannot be edited');

-- Reactions.
CREATE FUNCTION pg_temp.reaction(emoji text, is_on boolean) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('peerId', bob::text, 'messageId', id::text, 'actorId', bob::text, 'emoji', emoji, 'on', is_on)
    FROM ids, sent
$$;
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('+', true), bob), 'done', 'a user adds a reaction') FROM ids;
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('-', true), bob), 'done', 'the same user adds a second reaction') FROM ids;
SELECT results_eq('SELECT DISTINCT parley.message_extra(m.extra, bob) FROM parley.message m, ids',
                  $q$SELECT '"messageType":"user","editedTimestamp":7000,"reactions":[' || string_agg(format('{"own": true, "count": 1, "emoji": "%s", "userIds": ["%s"]}', e, bob), ', ') || ']'
                     FROM ids, unnest(ARRAY['+', '-']) e GROUP BY bob$q$,
                  'both copies have both reactions');
SELECT is(parley.reactions_list('{"+": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]}', 12),
          '[{"emoji": "+", "count": 11, "own": false, "userIds": ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]}]', 'the list shows the first ten of many users');
SELECT results_eq('SELECT r.status, r.page::jsonb FROM ids, sent, shard_0000.fetch_reactions(ann, bob, id, NULL, 0, 10) r',
                  $q$SELECT 'done', jsonb_build_object('hasMore', false, 'reactions', jsonb_build_array(
                         jsonb_build_object('userId', bob::text, 'emoji', '+'), jsonb_build_object('userId', bob::text, 'emoji', '-'))) FROM ids$q$, 'fetch_reactions lists all reactions');
SELECT results_eq('SELECT r.page::jsonb FROM ids, sent, shard_0000.fetch_reactions(ann, bob, id, ''-'', bob - 1, 1) r',
                  $q$SELECT jsonb_build_object('hasMore', false, 'reactions', jsonb_build_array(jsonb_build_object('userId', bob::text, 'emoji', '-'))) FROM ids$q$, 'fetch_reactions lists the reactions with one emoji');
SELECT results_eq('SELECT r.page::jsonb FROM ids, sent, shard_0000.fetch_reactions(ann, bob, id, NULL, bob, 1) r', $q$SELECT '{"hasMore": false, "reactions": []}'::jsonb$q$, 'fetch_reactions lists the reactions of users after the given one');
SELECT is(r.status, 'message-not-found', 'fetch_reactions refuses an unknown message') FROM ids, sent, shard_0000.fetch_reactions(ann, bob, id + 2, NULL, 0, 10) r;
SELECT is(r.status, 'no-mailbox', 'fetch_reactions refuses an unknown mailbox') FROM ids, sent, shard_0000.fetch_reactions(test.id(0, 99), bob, id, NULL, 0, 10) r;
SELECT is(r.page::jsonb -> 'receipts', jsonb_build_array(jsonb_build_object('userId', bob::text, 'status', w.status)), 'the recipient has one receipt: ' || w.status)
FROM ids, sent, LATERAL (SELECT 'sent' AS status, page FROM shard_0000.fetch_receipts(ann, bob, id, 0)
                         UNION ALL SELECT 'delivered', page FROM shard_0001.fetch_receipts(bob, ann, id, 0)) w, LATERAL (SELECT w.page) r;
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('-', false), bob), 'done', 'a reaction is removed') FROM ids;
SELECT results_eq('SELECT DISTINCT m.extra -> ''reactions'' FROM parley.message m',
                  'SELECT jsonb_build_object(''+'', jsonb_build_array(bob::text)) FROM ids', 'both copies have the remaining reaction');

SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('+', true)), 'done', 'a reaction is added that is already there') FROM ids;
SELECT results_eq('SELECT kind, argument -> ''emojis'' FROM pg_temp.entries() WHERE kind <> ''message''', $$VALUES ('reaction', '["+"]'::jsonb)$$,
                  'the follow-up has all emojis of the user');
SELECT is((SELECT pg_temp.status('reaction', ann, pg_temp.reaction('-', false) || jsonb_build_object('actorId', '12')) FROM ids), 'done',
          'a reaction is removed that was never there');
SELECT is((SELECT count(*)::integer FROM pg_temp.entries()), 2, 'it leaves no follow-up');
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('+', true) || '{"messageId": "12"}'), 'message-not-found', 'a reaction to an unknown message is refused') FROM ids;
SELECT is(pg_temp.status('reaction', ann, pg_temp.reaction('+', true) || '{"messageId": "12", "held": true}'), 'missing',
          'it has to be tried again if the user has a copy of the message') FROM ids;
DELETE FROM parley.change_outbox;

-- A block.
INSERT INTO parley.block SELECT bob, ann, 1 FROM ids;
UPDATE parley.mailbox SET guarded = true FROM ids WHERE user_id = bob;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('x', 1)), 'recipient-unavailable', 'a blocked user cannot edit') FROM ids;
SELECT results_eq('SELECT o.status, o.version FROM ids, test.write(test.deliver(bob, ann, ''k2'', ''hey'', 9000, 1)) o',
                  'SELECT 2::smallint, -2::bigint', 'a blocked user cannot send');
SELECT results_eq('SELECT status, message_id FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello'', 9000, 1))',
                  'SELECT 1::smallint, id FROM sent', 'a retry by a blocked user gets the first result');
SELECT is((SELECT count(*)::integer FROM parley.message), 2, 'nothing was stored');
DELETE FROM parley.block;

-- Deletions.
SELECT is(pg_temp.status('deletion', bob, jsonb_build_object('peerId', ann::text, 'messageId', id::text, 'timestamp', 8000)),
          'done', 'the recipient deletes the message for themselves') FROM ids, sent;
SELECT is(pg_temp.content(bob), '', 'the recipient''s copy has no content') FROM ids;
SELECT is(pg_temp.content(ann), 'hello?', 'the sender''s copy is not changed') FROM ids;
SELECT is((SELECT unread_count FROM parley.conversation, ids WHERE user_id = bob), 0, 'the deleted message does not count as unread');
SELECT is(pg_temp.status('message', bob, pg_temp.edit('hm', 9500), ann), 'done', 'the sender edits the message after that') FROM ids;
SELECT is(pg_temp.content(bob), '', 'the edit does not restore the recipient''s copy') FROM ids;
SELECT is(pg_temp.content(ann), 'hm', 'the edit changes the sender''s copy') FROM ids;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('x', 9600) - 'content', ann), 'done', 'the sender deletes the message for everyone') FROM ids;
SELECT results_eq('SELECT DISTINCT content, extra ->> ''deletedScope'' FROM parley.message', $$VALUES ('', 'everyone')$$, 'both copies are deleted');
SELECT is(pg_temp.status('message', bob, pg_temp.edit('x', 9700)), 'message-not-found', 'a deleted message cannot be edited') FROM ids;
UPDATE before SET text = test.everything();
SELECT results_eq('SELECT part, kind, detail::jsonb -> ''timestamp'' FROM ids, pg_temp.change(''message'', bob, pg_temp.edit(''x'', 9800) - ''content'')
                       AS c (part "char", kind text, detail text, mailbox bigint, target bigint, version bigint, ordinal bigint)',
                  $$VALUES ('o'::"char", 'message', '9600'::jsonb), ('r', 'done', NULL)$$, 'a repeated deletion keeps the time of the first one');
SELECT is(test.everything(), before.text, 'a repeated deletion changes nothing') FROM before;
DELETE FROM parley.change_outbox;
SELECT results_eq('SELECT status, message_id FROM ids, test.write(test.deliver(bob, ann, ''k1'', ''hello'', 9000, 1))',
                  'SELECT 1::smallint, id FROM sent', 'a retry of the send is still a duplicate');

-- The message changes while the sender's copy is still in the outbox.
CREATE TEMP TABLE late AS SELECT w.message_id AS id FROM ids, test.write(test.deliver(bob, ann, 'k3', 'late', 9000, 2)) w;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('later', 10000) || jsonb_build_object('messageId', late.id::text)), 'done',
          'a message is edited before the sender has a copy') FROM ids, late;
SELECT is(pg_temp.status(kind, target, argument), 'missing', 'the follow-up has to wait for the sender''s copy')
FROM pg_temp.entries() o, late WHERE o.argument ->> 'messageId' = late.id::text;
SELECT is(pg_temp.status('deletion', bob, jsonb_build_object('peerId', ann::text, 'messageId', late.id::text, 'timestamp', 10100)),
          'done', 'the recipient deletes the message for themselves') FROM ids, late;
SELECT results_eq('SELECT c.content, c.extra::jsonb - ''revisions'' FROM ids, late, parley.claim_outbox(ARRAY[bob], ARRAY[ann], ARRAY[late.id]) c',
                  $$VALUES ('later', '{"editedTimestamp": 10000}'::jsonb)$$, 'the sender''s copy gets the edited content');

-- The outbox of changes.
DELETE FROM parley.change_outbox;
CREATE TEMP TABLE replied AS
SELECT (parley.write_messages(ARRAY[bob], ARRAY[1], ARRAY[9000], ARRAY[1], ARRAY[1], ARRAY[ann], ARRAY['k4'], ARRAY['a reply'],
                              ARRAY[9000], ARRAY[true], '{}', '{}', '{}', '{}', '{}', '{}', '{}',
                              ARRAY[format('{"replyTo":"%s"}', sent.id)])).first_messages[1] AS id
FROM ids, sent;
SELECT is(pg_temp.status('message', bob, pg_temp.edit('an answer', 11000) || jsonb_build_object('messageId', replied.id::text), ann), 'done',
          'a message is edited with a companion whose copy is not written yet') FROM ids, replied;
SELECT results_eq('SELECT target, kind, argument ->> ''content'' FROM pg_temp.entries()', 'SELECT ann, ''message''::text, ''an answer''::text FROM ids',
                  'the companion gets the change by an outbox entry');
SELECT results_eq('SELECT c.content, c.extra::jsonb - ''revisions'' FROM ids, replied, parley.claim_outbox(ARRAY[bob], ARRAY[ann], ARRAY[replied.id]) c',
                  'SELECT ''an answer''::text, jsonb_build_object(''replyTo'', sent.id::text, ''editedTimestamp'', 11000) FROM sent',
                  'the sender''s copy keeps replyTo');
SELECT is((SELECT array_agg(k.target_id) FROM parley.pending_changes(0, 0, 0, 10) k), ARRAY[ann], 'the outbox entry is pending') FROM ids;
SELECT is_empty('SELECT o.mailbox_id FROM parley.change_outbox o, parley.pending_changes(o.mailbox_id, o.version, o.ordinal, 10)', 'there is no second entry after it');
SELECT results_eq('SELECT c.target_id, c.kind, c.argument::jsonb FROM parley.change_outbox o,
                       parley.claim_changes(ARRAY[o.mailbox_id, o.mailbox_id], ARRAY[o.version, o.version], ARRAY[o.ordinal, 99]) c',
                  'SELECT target, kind, argument FROM pg_temp.entries()', 'claim_changes returns the entry, and no row for an unknown entry');
SELECT is(parley.settle_changes(ARRAY[o.mailbox_id, 5], ARRAY[o.version, 6], ARRAY[o.ordinal::bigint, 7]), 1, 'settle_changes deletes the entry') FROM parley.change_outbox o;
SELECT is_empty('SELECT * FROM parley.pending_changes(0, 0, 0, 10)', 'then no entry is pending');

-- Several messages in one batch, for mailboxes that refuse some of them.
CREATE TEMP TABLE more AS SELECT test.user(1, 2) AS cid, test.user(1, 3) AS dan;
INSERT INTO parley.block SELECT bob, ann, 1 FROM ids;
UPDATE parley.mailbox SET guarded = true, erased_timestamp = CASE WHEN user_id = dan THEN 1 END FROM ids, more WHERE user_id IN (bob, dan);
SELECT results_eq('SELECT w.op, w.version FROM ids, more, test.write(
                       test.deliver(bob, ann, ''b1''), test.deliver(bob, cid, ''b2'', copy_mode => 1), test.deliver(dan, cid, ''b3'', copy_mode => 1),
                       test.deliver(bob, ann, ''k1'', ''hello''), test.deliver(cid, dan, ''b4'', copy_mode => 1), test.deliver(bob, ann, ''b5'')) w
                   WHERE w.op NOT IN (2, 5)',
                  $$SELECT v.op, coalesce(v.version, m.version)
                    FROM (VALUES (1, -2), (3, -1), (4, NULL), (6, -2)) v (op, version), ids, sent, parley.message m
                    WHERE m.user_id = bob AND m.message_id = sent.id$$, 'each operation has its own answer: blocked, erased, duplicate, blocked');
SELECT results_eq('SELECT m.user_id, m.client_message_id COLLATE "default" FROM parley.message m WHERE m.client_message_id LIKE ''b%'' ORDER BY 2, 1',
                  'SELECT bob, ''b2''::text FROM ids UNION ALL SELECT cid, ''b2'' FROM more UNION ALL SELECT cid, ''b4'' FROM more',
                  'the accepted messages are stored, except the copy of an erased sender');
SELECT is((SELECT array_agg(c.kind) FROM more, ids, parley.write_changes(ARRAY['deletion', 'deletion'], ARRAY[dan, bob],
              ARRAY['{"peerId": "1", "messageId": "2"}', '{"peerId": "1", "messageId": "2"}'], ARRAY[0, 0]::bigint[]) c),
          '{no-mailbox,message-not-found}', 'an erased mailbox accepts no change');
DELETE FROM parley.change_outbox;
CREATE TEMP TABLE left_alone AS
SELECT w.message_id AS id FROM more, test.write(test.deliver(cid, dan, 'b6')) w WHERE w.op = 1;
SELECT results_eq('SELECT part, kind FROM more, left_alone, parley.write_changes(ARRAY[''message''], ARRAY[cid], ARRAY[jsonb_build_object(
                       ''peerId'', dan::text, ''messageId'', left_alone.id::text, ''timestamp'', 1)::text], ARRAY[dan])',
                  $$VALUES ('r'::"char", 'done'), ('w', NULL)$$, 'a change leaves no follow-up for an erased mailbox');

-- has_messages.
SELECT is(shard_0001.has_messages(ARRAY[bob, bob, bob, bob, cid], ARRAY[ann, ann, cid, ann, ann],
                                  ARRAY[sent.id, sent.id - 1, sent.id, replied.id, sent.id]), '{t,f,f,t,f}', 'has_messages finds a message by mailbox, conversation and id, also a deleted one')
FROM ids, more, sent, replied;
SELECT is(shard_0000.has_messages(ARRAY[ann], ARRAY[bob], ARRAY[9223372036854775807]), '{f}', 'an id above all messages is not found') FROM ids;
SELECT is(shard_0001.has_messages('{}', '{}', '{}'), '{}', 'an empty argument gives an empty result');

SELECT finish();
ROLLBACK;
