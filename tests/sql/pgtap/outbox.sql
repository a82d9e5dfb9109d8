-- pending_outbox, claim_outbox and settle_outbox.
SET search_path = tap;
BEGIN;
SELECT plan(21);
SELECT test.user(0, n) FROM generate_series(1, 3) n \g /dev/null
SELECT test.user(2, n) FROM generate_series(1, 3) n \g /dev/null
\set a 'test.id(0, 1)'
\set z 'test.id(2, 1)'

SELECT is_empty('SELECT FROM parley.pending_outbox(0, 0, 0, 10)', 'the outbox is empty');
SELECT test.write(test.deliver(:a, :z, 'k' || n, 'text ' || n, 5000, 2), test.deliver(:z, :a, 'k' || n, 'text ' || n, 5000, 2))
FROM generate_series(1, 3) n \g /dev/null
CREATE TEMP TABLE pending AS SELECT row_number() OVER () AS number, p.* FROM parley.pending_outbox(0, 0, 0, 10) p;
SELECT is((SELECT count(*) FROM pending), 6::bigint, 'all entries of all shards are pending');
SELECT is((SELECT array_agg(number ORDER BY recipient_id, sender_id, message_id) FROM pending), '{1,2,3,4,5,6}', 'the entries are in the order of the key');
SELECT results_eq('SELECT c.recipient_id, c.sender_id, c.client_message_id, c.content FROM (SELECT array_agg(recipient_id) r, array_agg(sender_id) s, array_agg(message_id) m FROM pending WHERE number <= 2) k, parley.claim_outbox(k.r, k.s, k.m) c',
                  format('VALUES (%s::bigint, %s::bigint, %L, %L), (%s, %s, %L, %L)', :a, :z, 'k1', 'text 1', :a, :z, 'k2', 'text 2'), 'a claimed entry has what the copy needs');
SELECT is_empty('SELECT FROM parley.claim_outbox(ARRAY[1::bigint], ARRAY[2::bigint], ARRAY[3::bigint])', 'an entry that does not exist is not claimed');
SELECT results_eq('SELECT message_id FROM parley.pending_outbox(0, 0, 0, 2)', 'SELECT message_id FROM pending WHERE number <= 2', 'the first page');
SELECT results_eq('SELECT p.message_id FROM pending k, parley.pending_outbox(k.recipient_id, k.sender_id, k.message_id, 2) p WHERE k.number = 2',
                  'SELECT message_id FROM pending WHERE number IN (3, 4)', 'the next page has entries of two shards');
SELECT is_empty('SELECT FROM pending k, parley.pending_outbox(k.recipient_id, k.sender_id, k.message_id, 2) p WHERE k.number = 6', 'there is no further page');

SELECT is((SELECT parley.settle_outbox(array_agg(recipient_id), array_agg(sender_id), array_agg(message_id)) FROM pending WHERE number IN (2, 5)), 2,
          'settle_outbox deletes two entries');
SELECT is(current_setting('synchronous_commit'), 'off', 'the transaction does not wait for the disk');
SELECT results_eq('SELECT message_id FROM parley.pending_outbox(0, 0, 0, 10)', 'SELECT message_id FROM pending WHERE number NOT IN (2, 5)', 'the two entries are gone');
SELECT is((SELECT parley.settle_outbox(array_agg(recipient_id), array_agg(sender_id), array_agg(message_id)) FROM pending), 4,
          'entries that are already gone are ignored');
SELECT is_empty('SELECT FROM parley.outbox', 'the outbox is empty again');
SELECT is(parley.settle_outbox(ARRAY[test.id(7, 1)], ARRAY[:a::bigint], ARRAY[1::bigint]), 0, 'entries of a shard in another database are ignored');
INSERT INTO parley.outbox (recipient_id, sender_id, message_id) VALUES (:a, :z, 77);
SELECT results_eq(format('SELECT content FROM parley.claim_outbox(ARRAY[%s], ARRAY[%s], ARRAY[77::bigint])', :a, :z), 'VALUES (NULL::text)',
                  'an entry whose message is gone is claimed without content');
-- Metadata: a copy that is still in the outbox keeps it, also after the recipient has deleted the message for themselves.
CREATE TEMP TABLE kept AS SELECT w.message_id AS id, place.* FROM (SELECT test.id(0, 1) AS recipient, test.id(2, 1) AS sender) place,
    LATERAL test.write(test.deliver(recipient, sender, 'with metadata', 'text', 700000, 2)) w;
UPDATE parley.message m SET extra = '{"metadata": "{\"n\":1.0}", "replyTo": "5"}' FROM kept k WHERE m.user_id = k.recipient AND m.message_id = k.id;
SELECT is(c.kind, 'done', 'the recipient deletes the message')
FROM kept k, parley.write_changes('{deletion}', ARRAY[k.recipient], ARRAY[jsonb_build_object(
    'peerId', k.sender::text, 'messageId', k.id::text, 'timestamp', 1)::text], '{0}') c WHERE c.part = 'r';
SELECT results_eq('SELECT m.content, m.extra ? ''metadata'', parley.is_as_sent(m.content, m.extra, ''text'', ''{"metadata": "{\"n\":1.0}", "replyTo": "5"}''),'
                  ' parley.is_as_sent(m.content, m.extra, ''text'', ''{"metadata": "{}", "replyTo": "5"}'')'
                  ' FROM kept k, parley.message m WHERE m.user_id = k.recipient AND m.message_id = k.id',
                  $$VALUES ('', false, true, false)$$, 'the recipient''s copy has no metadata, and a retry with it is still recognised');
SELECT results_eq('SELECT c.content, c.extra::jsonb FROM kept k, parley.claim_outbox(ARRAY[k.recipient], ARRAY[k.sender], ARRAY[k.id]) c',
                  $$VALUES ('text', '{"metadata": "{\"n\":1.0}", "replyTo": "5"}'::jsonb)$$, 'the sender''s copy gets the metadata');
SELECT is(c.kind, 'done', 'the sender edits the message')
FROM kept k, parley.write_changes('{message}', ARRAY[k.recipient], ARRAY[jsonb_build_object('peerId', k.sender::text, 'messageId', k.id::text,
    'content', 'edited', 'metadata', '{"n":2}', 'timestamp', 2)::text], '{0}') c WHERE c.part = 'r';
SELECT results_eq('SELECT m.content, m.extra ? ''metadata'', parley.is_as_sent(m.content, m.extra, ''text'', ''{"metadata": "{\"n\":1.0}", "replyTo": "5"}'')'
                  ' FROM kept k, parley.message m WHERE m.user_id = k.recipient AND m.message_id = k.id',
                  $$VALUES ('', false, true)$$, 'the recipient''s copy stays empty, and a retry is still recognised');
SELECT results_eq('SELECT c.content, c.extra::jsonb ->> ''metadata'' FROM kept k, parley.claim_outbox(ARRAY[k.recipient], ARRAY[k.sender], ARRAY[k.id]) c',
                  $$VALUES ('edited', '{"n":2}')$$, 'the sender''s copy gets the edited metadata');

SELECT * FROM finish();
ROLLBACK;
