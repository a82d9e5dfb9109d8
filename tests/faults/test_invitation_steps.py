"""Proves that an invitation is there once or not at all, on both sides, with kill -9 of parleyd and of PostgreSQL between a
change's first commit and its follow-ups, and while a database is unreachable.

    invited   | the group's open invitation commits | the user's invitation commits | outbox entry settled
    accepted  | the member commits | the user's invitation ends, the members have the message | settled
    declined, blocked | the user's invitation ends | the group's ends | settled
"""

import concurrent.futures

import pytest

from conftest import users_at
from harness.client import Api
from harness.stack import SLOWNESS, wait_until
from steps import Lock, is_waiting_for_a_lock, lock_mailbox, open_follow_ups, wait_for_empty_change_outbox
from test_send_steps import VICTIMS, is_back, kill, revive


@pytest.fixture
def people(api, stack):
    """ann, in whose shard the group is; cat in another database, with `groupInvites` nobody."""
    ann, cat = users_at(api, stack, "other-database")
    api.as_user(cat).update_me(groupInvites="nobody").expect(200)
    return ann, cat


@pytest.fixture
def group(api, stack, people):
    made = api.as_user(people[0]).create_group("Trip", []).expect(201)["groupId"]
    wait_for_empty_change_outbox(stack)
    return made


@pytest.fixture
def invited(api, stack, people, group):
    """The group, which has invited cat."""
    assert api.as_user(people[0]).add_group_members(group, people[1]).expect(200)["invited"] == [people[1].id]
    wait_for_empty_change_outbox(stack)
    assert groups_of(api, people[1]) == [group]
    return group


def groups_of(api, user):
    return [i["groupId"] for i in api.as_user(user).fetch_invitations().expect(200)["invitations"]]


def events(api, user, group):
    return [m["systemEvent"]["type"] for m in api.as_user(user).all_messages(group)]


def invited_in(stack, group):
    return [str(row[0]) for row in stack.query(
        stack.database_of(group), "SELECT user_id FROM parley.group_invitation WHERE group_id = %s", (group,))]


def lock_group(stack, group):
    return Lock(stack, stack.database_of(group),
                f"SELECT user_id FROM {stack.schema_of(group)}.mailbox WHERE user_id = %s FOR UPDATE", (group,))


def settle(api, stack, user):
    wait_until(lambda: is_back(api, user), 20 * SLOWNESS, "the server is back")
    wait_for_empty_change_outbox(stack)


def retry(request, status, seconds=20):
    """Until the answer is none of an outage."""
    answers = []

    def is_answered():
        try:
            answers[:] = [request()]
        except Exception as error:  # pylint: disable=broad-except
            if type(error).__module__.startswith(("httpx", "httpcore")):
                return False
            raise
        return answers[0].status < 500

    wait_until(is_answered, seconds * SLOWNESS, "an answer")
    return answers[0].expect(status)


@pytest.mark.parametrize("victim", VICTIMS)
def test_invited_between_the_commits(api, stack, server, people, group, victim):
    """The group has the open invitation, the user has not: the relay brings it, and it can be accepted."""
    ann, cat = people
    lock = lock_mailbox(stack, cat)
    assert api.as_user(ann).add_group_members(group, cat).expect(200)["invited"] == [cat.id]
    assert invited_in(stack, group) == [cat.id] and open_follow_ups(stack) == 1
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    settle(api, stack, ann)
    assert groups_of(api, cat) == [group]
    api.as_user(cat).accept_invitation(group).expect(200)
    settle(api, stack, ann)
    assert groups_of(api, cat) == [] and events(api, ann, group) == ["group-created", "member-joined"]


@pytest.mark.parametrize("victim", VICTIMS)
def test_invited_before_the_first_commit(api, stack, server, contract, people, group, victim):
    """Nothing has happened; a retry invites once."""
    ann, cat = people
    lock = lock_group(stack, group)
    other = Api(server.url, contract, stack.jwt_key)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        started = pool.submit(lambda: other.as_user(ann).add_group_members(group, cat))
        wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(group)), 5 * SLOWNESS, "it waits")
        assert invited_in(stack, group) == []
        kill(stack, server, victim)
        lock.release()
        revive(stack, server, victim)
        started.exception(30 * SLOWNESS)
    other.close()
    assert retry(lambda: api.as_user(ann).add_group_members(group, cat), 200)["invited"] == [cat.id]
    settle(api, stack, ann)
    assert groups_of(api, cat) == [group] and invited_in(stack, group) == [cat.id]


