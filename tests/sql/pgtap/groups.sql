-- Groups: the group's own mailbox brings creation, membership and messages into one order, and follow-ups bring every member's mailbox to
-- the same state. New members see later messages, former members keep earlier ones. Then receipts, edits and reactions.
BEGIN;
SET search_path = test, tap, public;
SELECT no_plan();

CREATE TEMP TABLE ids AS
SELECT test.user(0, 1) AS ann, test.user(1, 1) AS bob, test.user(1, 2) AS cat, test.user(3, 1) AS dan,
       (test.id(0, 0) + 256) AS grp;

-- Executes the follow-ups in the outbox, and those that they cause, until all that remain answer 'missing'. Backwards: the newest first.
CREATE FUNCTION pg_temp.deliver(backwards boolean DEFAULT false) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    entry record;
    made integer := 0;
    round integer;
BEGIN
    LOOP
        round := 0;
        FOR entry IN SELECT * FROM parley.change_outbox
                    ORDER BY CASE WHEN backwards THEN -version ELSE version END, ordinal LOOP
            CONTINUE WHEN test.status(entry.kind, entry.target_id, entry.argument) = 'missing';
            DELETE FROM parley.change_outbox o
            WHERE (o.mailbox_id, o.version, o.ordinal) = (entry.mailbox_id, entry.version, entry.ordinal);
            round := round + 1;
        END LOOP;
        EXIT WHEN round = 0;
        made := made + round;
    END LOOP;
    RETURN made;
