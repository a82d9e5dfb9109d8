"""Proves the promises of groups with kill -9 of parleyd and of PostgreSQL between a group's first commit and its
follow-ups, and while a member's database is unreachable: every member gets each acknowledged message once, in the group's
order; and former members get nothing more.

    received | group's own copy, copies in its database and outbox entries commit | copies in other shards commit | answer
|
    outbox entries settled
"""

import contextlib
import signal
import time

import pytest

from conftest import users_at
from harness.stack import SLOWNESS, wait_until
from steps import PendingSend, open_follow_ups, is_waiting_for_a_lock, lock_mailbox, wait_for_empty_change_outbox
from test_send_steps import VICTIMS, is_back, kill, retry_until_answered, revive


@pytest.fixture
def people(api, stack):
    """ann, in whose shard the group is; bob in the same database; cat in another one."""
    ann, cat = users_at(api, stack, "other-database")
    bob, _ = users_at(api, stack, "other-database")
    return ann, bob, cat


@pytest.fixture
def group(api, stack, people):
    made = api.as_user(people[0]).create_group("Trip", people[1:]).expect(201)["groupId"]
    wait_for_empty_change_outbox(stack)
    return made


def log(api, user, group):
    return [m["systemEvent"]["type"] if "systemEvent" in m else m["messageContent"]
            for m in api.as_user(user).all_messages(group)]


def kept(stack, group):
    """The contents in the group's own mailbox, in order, read by SQL."""
    return [row[0] for row in stack.query(
        stack.database_of(group), f"SELECT content FROM {stack.schema_of(group)}.message WHERE user_id = %s "
                                  "AND content <> '' ORDER BY message_id", (group,))]


def check_settled(api, stack, people, group, expected):
    wait_until(lambda: is_back(api, people[0]), 20 * SLOWNESS, "the server is back")
    wait_for_empty_change_outbox(stack)
    views = [api.as_user(user).all_messages(group) for user in people]
    assert [log(api, user, group) for user in people] == [["group-created", *expected]] * len(people)
    assert len({tuple(m["messageId"] for m in view) for view in views}) == 1
    for user, view in zip(people, views):
        rows = api.as_user(user).fetch_conversation().expect(200)["conversations"]
        (row,) = [row for row in rows if row["conversationId"] == group]
        assert row["unreadCount"] == sum(m["senderId"] != user.id for m in view)



def hold(stack, server, contract, sender, group, held, content="hello", key="key"):
    """A send that has committed in the group and waits for the mailbox of `held`. Returns (the lock, the send)."""
    lock = lock_mailbox(stack, held)
    send = PendingSend(server, contract, sender, group, content, key)
    wait_until(lambda: content in kept(stack, group), 5 * SLOWNESS, "the group's own copy")
    wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(held.id)), 5 * SLOWNESS, "the copies wait")
    return lock, send


@pytest.mark.parametrize("victim", VICTIMS)
def test_between_the_commits(api, stack, server, contract, people, group, victim):
    """The group has the message, and a member in another database does not. The relay alone delivers the rest."""
    lock, send = hold(stack, server, contract, people[0], group, people[2])
    assert open_follow_ups(stack) > 0
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    send.result()
    check_settled(api, stack, people, group, ["hello"])
    final = retry_until_answered(api, people[0], group, "hello", "key")
    assert final["duplicate"] is True and final["senderCopy"] == "stored"
    check_settled(api, stack, people, group, ["hello"])


@pytest.mark.parametrize("victim", VICTIMS)
def test_before_the_first_commit(api, stack, server, contract, people, group, victim):
    """The mailbox of a member in the group's database is held, so nothing has committed. Without an acknowledgement, a
    retry is needed."""
    lock = lock_mailbox(stack, people[1])
    send = PendingSend(server, contract, people[0], group, "hello", "key")
    wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(group)), 5 * SLOWNESS, "the send waits")
    assert kept(stack, group) == []
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    send.result()
    assert retry_until_answered(api, people[0], group, "hello", "key")["senderCopy"] == "stored"
    check_settled(api, stack, people, group, ["hello"])


def test_messages_arrive_in_order(api, stack, server, contract, people, group):
    """One message is not delivered to a member yet when another server sends the next one: they arrive in order."""
    lock, send = hold(stack, server, contract, people[0], group, people[2], "first")
    server.kill()
    lock.release()
    server.start()
    wait_until(lambda: is_back(api, people[0]), 20 * SLOWNESS, "the server is back")
    api.as_user(people[1]).send_to(group, "next").expect(201)
    seen = []
    wait_until(lambda: seen.append(log(api, people[2], group)) or seen[-1][-1] == "next", 20 * SLOWNESS, "both")
    assert all(["group-created", "first", "next"][:len(one)] == one for one in seen)
    send.result()
    check_settled(api, stack, people, group, ["first", "next"])


def test_answered_before_all_have_it(api, stack, server, contract, people, group):
    """A member's mailbox is held: the answer and a retry come in time and say "pending"; later a retry says "stored"."""
    lock, send = hold(stack, server, contract, people[1], group, people[2])
    first = send.result().expect(201)
    assert first["senderCopy"] == "pending"
    assert log(api, people[1], group) == ["group-created", "hello"]
    again = api.as_user(people[1]).send_to(group, "hello", "key").expect(200)
    assert again == {**first, "duplicate": True}
    lock.release()
    wait_until(lambda: log(api, people[2], group) == ["group-created", "hello"], 10 * SLOWNESS, "the copy")
    again = api.as_user(people[1]).send_to(group, "hello", "key").expect(200)
    assert again == {**first, "duplicate": True, "senderCopy": "stored"}
    check_settled(api, stack, people, group, ["hello"])


