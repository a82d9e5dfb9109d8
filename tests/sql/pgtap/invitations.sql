-- Invitations to groups in the database: which users may be added, the group's open invitations, and those that users see. Follow-ups are
-- executed late, twice and in any order, and both sides end equal.
BEGIN;
SET search_path = test, tap, public;
SELECT no_plan();

CREATE TEMP TABLE ids AS
SELECT test.user(0, 1) AS ann, test.user(1, 1) AS bob, test.user(1, 2) AS cat, test.user(3, 1) AS dan, test.user(3, 2) AS eve,
       (test.id(0, 0) + 256) AS grp;

-- Makes all follow-ups, and theirs, each twice. Backwards: the last first.
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
            PERFORM test.status(entry.kind, entry.target_id, entry.argument);
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
-- The actor adds users; the second argument must be invited.
CREATE FUNCTION pg_temp.join(actor bigint, invited bigint, VARIADIC users bigint[]) RETURNS jsonb LANGUAGE sql AS $$
    SELECT test.change('group_join', grp, jsonb_build_object('actorId', actor::text, 'userIds', pg_temp.ids(VARIADIC users),
        'maxMembers', 4, 'invitedIds', pg_temp.ids(invited))) - 'version' - 'mailbox' - 'groupId' FROM ids
$$;
CREATE FUNCTION pg_temp.accept(actor bigint, most integer DEFAULT 4) RETURNS text LANGUAGE sql AS $$
    SELECT test.status('group_accept', grp, jsonb_build_object('actorId', actor::text, 'maxMembers', most)) FROM ids
$$;
CREATE FUNCTION pg_temp.decline(who bigint) RETURNS text LANGUAGE sql AS $$
    SELECT test.status('decline', who, jsonb_build_object('groupId', grp::text)) FROM ids
$$;
CREATE FUNCTION pg_temp.leave(actor bigint, who bigint) RETURNS text LANGUAGE sql AS $$
    SELECT test.status('group_leave', grp, jsonb_build_object('actorId', actor::text, 'userId', who::text)) FROM ids
$$;
-- Inviters of the open invitations that the user sees, with the group's name.
CREATE FUNCTION pg_temp.shown(who bigint) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg((i.invitation ->> 'groupName') || ' ' || (i.invitation ->> 'inviterId'), ', '), '')
    FROM (SELECT CASE WHEN parley.shard_of(who) = 1 THEN shard_0001.fetch_invitations(who)
                      ELSE shard_0003.fetch_invitations(who) END) f (list),
         jsonb_array_elements(f.list::jsonb) AS i (invitation)