END
$$;
CREATE FUNCTION pg_temp.ids(VARIADIC users bigint[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT to_jsonb(ARRAY(SELECT u::text FROM unnest(users) u))
$$;
CREATE FUNCTION pg_temp.send(sender bigint, key text, content text, at bigint DEFAULT 1) RETURNS jsonb LANGUAGE sql AS $$
    SELECT test.change('group_send', grp, jsonb_build_object(
        'senderId', sender::text, 'clientMessageId', key, 'content', content, 'timestamp', at)) FROM ids
$$;
-- The group's messages in a mailbox, in order: the contents, and the types of events.
CREATE FUNCTION pg_temp.log(mailbox bigint) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(coalesce(m.extra #>> '{systemEvent,type}', m.content), ' ' ORDER BY m.message_id)
    FROM parley.message m, ids WHERE m.user_id = mailbox AND (m.peer_id = grp OR mailbox = grp)
$$;

SELECT is(test.change('group_create', ann, jsonb_build_object('groupId', grp::text, 'name', 'Trip', 'memberIds', pg_temp.ids(bob, cat),
          'clientGroupId', 'g1', 'maxMembers', 4)) - 'version' - 'mailbox', jsonb_build_object('status', 'done', 'groupId', grp::text, 'isDuplicate', false, 'invited', '[]'::jsonb), 'a group is created') FROM ids;
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 2, 'there is one follow-up for each shard with members');
SELECT is(pg_temp.deliver(), 2, 'the follow-ups are executed');
SELECT is(pg_temp.log(u), 'group-created', 'every member has the first message') FROM ids, unnest(ARRAY[ann, bob, cat, grp]) u;
SELECT is(test.change('group_create', ann, jsonb_build_object('groupId', (grp + 1)::text, 'name', 'Trip', 'memberIds', pg_temp.ids(cat, bob),
          'clientGroupId', 'g1', 'maxMembers', 4)) - 'version' - 'mailbox', jsonb_build_object('status', 'done', 'groupId', grp::text, 'isDuplicate', true, 'invited', '[]'::jsonb), 'a retry gets the same group') FROM ids;
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 0, 'a retry leaves no follow-ups');
SELECT is(test.status('group_create', ann, jsonb_build_object('groupId', (grp + 1)::text, 'name', 'Tour', 'memberIds', pg_temp.ids(cat, bob),
          'clientGroupId', 'g1', 'maxMembers', 4)), 'client-group-id-reused', 'the same key with another name is refused') FROM ids;
SELECT is(test.status('group_create', ann, jsonb_build_object('groupId', (grp + 1)::text, 'name', 'Tour', 'memberIds', pg_temp.ids(cat, bob),
          'clientGroupId', 'g2', 'maxMembers', 2)), 'group-full', 'a group with too many members is refused') FROM ids;

SELECT is(pg_temp.send(bob, 'k1', 'hi') ->> 'status', 'done', 'a member sends a message') FROM ids;
SELECT is(pg_temp.send(bob, 'k1', 'hi') ->> 'status', 'duplicate', 'a retry is a duplicate') FROM ids;
SELECT is(answer.target_id, outbox.target_id, 'a retry''s answer has the follow-ups that are still in the outbox')
FROM ids, parley.change_outbox outbox JOIN LATERAL parley.write_changes(ARRAY['group_send'], ARRAY[ids.grp], ARRAY[jsonb_build_object(
         'senderId', ids.bob::text, 'clientMessageId', 'k1', 'content', 'hi', 'timestamp', 1)::text], ARRAY[0::bigint]) answer
     ON answer.part = 'o' AND (answer.mailbox_id, answer.version, answer.ordinal) = (outbox.mailbox_id, outbox.version, outbox.ordinal);
SELECT is(pg_temp.send(bob, 'k1', 'ho') ->> 'status', 'client-message-id-reused', 'the same key with other content is refused') FROM ids;
SELECT is(pg_temp.send(ann, 'k1', 'ho') ->> 'status', 'done', 'another sender may use the same key') FROM ids;
SELECT is(pg_temp.send(dan, 'k1', 'me') ->> 'status', 'conversation-not-found', 'a user who is no member cannot send') FROM ids;
SELECT is((SELECT min(unread_count) || ' ' || max(unread_count) FROM parley.conversation, ids WHERE peer_id = grp), '0 1', 'members have the message only after the follow-up');
SELECT is(test.status(kind, target_id, argument), 'missing', 'a copy has to wait for the copy of the previous message')
FROM (SELECT * FROM parley.change_outbox ORDER BY version DESC, ordinal LIMIT 1) o;
SELECT is(pg_temp.deliver(true), 4, 'the follow-ups can be executed in any order');
SELECT is(pg_temp.log(u), 'group-created hi ho', 'all mailboxes have the same order') FROM ids, unnest(ARRAY[ann, bob, cat, grp]) u;
SELECT is(unread_count, 3, 'messages of others are unread') FROM parley.conversation, ids WHERE user_id = cat;
SELECT is(unread_count, 1, 'messages of the user are not unread') FROM parley.conversation, ids WHERE user_id = ann;

-- Membership.
SELECT is(test.status('group_join', grp, jsonb_build_object('actorId', bob::text, 'userIds', pg_temp.ids(dan), 'maxMembers', 4)), 'forbidden', 'a plain member may not add members') FROM ids;
SELECT is(test.status('group_role', grp, jsonb_build_object('actorId', ann::text, 'userId', bob::text, 'role', 'admin')), 'done', 'the owner makes a member an admin') FROM ids;
SELECT is(test.status('group_join', grp, jsonb_build_object('actorId', bob::text, 'userIds', pg_temp.ids(dan), 'maxMembers', 3)), 'group-full', 'members above the limit are refused') FROM ids;
SELECT is(test.status('group_join', grp, jsonb_build_object('actorId', bob::text, 'userIds', pg_temp.ids(dan, cat), 'maxMembers', 4)), 'done', 'an admin adds a member') FROM ids;
SELECT is(pg_temp.send(dan, 'k1', 'new') ->> 'status', 'done', 'the new member sends a message') FROM ids;
-- A message is still in the outbox while a member leaves.
SELECT is(pg_temp.send(ann, 'k2', 'before') ->> 'status', 'done', 'a message is sent') FROM ids;
SELECT is(test.status('group_leave', grp, jsonb_build_object('actorId', cat::text, 'userId', cat::text)), 'done', 'a member leaves') FROM ids;
SELECT is(pg_temp.send(ann, 'k3', 'after') ->> 'status', 'done', 'another message is sent') FROM ids;
SELECT is(pg_temp.send(cat, 'k3', 'after') ->> 'status', 'conversation-not-found', 'a former member cannot send') FROM ids;
SELECT pg_temp.deliver(true) \g /dev/null
SELECT is(pg_temp.log(dan), 'members-added new before member-left after', 'a new member sees later messages') FROM ids;
SELECT is(pg_temp.log(cat), 'group-created hi ho role-changed members-added new before member-left', 'a former member keeps earlier messages') FROM ids;
SELECT is(pg_temp.log(ann), 'group-created hi ho role-changed members-added new before member-left after', 'the other members have all messages') FROM ids;
SELECT is(shard_0001.group_view_of(cat, grp), '"name":"Trip","memberCount":0,"isMember":false', 'a former member does not see the number of members') FROM ids;
SELECT is((shard_0001.fetch_group(grp, cat)), NULL, 'a former member cannot fetch the group') FROM ids;
SELECT is(shard_0001.group_view_of(bob, grp), '"name":"Trip","memberCount":3,"isMember":true', 'the other members see the number of members') FROM ids;
SELECT is(test.status('group_leave', grp, jsonb_build_object('actorId', bob::text, 'userId', ann::text)), 'forbidden', 'an admin cannot remove the owner') FROM ids;
SELECT is(test.status('group_leave', grp, jsonb_build_object('actorId', ann::text, 'userId', ann::text)), 'done', 'the owner leaves') FROM ids;
SELECT is((shard_0000.fetch_group(grp, bob))::jsonb ->> 'ownerId', bob::text, 'the admin becomes the owner') FROM ids;
SELECT is(test.status('group_join', grp, jsonb_build_object('actorId', bob::text, 'userIds', pg_temp.ids(ann), 'maxMembers', 4)), 'done', 'the new owner invites the former owner') FROM ids;
SELECT is(test.status('group_accept', grp, jsonb_build_object('actorId', ann::text, 'maxMembers', 4)), 'done', 'the former owner accepts the invitation') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.log(ann), 'group-created hi ho role-changed members-added new before member-left after member-left member-joined', 'a member who returns sees later messages again') FROM ids;
SELECT is(test.status('group_profile', grp, jsonb_build_object('actorId', ann::text, 'name', 'Tour')), 'forbidden', 'the former owner is a plain member now') FROM ids;
SELECT is(test.status('group_profile', grp, jsonb_build_object('actorId', bob::text, 'name', 'Tour "2"')), 'done', 'the owner changes the name') FROM ids;
SELECT is(test.status('group_profile', grp, jsonb_build_object('actorId', bob::text, 'name', 'Tour "2"', 'topic', 'Rome')), 'done', 'the owner sets a topic and repeats the name') FROM ids;
SELECT is(m.extra -> 'systemEvent', '{"type": "topic-changed", "topic": "Rome"}', 'the event has only what has changed')
FROM ids, parley.message m WHERE m.user_id = grp ORDER BY m.message_id DESC LIMIT 1;
SELECT is(test.status('group_profile', grp, jsonb_build_object('actorId', bob::text, 'topic', 'Rome', 'metadata', '{"n":1.0}')), 'done', 'and metadata') FROM ids;
SELECT is(m.extra -> 'systemEvent', '{"type": "metadata-changed"}', 'which is not in the message')
FROM ids, parley.message m WHERE m.user_id = grp ORDER BY m.message_id DESC LIMIT 1;
SELECT matches(shard_0000.fetch_group(grp, bob), '"metadata":\{"n":1\.0\}\}$', 'but in the group, as it was sent') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT matches(shard_0000.group_view_of(ann, grp), '^"name":"Tour \\"2\\"",', 'all members see the new name') FROM ids;

-- Changes of messages.
CREATE TEMP TABLE sent AS SELECT pg_temp.send(ann, 'e1', 'tpyo') ->> 'messageId' AS id FROM ids;
SELECT is(test.status('group_edit', grp, jsonb_build_object('actorId', bob::text, 'messageId', id, 'content', 'x', 'timestamp', 1)), 'not-sender', 'only the sender can edit a message') FROM ids, sent;
SELECT is(test.status('group_edit', grp, jsonb_build_object('actorId', ann::text, 'messageId', id, 'content', 'typo', 'timestamp', 1)), 'done', 'the sender edits a message before its follow-ups are executed') FROM ids, sent;
SELECT is(test.status('group_reaction', grp, jsonb_build_object('actorId', bob::text, 'messageId', id, 'emoji', '+', 'on', true)), 'done', 'another member adds a reaction') FROM ids, sent;
SELECT pg_temp.deliver(true) \g /dev/null
SELECT is(m.content || ' ' || (m.extra -> 'reactions'), 'typo {"+": ["' || bob || '"]}', 'all copies have the edit and the reaction')
FROM ids, sent, unnest(ARRAY[ann, bob, dan]) u JOIN parley.message m ON m.user_id = u WHERE m.message_id = sent.id::bigint AND m.peer_id = grp;
SELECT is(test.status('group_edit', grp, jsonb_build_object('actorId', cat::text, 'messageId', id, 'content', 'x', 'timestamp', 1)), 'conversation-not-found', 'a former member cannot edit') FROM ids, sent;

-- Receipts.
SELECT is(test.status('group_receipt', grp, jsonb_build_object('userId', u::text, 'readUpTo', id, 'deliveredUpTo', id)), 'done', 'two members send receipts')
FROM ids, sent, unnest(ARRAY[ann, bob]) u;
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 1, 'both receipts are published by one follow-up');
SELECT is(r.page::jsonb -> 'receipts', jsonb_build_array(jsonb_build_object('userId', bob::text, 'status', 'read'), jsonb_build_object('userId', dan::text, 'status', 'sent')),
          'the list of receipts has the new ones at once') FROM ids, sent, shard_0000.fetch_group_receipts(grp, dan, id::bigint, 9223372036854775807, 0, 10) r;