@pytest.mark.parametrize("victim", VICTIMS)
def test_accepted_between_the_commits(api, stack, server, people, invited, victim):
    """The user is a member and their mailbox does not know it yet: a retry is no second acceptance."""
    ann, cat = people
    lock = lock_mailbox(stack, cat)
    api.as_user(cat).accept_invitation(invited).expect(200)
    assert invited_in(stack, invited) == []
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    retry(lambda: api.as_user(cat).accept_invitation(invited), 200)
    settle(api, stack, ann)
    assert groups_of(api, cat) == []
    assert events(api, ann, invited) == ["group-created", "member-joined"]
    assert events(api, cat, invited) == ["member-joined"]


@pytest.mark.parametrize("victim", VICTIMS)
def test_accepted_before_the_first_commit(api, stack, server, contract, people, invited, victim):
    ann, cat = people
    lock = lock_group(stack, invited)
    other = Api(server.url, contract, stack.jwt_key)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        started = pool.submit(lambda: other.as_user(cat).accept_invitation(invited))
        wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(invited)), 5 * SLOWNESS, "it waits")
        kill(stack, server, victim)
        lock.release()
        revive(stack, server, victim)
        started.exception(30 * SLOWNESS)
    other.close()
    retry(lambda: api.as_user(cat).accept_invitation(invited), 200)
    settle(api, stack, ann)
    assert groups_of(api, cat) == [] and events(api, ann, invited) == ["group-created", "member-joined"]


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("is_block", [False, True], ids=["declined", "blocked"])
def test_declined_between_the_commits(api, stack, server, people, invited, victim, is_block):
    """The user's list is empty at once; the group's invitation ends later, and then nobody can accept it."""
    ann, cat = people
    lock = lock_group(stack, invited)
    mine = api.as_user(cat)
    (mine.block_user(ann) if is_block else mine.decline_invitation(invited)).expect(204)
    assert groups_of(api, cat) == [] and open_follow_ups(stack) == 1
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    settle(api, stack, ann)
    assert invited_in(stack, invited) == [] and groups_of(api, cat) == []
    mine.accept_invitation(invited).expect(404, code="invitation-not-found")
    assert events(api, ann, invited) == ["group-created"]


@pytest.mark.parametrize("victim", VICTIMS)
def test_invited_again_between_the_commits(api, stack, server, people, invited, victim):
    """Declined while the group invites again: the later invitation stays, on both sides."""
    ann, cat = people
    lock = lock_group(stack, invited)
    api.as_user(cat).decline_invitation(invited).expect(204)
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    assert retry(lambda: api.as_user(ann).add_group_members(invited, cat), 200)["invited"] == [cat.id]
    settle(api, stack, ann)
    assert groups_of(api, cat) == [invited] and invited_in(stack, invited) == [cat.id]


@pytest.mark.parametrize("mode", ["refuse", "stall"])
def test_the_users_database_is_away(api, stack, server, people, group, mode):
    """The consents cannot be read, so nothing is changed."""
    ann, cat = people
    database = stack.database_of(cat.id)
    server.set_proxies(mode, [database])
    api.as_user(ann).add_group_members(group, cat).expect(503)
    api.as_user(ann).create_group("Tour", [cat], "k").expect(503)
    server.set_proxies("pass", [database])
    assert retry(lambda: api.as_user(ann).create_group("Tour", [cat], "k"), 201)["invited"] == [cat.id]
    settle(api, stack, ann)
    assert len(groups_of(api, cat)) == 1 and invited_in(stack, group) == []


def test_the_groups_database_is_away(api, stack, server, people, invited):
    """It cannot be accepted, and it can be declined."""
    ann, cat = people
    database = stack.database_of(invited)
    server.set_proxies("refuse", [database])
    api.as_user(cat).accept_invitation(invited).expect(503)
    assert groups_of(api, cat) == [invited]
    api.as_user(cat).decline_invitation(invited).expect(204)
    assert groups_of(api, cat) == []
    server.set_proxies("pass", [database])
    settle(api, stack, ann)
    assert invited_in(stack, invited) == [] and events(api, ann, invited) == ["group-created"]