$$;
CREATE FUNCTION pg_temp.version(who bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT version FROM parley.mailbox WHERE user_id = who
$$;
-- The users whom the group has invited.
CREATE FUNCTION pg_temp.invited() RETURNS bigint[] LANGUAGE sql AS $$
    SELECT ARRAY(SELECT user_id FROM parley.group_invitation, ids WHERE group_id = grp ORDER BY user_id)
$$;
CREATE FUNCTION pg_temp.members() RETURNS bigint[] LANGUAGE sql AS $$
    SELECT shard_0000.group_members_at(grp, NULL) FROM ids
$$;

-- Which users may be added.
SELECT is(parley.group_consents(ARRAY[ann, ann, ann], ARRAY[bob, dan, 7]), ARRAY[1, 1, 0]::bigint[], 'by default a user may be added; an unknown user may not') FROM ids;
SELECT is(u.group_invites, 'contacts', 'the setting contacts is stored') FROM ids, shard_0001.update_account(bob, NULL, NULL, NULL, NULL, 'contacts', NULL, NULL, 0) u;
SELECT is(u.group_invites, 'nobody', 'the setting nobody is stored') FROM ids, shard_0001.update_account(cat, NULL, NULL, NULL, NULL, 'nobody', NULL, NULL, 0) u;
SELECT is(shard_0001.group_consents(ARRAY[ann, ann], ARRAY[bob, cat]), ARRAY[2, 0]::bigint[], 'group_consents follows the settings') FROM ids;
SELECT is(u.group_invites, 'contacts', 'an update without the setting leaves it') FROM ids, shard_0001.update_account(bob, 'Bob', NULL, NULL, NULL, NULL, NULL, NULL, 0) u;
SELECT is(test.status('block', dan, jsonb_build_object('otherId', ann::text, 'on', true, 'timestamp', 1)), 'done', 'a user blocks another') FROM ids;
SELECT is(parley.group_consents(ARRAY[ann, bob], ARRAY[dan, dan]), ARRAY[0, 1]::bigint[], 'a block forbids adding only to the blocked user') FROM ids;
SELECT is(shard_0000.have_written(ARRAY[ann, ann], ARRAY[bob, cat]), ARRAY[false, false], 'at first nobody has written') FROM ids;
SELECT is(status, 0::smallint, 'cat writes to ann') FROM ids, test.write(test.deliver(ids.ann, ids.cat, 'k'));
SELECT is(status, 0::smallint, 'ann writes to bob') FROM ids, test.write(test.deliver(ids.bob, ids.ann, 'k'));
SELECT is(shard_0000.have_written(ARRAY[ann, ann, bob], ARRAY[bob, cat, ann]), ARRAY[false, true, false], 'have_written finds the senders in the mailbox of the recipient') FROM ids;
SELECT is(shard_0001.have_written(ARRAY[bob], ARRAY[ann]), ARRAY[true], 'have_written finds a sender of another shard') FROM ids;
SELECT is(test.status('block', dan, jsonb_build_object('otherId', ann::text, 'on', false, 'timestamp', 1)), 'done', 'the first block ends') FROM ids;

-- A group: ann, bob; and cat is invited.
SELECT is(test.change('group_create', ann, jsonb_build_object('groupId', grp::text, 'name', 'Trip', 'memberIds', pg_temp.ids(bob, cat),
          'clientGroupId', 'g1', 'maxMembers', 4, 'invitedIds', pg_temp.ids(cat))) -> 'invited', pg_temp.ids(cat), 'a creation answers with the invited users') FROM ids;
SELECT is(test.change('group_create', ann, jsonb_build_object('groupId', (grp + 1)::text, 'name', 'Trip', 'memberIds', pg_temp.ids(cat, bob),
          'clientGroupId', 'g1', 'maxMembers', 4, 'invitedIds', '[]'::jsonb)) -> 'invited', pg_temp.ids(cat), 'a repeated creation has the same answer') FROM ids;
SELECT is(pg_temp.members(), ARRAY[ann, bob], 'an invited user is no member') FROM ids;
SELECT is(pg_temp.shown(cat), '', 'the user has no invitation before the follow-up') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.shown(cat), 'Trip ' || ann, 'the follow-up brings the invitation') FROM ids;
SELECT is_empty('SELECT FROM ids, parley.conversation WHERE user_id = cat AND peer_id = grp', 'an invitation creates no conversation');
SELECT is(pg_temp.accept(eve), 'invitation-not-found', 'a user without an invitation cannot accept') FROM ids;
SELECT is(pg_temp.accept(cat, 2), 'group-full', 'an invitation to a full group cannot be accepted') FROM ids;
SELECT is(pg_temp.accept(cat), 'done', 'an invited user accepts') FROM ids;
SELECT is(pg_temp.accept(cat), 'done', 'accepting twice succeeds') FROM ids;
SELECT is(pg_temp.members(), ARRAY[ann, bob, cat], 'the user is a member after accepting') FROM ids;
SELECT is(pg_temp.invited(), '{}', 'accepting ends the invitation in the group') FROM ids;
SELECT is(m.extra -> 'systemEvent', jsonb_build_object('type', 'member-joined', 'userIds', pg_temp.ids(cat), 'inviterId', ann::text), 'accepting posts the event member-joined')
FROM ids, parley.message m WHERE m.user_id = grp ORDER BY m.message_id DESC LIMIT 1;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.shown(cat), '', 'accepting ends the invitation in the mailbox') FROM ids;

-- Having left, and having been removed.
SELECT is(pg_temp.leave(cat, cat), 'done', 'a member leaves') FROM ids;
SELECT is(pg_temp.join(ann, 0, cat), jsonb_build_object('status', 'done', 'invited', pg_temp.ids(cat)), 'a user who has left is invited and not added') FROM ids;
SELECT is(pg_temp.leave(ann, bob), 'done', 'a member is removed') FROM ids;
SELECT is(pg_temp.join(ann, 0, bob), '{"status": "done", "invited": []}', 'a removed user is added again') FROM ids;
SELECT pg_temp.deliver(true) \g /dev/null
SELECT is(pg_temp.shown(cat), 'Trip ' || ann, 'the user who has left sees the invitation') FROM ids;
-- Invited again: the same invitation.
CREATE TEMP TABLE before AS SELECT m.version, m.invited_version FROM ids, parley.mailbox m WHERE m.user_id = cat;
SELECT is(pg_temp.join(ann, 0, cat) -> 'invited', pg_temp.ids(cat), 'the same user is invited again') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.version(cat), before.version, 'the same invitation again changes nothing in the mailbox') FROM ids, before;