SELECT is(r.page::jsonb, jsonb_build_object('hasMore', true, 'receipts', jsonb_build_array(jsonb_build_object('userId', bob::text, 'status', 'delivered'))),
          'the list has pages, and a caller who hides read receipts sees no reads') FROM ids, sent, shard_0000.fetch_group_receipts(grp, dan, id::bigint, 0, 0, 1) r;
SELECT is(array_agg(r.status), '{conversation-not-found,message-not-found}', 'a former member gets no receipts, and a system message has none')
FROM ids, sent, parley.group_profile p, LATERAL (VALUES (cat, id::bigint), (dan, p.created_timestamp * 2)) q (caller, message),
     shard_0000.fetch_group_receipts(grp, caller, message, 0, 0, 10) r WHERE p.group_id = grp;
SELECT is(ARRAY(SELECT (m ->> 'userId')::bigint FROM jsonb_array_elements(r.page::jsonb -> 'members') m), ARRAY[ann, bob], 'fetch_group_members lists the members')
FROM ids, shard_0000.fetch_group_members(grp, dan, 0, 0, 2) r;
SELECT is(r.page::jsonb #>> '{members,0,userId}', dan::text, 'fetch_group_members has pages') FROM ids, shard_0000.fetch_group_members(grp, dan, 0, bob, 2) r;
SELECT is(r.status, 'group-not-found', 'fetch_group_members refuses a former member') FROM ids, shard_0000.fetch_group_members(grp, cat, 0, 0, 2) r;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(peer_read_up_to = sent.id::bigint, user_id = dan, 'only the member who has not read the message sees it as read by all others') FROM parley.conversation, ids, sent WHERE peer_id = grp AND user_id IN (ann, bob, dan);
SELECT is(test.status('group_receipt', grp, jsonb_build_object('userId', dan::text, 'readUpTo', id, 'deliveredUpTo', id)), 'done', 'the last member sends a receipt') FROM ids, sent;
-- A time in the future, so that the last publication is less than a second ago however slow this test is.
UPDATE parley.group_profile SET published_timestamp = parley.clock_us() + 3600000000;
SELECT is(pg_temp.deliver(), 0, 'it is not published within a second after the last publication');
UPDATE parley.group_profile SET published_timestamp = 0;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(peer_read_up_to, sent.id::bigint, 'after the publication all members see the message as read') FROM parley.conversation, ids, sent WHERE peer_id = grp AND user_id IN (ann, bob, dan);
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 0, 'no follow-up is left');