def test_a_retry_delivers_pending_copies(api, stack, server, contract, people, group):
    """Killed between the commits: the client's retry to the next server executes the follow-ups itself, without the relay."""
    lock, send = hold(stack, server, contract, people[0], group, people[2])
    server.kill()
    lock.release()
    server.start()
    send.result()
    final = retry_until_answered(api, people[0], group, "hello", "key")
    assert final["duplicate"] is True
    assert final["senderCopy"] == "pending" or log(api, people[2], group) == ["group-created", "hello"]
    check_settled(api, stack, people, group, ["hello"])


@pytest.mark.parametrize("victim", VICTIMS)
def test_membership_between_the_commits(api, stack, server, contract, people, group, victim):
    """A send, a member's leaving and another send happen while that member's mailbox is held: the member gets only the
    messages before the leaving."""
    ann, bob, cat = people
    lock, send = hold(stack, server, contract, ann, group, cat, "before")
    api.as_user(ann).remove_group_member(group, cat).expect(204)
    api.as_user(ann).send_to(group, "after", "after").expect(201)
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    send.result()
    check_settled(api, stack, [ann, bob], group, ["before", "member-removed", "after"])
    assert log(api, cat, group) == ["group-created", "before", "member-removed"]
    api.as_user(cat).send_to(group, "x").expect(404)
    api.as_user(cat).fetch_group(group).expect(404)


@pytest.mark.parametrize("victim", VICTIMS)
def test_acknowledged_is_durable(api, stack, server, people, group, victim):
    """All members send in turn, and the server is killed right after the last acknowledgement: all have all messages in
    order."""
    sent = [api.as_user(people[i % 3]).send_to(group, f"{i}", f"c{i}").expect(201)["messageId"] for i in range(20)]
    kill(stack, server, victim)
    revive(stack, server, victim)
    check_settled(api, stack, people, group, [str(i) for i in range(20)])
    assert [m["messageId"] for m in api.as_user(people[2]).all_messages(group)][1:] == sent


def test_a_creation_is_finished(api, stack, server, people):
    """Killed before the members have the group: they get it, and a retry of the creation finds it."""
    ann, bob, cat = people
    lock = lock_mailbox(stack, cat)
    api.as_user(ann).create_group("Trip", [bob, cat], "g").expect(201)
    server.kill()
    lock.release()
    server.start()
    again = api.as_user(ann).create_group("Trip", [cat, bob], "g").expect(200)
    check_settled(api, stack, people, again["groupId"], [])


@pytest.fixture(params=["refuse", "stall"])
def outage(request, stack, server, people):
    """An outage of the database of cat."""
    database = stack.database_of(people[2].id)

    @contextlib.contextmanager
    def during():
        server.set_proxies(request.param, [database])
        try:
            yield
        finally:
            server.set_proxies("pass", [database])

    return during


def test_a_members_database_is_away(api, stack, people, group, outage):
    """The others have the message at once, and the answer says "pending"; the relay delivers the rest in order, each
    message once."""
    ann, bob, cat = people
    api.as_user(ann).send_to(group, "before").expect(201)
    with outage():
        for i in range(4):
            start = time.monotonic()
            sent = api.as_user((ann, bob)[i % 2]).send_to(group, f"{i}", f"c{i}").expect(201)
            assert sent["senderCopy"] == "pending" and time.monotonic() - start < 4 * SLOWNESS
            assert [log(api, user, group)[-1] for user in (ann, bob)] == [f"{i}"] * 2
        assert api.as_user(ann).send_to(group, "2", "c2").expect(200)["senderCopy"] == "pending"
        api.as_user(ann).update_group(group, name="Tour").expect(200)
    check_settled(api, stack, people, group, ["before", "0", "1", "2", "3", "group-renamed"])
    (row,) = api.as_user(cat).fetch_conversation().expect(200)["conversations"]
    assert row["name"] == "Tour"


@pytest.mark.parametrize("is_parleyd", [True, False], ids=["parleyd", "postgresql"])
def test_a_kill_during_an_outage(api, stack, server, people, group, outage, is_parleyd):
    with outage():
        for i in range(3):
            api.as_user(people[0]).send_to(group, f"{i}").expect(201)
        assert open_follow_ups(stack) >= 3
        if is_parleyd:
            server.kill()
        else:
            stack.kill("postgresql", signal.SIGKILL)
    if is_parleyd:
        server.start()
    else:
        stack.start_service("postgresql")
    check_settled(api, stack, people, group, ["0", "1", "2"])


def test_the_groups_database_is_away(api, stack, server, people, group):
    """Without the group's database nothing is acknowledged and nothing happens."""
    ann, bob, cat = people
    server.set_proxies("refuse", [stack.database_of(group)])
    api.as_user(cat).send_to(group, "x", "k").expect(503)
    assert log(api, cat, group) == ["group-created"]
    server.set_proxies("pass", [stack.database_of(group)])
    assert retry_until_answered(api, cat, group, "x", "k")["messageId"]
    check_settled(api, stack, [ann, bob, cat], group, ["x"])
