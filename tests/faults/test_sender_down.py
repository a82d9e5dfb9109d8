"""Proves that a send succeeds while the sender's database is unreachable: 201 with senderCopy "pending"; the recipient
has it at once; the copies come in order within five seconds after the database is back, even if parleyd was killed in
between; and users of the other database are not affected."""

import time

import pytest

from harness.stack import SLOWNESS, wait_until
from steps import outbox_rows, stored, wait_for_copy, wait_for_empty_outbox


def disable(stack, database):
    """Makes a database unreachable: refuses new connections and ends the open ones."""
    other = next(name for name in stack.databases if name != database)
    stack.query(other, f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    stack.query(other, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,))


def enable(stack, database):
    other = next(name for name in stack.databases if name != database)
    stack.query(other, f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")


@pytest.fixture(params=["refuse", "stall", "database"])
def outage(request, stack, server, far_pair):
    """begin() and end() of an outage of the sender's database: connections are refused, packets are lost, or the database
    accepts no connections."""
    database = stack.database_of(far_pair[0].id)

    class Outage:
        kind = request.param

        @staticmethod
        def begin():
            if request.param == "database":
                disable(stack, database)
            else:
                server.set_proxies(request.param, [database])

        @staticmethod
        def end():
            if request.param == "database":
                enable(stack, database)
            else:
                server.set_proxies("pass", [database])

    yield Outage
    Outage.end()


def test_pending_then_there(api, stack, outage, far_pair):
    sender, recipient = far_pair
    api.as_user(sender).send(recipient, "before", "before").expect(201)
    wait_for_copy(stack, sender, recipient, 1)
    outage.begin()
    sent = []
    for i in range(5):
        start = time.monotonic()
        answer = api.as_user(sender).send(recipient, f"{i}", f"c{i}").expect(201)
        assert answer["senderCopy"] == "pending" and answer["duplicate"] is False
        assert time.monotonic() - start < 4 * SLOWNESS
        sent.append(answer)
        page = api.as_user(recipient).fetch_messages(sender).expect(200)
        assert page["messages"][0]["messageId"] == answer["messageId"]
    again = api.as_user(sender).send(recipient, "4", "c4").expect(200)
    assert again["messageId"] == sent[-1]["messageId"] and again["senderCopy"] == "pending"
    outage.end()
    start = time.monotonic()
    wait_until(lambda: len(stored(stack, sender, recipient)) == 6, 5 * SLOWNESS, "the copies, within 5 s")
    print(f"{outage.kind}: copies {time.monotonic() - start:.2f} s after the return")
    wait_until(lambda: api.as_user(sender).fetch_conversation().status == 200, 5 * SLOWNESS, "reads work")
    copies = api.as_user(sender).all_messages(recipient)
    assert [m["messageId"] for m in copies[1:]] == [a["messageId"] for a in sent]
    assert api.as_user(recipient).all_messages(sender)[1:] != []
    wait_for_empty_outbox(stack)
    (row,) = api.as_user(sender).fetch_conversation().expect(200)["conversations"]
    assert row["lastMessageId"] == sent[-1]["messageId"] and row["unreadCount"] == 0


def test_parleyd_killed_meanwhile(api, stack, server, outage, far_pair):
    sender, recipient = far_pair
    outage.begin()
    sent = [api.as_user(sender).send(recipient, f"{i}", f"c{i}").expect(201) for i in range(3)]
    assert outbox_rows(stack) == 3 if outage.kind != "database" else True
    server.kill()
    outage.end()
    server.start()
    wait_until(lambda: [str(m[0]) for m in stored(stack, sender, recipient)] == [a["messageId"] for a in sent],
               5 * SLOWNESS, "the copies, within 5 s of the start")
    wait_for_empty_outbox(stack)


@pytest.mark.parametrize("far_pair", ["swapped"], indirect=True)
def test_started_while_a_database_is_away(api, stack, server, outage, far_pair):
    """A server that starts during the outage serves the users of the reachable database. (Without the directory it waits,
    because it cannot know the databases of the shards.)"""
    sender, recipient = far_pair
    third = api.make_user()
    while stack.database_of(third.id) != stack.database_of(recipient.id):
        third = api.make_user()
    outage.begin()
    sent = api.as_user(sender).send(recipient, "x", "c").expect(201)
    server.kill()
    server.spawn()

    def serves():
        try:
            return api.as_user(third).send(recipient, "hello", "c").status in (200, 201)
        except Exception:  # pylint: disable=broad-except
            assert server.process.poll() is None, f"it has exited: {server.log()[-1000:]}"
            return False

    wait_until(serves, 20 * SLOWNESS, "the other database's users are served")
    outage.end()
    wait_until(lambda: [str(m[0]) for m in stored(stack, sender, recipient)] == [sent["messageId"]],
               5 * SLOWNESS, "the copy, within 5 s of the return")


def test_users_of_the_other_database_are_not_affected(api, stack, outage, far_pair):
    """While one database is unreachable, sends and reads in the other are as fast as before."""
    _, recipient = far_pair
    third = api.make_user()
    while stack.database_of(third.id) != stack.database_of(recipient.id):
        third = api.make_user()
    api.as_user(third).send(recipient, "warm").expect(201)
    outage.begin()
    for i in range(20):
        start = time.monotonic()
        assert api.as_user(third).send(recipient, f"{i}").expect(201)["senderCopy"] == "stored"
        api.as_user(recipient).fetch_conversation().expect(200)
        assert time.monotonic() - start < 5 * SLOWNESS, "as if it had waited for the other database"


def test_recipient_away_is_503_and_nothing_happens(api, stack, outage, far_pair):
    """Without the recipient's database there is no 2xx."""
    away, here = far_pair
    api.as_user(away).send(here, "warm", "warm").expect(201)
    wait_for_copy(stack, away, here, 1)
    outage.begin()
    answer = api.as_user(here).send(away, "x", "c")
    answer.expect(503)
    page = api.as_user(here).fetch_messages(away).expect(200)
    assert [m["clientMessageId"] for m in page["messages"]] == ["warm"]
    outage.end()
    wait_until(lambda: api.as_user(here).send(away, "x", "c").status in (200, 201), 10 * SLOWNESS, "it is accepted")
    wait_for_copy(stack, here, away, 2)
    assert len(api.as_user(away).all_messages(here)) == 2