-- A receipt of a member in the group's database: the group's mailbox is the companion, and the change in it leaves a follow-up.
UPDATE parley.group_profile SET published_timestamp = 0;
CREATE TEMP TABLE last AS SELECT pg_temp.send(bob, 'r1', 'read me') ->> 'messageId' AS id FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(test.status('group_receipt', grp, jsonb_build_object('userId', dan::text, 'readUpTo', id, 'deliveredUpTo', id)), 'done', 'a member sends a receipt while two others have not read') FROM ids, last;
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 0, 'it changes nothing that a member sees, so it is not published');
CREATE TEMP TABLE version_before AS SELECT b.user_id, b.version FROM ids, parley.mailbox b WHERE b.user_id IN (ann, bob, dan);
SELECT results_eq('SELECT w.part::text, w.kind FROM ids, last, parley.write_changes(ARRAY[''receipt''], ARRAY[ann],
                       ARRAY[jsonb_build_object(''peerId'', grp::text, ''readUpTo'', id)::text], ARRAY[grp]) w WHERE w.number = 1',
                  $$VALUES ('o', 'group_publish'), ('r', 'done')$$, 'the companion''s follow-up is in the outbox');
SELECT pg_temp.deliver() \g /dev/null
SELECT is(peer_read_up_to = id::bigint, user_id = bob, 'the member who has not read sees that all others have')
FROM parley.conversation, ids, last WHERE peer_id = grp AND user_id IN (ann, bob, dan);
SELECT is(b.version > v.version, b.user_id <> dan, 'a member who sees no difference and has not read gets no new version')
FROM parley.mailbox b JOIN version_before v USING (user_id), ids;
SELECT is(test.status(w.kind, w.target_id, w.argument), 'done', 'the publication is repeated')
FROM ids, last, LATERAL (SELECT 'group_view' AS kind, bob AS target_id, shard_0000.group_lowest(grp)
                         || jsonb_build_object('groupId', grp::text, 'members', pg_temp.ids(bob)) AS argument) w;