-- Updates.
SELECT is(array_agg(f.kind::text || coalesce(' ' || (f.content::jsonb #>> '{0,inviterId}'), '') ORDER BY f.kind), ARRAY['h', 'i ' || ann], 'updates since an older version have the list of invitations')
FROM ids, before, shard_0001.fetch_updates(cat, 10, before.invited_version - 1) f WHERE f.kind IN ('h', 'i') GROUP BY ann;
SELECT is(array_agg(f.kind), ARRAY['h']::"char"[], 'updates since that version have no list') FROM ids, before, shard_0001.fetch_updates(cat, 10, before.invited_version) f WHERE f.kind IN ('h', 'i');
SELECT is((array_agg(f.kind ORDER BY f.kind = 'i'))[count(*)], 'i'::"char", 'a page that replaces a view ends with the list of invitations') FROM ids, shard_0001.fetch_updates(cat, 10, 9000000000000000) f;
SELECT is(count(*) FILTER (WHERE f.kind = 'i'), 0::bigint, 'a mailbox that never had an invitation has no list') FROM ids, shard_0003.fetch_updates(dan, 10, 9000000000000000) f;

-- Declined, and then invited again while the group does not know yet.
SELECT is(pg_temp.decline(cat), 'done', 'the user declines') FROM ids;
SELECT is(pg_temp.shown(cat), '', 'a declined invitation is no longer shown') FROM ids;
SELECT is(pg_temp.decline(cat), 'done', 'declining twice succeeds') FROM ids;
SELECT is((SELECT count(*)::integer FROM parley.change_outbox), 1, 'declining twice leaves one follow-up');
SELECT is(pg_temp.join(ann, 0, cat) -> 'invited', pg_temp.ids(cat), 'cat is invited') FROM ids;
SELECT pg_temp.deliver(true) \g /dev/null
SELECT is(pg_temp.shown(cat), 'Trip ' || ann, 'an invitation made after the decline is shown') FROM ids;
SELECT is(pg_temp.invited(), ARRAY[cat], 'an invitation made after the decline stays in the group') FROM ids;
SELECT is(pg_temp.decline(cat), 'done', 'the user declines the later invitation') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.invited(), '{}', 'a decline ends the invitation in the group') FROM ids;
SELECT is(pg_temp.accept(cat), 'invitation-not-found', 'a declined invitation cannot be accepted') FROM ids;

-- Invited and added, delivered in the wrong order.
SELECT is(pg_temp.join(ann, cat, cat) -> 'invited', pg_temp.ids(cat), 'cat is invited') FROM ids;
SELECT is(pg_temp.accept(cat), 'done', 'the user accepts before the follow-up is executed') FROM ids;
SELECT pg_temp.deliver(true) \g /dev/null
SELECT is(pg_temp.shown(cat), '', 'an invitation that arrives after its end is not shown') FROM ids;

-- Blocks.
SELECT is(pg_temp.join(ann, dan, dan) -> 'invited', pg_temp.ids(dan), 'dan is invited') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.shown(dan), 'Trip ' || ann, 'the invitation is shown before the block') FROM ids;
SELECT is(test.status('block', dan, jsonb_build_object('otherId', ann::text, 'on', true, 'timestamp', 1)), 'done', 'the invited user blocks the inviter') FROM ids;
SELECT is(pg_temp.shown(dan), '', 'a block ends the invitations of the blocked user') FROM ids;
SELECT is(m.invited_version, m.version, 'the block sets the version of the invitations') FROM ids, parley.mailbox m WHERE m.user_id = dan;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.invited(), '{}', 'the block ends the invitation in the group') FROM ids;
SELECT is(pg_temp.join(ann, dan, dan) -> 'invited', pg_temp.ids(dan), 'the answer after a block is the same') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.shown(dan), '', 'an invitation by a blocked user is not shown') FROM ids;
SELECT is(pg_temp.invited(), '{}', 'an invitation by a blocked user ends in the group') FROM ids;
-- Two admins invite the same user, who has blocked one of them.
SELECT is(test.status('group_role', grp, jsonb_build_object('actorId', ann::text, 'userId', bob::text, 'role', 'admin')), 'done', 'a member becomes an admin') FROM ids;
SELECT is(pg_temp.join(a, dan, dan) -> 'invited', pg_temp.ids(dan), 'a blocked and another admin invite the same user') FROM ids, unnest(ARRAY[ann, bob, ann]) a;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.shown(dan), 'Trip ' || bob, 'only the invitation of the admin who is not blocked is shown') FROM ids;
SELECT is(pg_temp.invited(), ARRAY[dan], 'the invitation stays open in the group') FROM ids;
SELECT is(pg_temp.decline(dan), 'done', 'the user declines once') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.invited(), '{}', 'a decline ends the invitations of both admins') FROM ids;