SELECT is(b.version, c.version, 'this changes nothing') FROM ids, parley.mailbox b JOIN parley.conversation c USING (user_id) WHERE user_id = bob AND c.peer_id = grp;

-- The group's mailbox as the companion of a send: members in this database get the message in the same transaction. Members in shard 2,
-- which is in another database, get it by an outbox entry.
CREATE FUNCTION pg_temp.near(key text, VARIADIC senders bigint[]) RETURNS TABLE (part text, kind text, mailbox_id bigint, target_id bigint)
LANGUAGE sql AS $$
    SELECT w.part::text, w.kind, w.mailbox_id, w.target_id
    FROM ids, parley.write_changes(
        array_fill('group_send'::text, ARRAY[cardinality(senders)]), array_fill(grp, ARRAY[cardinality(senders)]),
        ARRAY(SELECT jsonb_build_object('senderId', s.id::text, 'clientMessageId', key || s.n, 'content', key || s.n, 'timestamp', 1)::text
              FROM unnest(senders) WITH ORDINALITY AS s (id, n)),
        array_fill(grp, ARRAY[cardinality(senders)])) w
$$;
CREATE TEMP TABLE log_before AS SELECT u, pg_temp.log(u) AS log FROM ids, unnest(ARRAY[ann, bob, dan]) u;
SELECT results_eq($$SELECT part, kind, mailbox_id FROM ids, pg_temp.near('n', ann, bob, ann) ORDER BY 1, 3$$,
                  $$SELECT 'r', 'done', grp FROM ids, generate_series(1, 3)
                    UNION ALL SELECT 'w', NULL, u FROM ids, unnest(ARRAY[ann, bob, dan, grp]) u ORDER BY 1, 3$$,
                  'sends to members in the same database leave no outbox entry');
SELECT is(pg_temp.log(u), log || ' n1 n2 n3', 'the members have the messages, in the group''s order') FROM log_before;
SELECT is(array_agg(n.version > n.before), '{t,t,t,t}', 'the versions increase')
FROM ids, LATERAL (SELECT version, lag(version, 1, 0::bigint) OVER (ORDER BY message_id) AS before FROM parley.message
                   WHERE user_id = bob AND peer_id = grp ORDER BY message_id DESC LIMIT 4) n;
SELECT results_eq($$SELECT part, kind FROM ids, pg_temp.near('n', ann, bob, ann)$$, $$SELECT 'r', 'duplicate' FROM generate_series(1, 3)$$,
                  'a retry changes nothing');
SELECT is(pg_temp.send(ann, 'late', 'late') ->> 'status', 'done', 'a message is sent without a companion, which leaves an outbox entry') FROM ids;
SELECT results_eq($$SELECT part, kind FROM ids, pg_temp.near('m', bob) WHERE part <> 'w' ORDER BY 1$$,
                  $$VALUES ('o', 'group_message'), ('o', 'group_message'), ('o', 'group_message'), ('r', 'done')$$,
                  'the next message leaves outbox entries too, because it has to follow that one');
SELECT results_eq($$SELECT w.kind, count(*)
                    FROM (SELECT array_agg(o.kind) AS kinds, array_agg(o.target_id) AS targets, array_agg(o.argument::text) AS arguments
                          FROM (SELECT o.* FROM parley.change_outbox o, generate_series(1, 2) ORDER BY version DESC, ordinal) o) o,
                         parley.write_changes(kinds, targets, arguments, array_fill(0::bigint, ARRAY[12])) w
                    WHERE w.part = 'r' AND w.kind = 'done' GROUP BY 1$$,
                  $$SELECT 'done', 12::bigint$$, 'one batch executes the follow-ups of both messages, the newest first and each twice');
SELECT is(pg_temp.log(u), log || ' n1 n2 n3 late m1', 'each message is stored once, in the group''s order') FROM log_before;
DELETE FROM parley.change_outbox;
-- If a member is added in the batch of a send, the send does not know yet which database the member is in.
SELECT is(test.status('group_leave', grp, jsonb_build_object('actorId', bob::text, 'userId', dan::text)), 'done', 'a member is removed') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT results_eq($$SELECT w.number, w.target_id >> 50 FROM ids, parley.write_changes(ARRAY['group_join', 'group_send'], ARRAY[grp, grp], ARRAY[
                        jsonb_build_object('actorId', bob::text, 'userIds', pg_temp.ids(dan, test.id(2, 1)), 'maxMembers', 5)::text,
                        jsonb_build_object('senderId', ann::text, 'clientMessageId', 'j', 'content', 'j', 'timestamp', 1)::text], ARRAY[0, grp]) w
                    WHERE w.part = 'o' ORDER BY 1, 2$$,
                  $$SELECT n, s::bigint FROM generate_series(1, 2) n, generate_series(0, 3) s$$, 'both the added member and all others get the message by outbox entries');
DELETE FROM parley.change_outbox WHERE target_id >> 50 = 2;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(split_part(pg_temp.log(dan), ' ', -1), 'j', 'the added member gets the message') FROM ids;
SELECT results_eq($$SELECT target_id FROM ids, pg_temp.near('f', ann) WHERE part = 'o'$$, 'SELECT test.id(2, 1)', 'a member in another database gets a message by an outbox entry');
SELECT is(split_part(pg_temp.log(dan), ' ', -1), 'f1', 'the other members have it at once') FROM ids;
DELETE FROM parley.change_outbox;
SELECT is(test.status('group_leave', grp, jsonb_build_object('actorId', bob::text, 'userId', test.id(2, 1)::text)), 'done', 'the member in the other database is removed') FROM ids;
DELETE FROM parley.change_outbox WHERE target_id >> 50 = 2;
SELECT pg_temp.deliver() \g /dev/null
-- Retries: in one batch with the first attempt, and after an edit.
SELECT results_eq($$SELECT w.number, count(*) FROM ids, LATERAL (SELECT jsonb_build_object('senderId', ann::text, 'clientMessageId', 'twice', 'content', 'twice', 'timestamp', 1)::text AS sent) s,
                        parley.write_changes(ARRAY['group_send', 'group_send'], ARRAY[grp, grp], ARRAY[sent, sent], ARRAY[0::bigint, 0]) w
                    WHERE w.part = 'o' GROUP BY 1 ORDER BY 1$$,
                  $$VALUES (1, 3::bigint), (2, 3::bigint)$$, 'two equal sends in one batch return the same number of follow-ups');
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 3, 'the outbox has each follow-up once');
SELECT is(test.status('group_edit', grp, jsonb_build_object('actorId', ann::text, 'messageId', o.version * 2, 'content', 'edited', 'timestamp', 1)), 'done', 'the message is edited')
FROM ids, (SELECT DISTINCT version FROM parley.change_outbox) o;
SELECT results_eq($$SELECT w.kind, w.version * 2 FROM ids, parley.write_changes(ARRAY['group_send'], ARRAY[grp],
                        ARRAY[jsonb_build_object('senderId', ann::text, 'clientMessageId', 'twice', 'content', 'twice', 'timestamp', 1)::text], ARRAY[grp]) w
                    WHERE w.part = 'o'$$,
                  $$SELECT 'group_message', message_id FROM ids, generate_series(1, 3), parley.message WHERE user_id = grp AND client_message_id = 'twice'$$,
                  'a retry still returns the follow-ups');