-- An inviter who may not add members any more.
SELECT is(pg_temp.join(bob, dan, dan) -> 'invited', pg_temp.ids(dan), 'an admin invites a user') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(test.status('group_role', grp, jsonb_build_object('actorId', ann::text, 'userId', bob::text, 'role', 'member')), 'done', 'the admin becomes a member') FROM ids;
SELECT is(pg_temp.accept(dan), 'invitation-not-found', 'an invitation by a user who is no admin any more cannot be accepted') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.shown(dan), '', 'the refused acceptance ends the invitation') FROM ids;

-- Limits: of the group, and of the user.
SELECT is(pg_temp.join(ann, dan, dan, eve) ->> 'status', 'group-full', 'invited users count as members for the limit') FROM ids;
SELECT is(pg_temp.leave(ann, cat), 'done', 'a member is removed to make room') FROM ids;
SELECT is(test.change('group_join', grp, jsonb_build_object('actorId', ann::text, 'userIds', pg_temp.ids(dan), 'maxMembers', 3, 'invitedIds', pg_temp.ids(dan))) -> 'invited', pg_temp.ids(dan), 'a user is invited to a group with a limit of three') FROM ids;
INSERT INTO parley.group_invitation SELECT grp, n, ann, 1 FROM ids, generate_series(1, 2) n;
SELECT is(test.change('group_join', grp, jsonb_build_object('actorId', ann::text, 'userIds', pg_temp.ids(eve), 'maxMembers', 3, 'invitedIds', pg_temp.ids(eve))) ->> 'status', 'group-full', 'a group has at most as many open invitations as members') FROM ids;
SELECT is(test.change('group_join', grp, jsonb_build_object('actorId', ann::text, 'userIds', pg_temp.ids(dan), 'maxMembers', 3, 'invitedIds', pg_temp.ids(dan))) ->> 'status', 'done', 'a user with an open invitation can be invited again at the limit') FROM ids;
SELECT is(test.change('group_join', grp, jsonb_build_object('actorId', ann::text, 'userIds', pg_temp.ids(eve), 'maxMembers', 3)) ->> 'status', 'done', 'the limit of invitations does not concern users who are added') FROM ids;
DELETE FROM parley.group_invitation;
DELETE FROM parley.change_outbox;
INSERT INTO parley.invitation (user_id, group_id, revision, inviter_id, invited_timestamp, group_name)
SELECT cat, (grp + n * 1024), 1, ann, n, 'Trip' FROM ids, generate_series(1, 100) n;
SELECT is(pg_temp.join(ann, cat, cat) -> 'invited', pg_temp.ids(cat), 'a user with 100 invitations is invited') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is((SELECT count(*)::integer FROM parley.invitation, ids WHERE user_id = cat AND inviter_id IS NOT NULL), 100, 'a user has at most 100 open invitations');
SELECT is(pg_temp.invited(), '{}', 'an invitation that is not shown ends in the group') FROM ids;

-- Erasure.
SELECT is(test.status('block', dan, jsonb_build_object('otherId', ann::text, 'on', false, 'timestamp', 1)), 'done', 'the block ends') FROM ids;
SELECT is(pg_temp.join(ann, dan, dan) -> 'invited', pg_temp.ids(dan), 'dan is invited') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is(pg_temp.invited(), ARRAY[dan], 'the group has the open invitation') FROM ids;
SELECT is(test.status('erase', dan, '{"timestamp": 5}'), 'done', 'the invited user is erased') FROM ids;
SELECT is(shard_0003.fetch_invitations(dan), NULL, 'an erased user has no list of invitations') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is_empty('SELECT FROM parley.invitation, ids WHERE user_id = dan', 'the erasure deletes the invitations');
SELECT is(pg_temp.invited(), '{}', 'the erasure ends the invitations in the groups') FROM ids;
SELECT is(pg_temp.join(ann, dan, dan) -> 'invited', pg_temp.ids(dan), 'an erased user is invited') FROM ids;
SELECT pg_temp.deliver() \g /dev/null
SELECT is_empty('SELECT FROM parley.invitation, ids WHERE user_id = dan', 'an invitation of an erased user is not stored');
SELECT is(pg_temp.invited(), '{}', 'an invitation of an erased user ends in the group') FROM ids;

SELECT finish();
ROLLBACK;