SELECT pg_temp.deliver(true) \g /dev/null
-- Two changes of a group in one batch, the later one first: cat leaves, who is in bob's shard, and then the group gets another name.
SELECT test.status('group_join', grp, jsonb_build_object('actorId', bob::text, 'userIds', pg_temp.ids(cat), 'maxMembers', 4)) FROM ids \g /dev/null
SELECT test.status('group_accept', grp, jsonb_build_object('actorId', cat::text, 'maxMembers', 4)) FROM ids \g /dev/null
SELECT pg_temp.deliver() \g /dev/null
SELECT is((SELECT count(*)::integer FROM ids, parley.membership WHERE user_id = cat AND left_view IS NULL), 1, 'cat is a member again');
SELECT test.status('group_leave', grp, jsonb_build_object('actorId', cat::text, 'userId', cat::text)),
       test.status('group_profile', grp, jsonb_build_object('actorId', bob::text, 'name', 'Tour')) FROM ids \g /dev/null
SELECT is(array_agg(DISTINCT w.kind), '{done}', 'both follow-ups are executed, the later one first')
FROM (SELECT array_agg(kind ORDER BY version DESC) AS kinds, array_agg(target_id ORDER BY version DESC) AS targets,
             array_agg(argument::text ORDER BY version DESC) AS arguments, count(*)::integer AS n FROM parley.change_outbox) o,
     parley.write_changes(kinds, targets, arguments, array_fill(0::bigint, ARRAY[n])) w WHERE w.part = 'r';
SELECT is(shard_0001.group_view_of(cat, grp), '"name":"Tour \"2\"","memberCount":0,"isMember":false', 'the former member keeps the name that the group had when they left') FROM ids;
DELETE FROM parley.change_outbox;
-- A receipt may already cover messages that arrive later.
CREATE TEMP TABLE ahead AS SELECT (pg_temp.send(ann, 'u1', 'one') ->> 'messageId')::bigint AS one, pg_temp.send(ann, 'u2', 'two') AS two FROM ids;
UPDATE parley.conversation SET read_up_to = one, unread_count = 0 FROM ids, ahead WHERE user_id = bob AND peer_id = grp;
SELECT is(array_agg(w.kind), '{done,done}', 'two messages arrive at once, and the first is already read')
FROM (SELECT array_agg(o.argument::text) AS arguments FROM parley.change_outbox o WHERE o.target_id >> 50 = 1) o, ids,
     parley.write_changes(ARRAY['group_message', 'group_message'], ARRAY[bob, bob], arguments, ARRAY[0, 0]) w WHERE w.part = 'r';
SELECT is(unread_count, 1, 'one message is unread') FROM ids, parley.conversation WHERE user_id = bob AND peer_id = grp;
SELECT pg_temp.deliver() \g /dev/null
-- A large group, and the largest small group in one database: one transaction has room for 20 messages to 32 members.
SELECT test.user(1, n) FROM generate_series(10, 42) n \g /dev/null
CREATE FUNCTION pg_temp.left_by(members integer, sends integer) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FILTER (WHERE w.part = 'o')
    FROM ids, LATERAL (SELECT (test.change('group_create', ann, jsonb_build_object(
                          'groupId', (grp + 1024)::text, 'name', 'n', 'clientGroupId', members, 'maxMembers', 64,
                          'memberIds', to_jsonb(ARRAY(SELECT test.id(1, n)::text FROM generate_series(10, 8 + members) n)))) ->> 'groupId')::bigint AS id) g,
         parley.write_changes(array_fill('group_send'::text, ARRAY[sends]), array_fill(g.id, ARRAY[sends]),
             ARRAY(SELECT jsonb_build_object('senderId', ann::text, 'clientMessageId', n::text, 'content', 'x', 'timestamp', 1)::text
                   FROM generate_series(1, sends) n), array_fill(g.id, ARRAY[sends])) w
$$;
SELECT pg_temp.left_by(33, 1), pg_temp.left_by(32, 1) \g /dev/null
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.left_by(33, 2), 2::bigint, 'members of a large group get outbox entries');
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.left_by(32, 20), 0::bigint, 'members of a small group do not');
SELECT is(pg_temp.left_by(32, 41), 2::bigint, 'they do if the batch has no room for their copies (20 of the sends are retries)');
SELECT pg_temp.deliver() \g /dev/null
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 0, 'no follow-up is left');

-- The first member of a shard is erased. The shard's follow-ups are executed in that member's mailbox.
UPDATE parley.mailbox SET erased_timestamp = 1, guarded = true WHERE user_id = (SELECT ann FROM ids);
SELECT is(test.status('group_join', grp, jsonb_build_object('actorId', bob::text, 'userIds', pg_temp.ids(test.user(0, 2)), 'maxMembers', 4)), 'done', 'a member is added whose shard has an erased member') FROM ids;
SELECT is(pg_temp.send(bob, 'k9', 'still') ->> 'status', 'done', 'a message is sent') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.log(test.id(0, 2)), 'members-added still member-left', 'the other member of the shard gets it') FROM ids;
SELECT isnt(split_part(pg_temp.log(ann), ' ', -1), 'still', 'the erased member does not get it') FROM ids;
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 0, 'no follow-up is left');
SELECT is(shard_0000.group_role_of(grp, ann), NULL, 'the erased member has left the group') FROM ids;
UPDATE parley.mailbox SET erased_timestamp = NULL, guarded = NULL WHERE user_id = (SELECT ann FROM ids);

-- A new group whose id is in use.
SELECT is(test.change('group_create', ann, jsonb_build_object('groupId', grp::text, 'name', 'Two', 'memberIds', '[]'::jsonb, 'clientGroupId', 'g3', 'maxMembers', 4)) ->> 'groupId',
          (grp + 1)::text, 'it gets the next id') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(array_agg(group_id), ARRAY[grp + 1], 'a user''s groups are listed in the user''s shard') FROM ids, parley.membership WHERE user_id = ann AND group_id BETWEEN grp + 1 AND grp + 1023 GROUP BY grp;
SELECT is(array_agg(group_id), ARRAY[grp], 'this holds for a group in another shard too') FROM ids, parley.membership WHERE user_id = bob GROUP BY grp;
SELECT is((SELECT count(*)::integer FROM parley.membership, ids WHERE user_id = cat AND left_view IS NULL), 0, 'a user who has left is no member of any group');
SELECT is(shard_0001.has_conversations(bob, ARRAY[ann, cat, dan]), '{f,f,t}', 'has_conversations is true for fellow members') FROM ids;

-- A member is erased.
SELECT is(test.status('erase', bob, '{"timestamp": 5}'), 'done', 'the owner is erased') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(shard_0000.group_role_of(grp, bob), NULL, 'the owner leaves the group') FROM ids;
SELECT isnt(shard_0000.fetch_group(grp, dan)::jsonb ->> 'ownerId', bob::text, 'the group has another owner') FROM ids;
SELECT is_empty('SELECT FROM parley.membership m, ids WHERE m.user_id = bob', 'no membership of the erased user is left');
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 0, 'no follow-up is left');
SELECT is_empty($$SELECT FROM parley.message m JOIN parley.mailbox b USING (user_id) WHERE m.version > b.version OR m.message_id >> 1 > b.version$$, 'no message has a version or a time above the version of its mailbox');
SELECT is_empty($$SELECT c.user_id FROM parley.conversation c, LATERAL (SELECT count(*) FROM parley.message m WHERE m.user_id = c.user_id
    AND m.peer_id = c.peer_id AND m.sender_id <> c.user_id AND m.message_id > c.read_up_to) n WHERE n.count <> c.unread_count$$, 'all unread counts equal a recount');

SELECT finish();
ROLLBACK;
