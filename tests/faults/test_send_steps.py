"""Proves promises 1, 2, 3 and 6 with kill -9 of parleyd, and an immediate stop and kill -9 of PostgreSQL, at each step of
a send, for each placement of the two users.

After every fault: an acknowledged message is there; the sender has no message that the recipient does not have; a retry
gets the first result; both users have exactly one message; the outbox becomes empty.
"""

import signal

import pytest

from harness import checkers
from harness.stack import SLOWNESS, wait_until
from steps import (PLACES, PendingSend, is_waiting_for_a_lock, lock_mailbox, lock_outbox, outbox_rows, stored,
                   wait_for_copy, wait_for_empty_outbox)

VICTIMS = ("parleyd", "postgresql-immediate", "postgresql-kill")
# Every placement with every kill -9; an immediate stop where the two databases differ.
FAULTS = [(place, victim) for place in PLACES for victim in VICTIMS
          if place == "other-database" or victim != "postgresql-immediate"]
with_faults = pytest.mark.parametrize("pair, victim", FAULTS, indirect=["pair"])


def kill(stack, server, victim):
    if victim == "parleyd":
        server.kill()
    else:
        stack.kill("postgresql", signal.SIGQUIT if victim.endswith("immediate") else signal.SIGKILL)


def revive(stack, server, victim):
    if victim == "parleyd":
        server.start()
    else:
        stack.start_service("postgresql")


def is_back(api, user):
    try:
        return api.as_user(user).fetch_conversation().status == 200
    except Exception:  # pylint: disable=broad-except
        return False


def retry_until_answered(api, sender, recipient, content, key):
    """Repeats the same send until a 2xx comes, as a client does. recipient: a User, or the id of a group."""
    mine = api.as_user(sender)
    send = mine.send_to if isinstance(recipient, str) else mine.send
    answers = []

    def attempt():
        try:
            answers.append(send(recipient, content, key))
        except OSError:
            return False
        except Exception as error:  # pylint: disable=broad-except
            if type(error).__module__.startswith(("httpx", "httpcore")):
                return False
            raise
        assert answers[-1].status in (200, 201, 503), answers[-1]
        return answers[-1].status in (200, 201)

    wait_until(attempt, 20 * SLOWNESS, "a 2xx for the retry")
    return answers[-1].json


def check_settled(api, stack, sender, recipient, key, content, answers):
    """The checks at the end of every test here."""
    final = retry_until_answered(api, sender, recipient, content, key)
    wait_for_copy(stack, sender, recipient, 1)
    wait_for_empty_outbox(stack)
    send = checkers.Send(sender.id, recipient.id, key, content)
    send.answers = [answer.json for answer in answers if answer is not None and answer.status < 300] + [final]
    mailboxes = {user.id: api.as_user(user).all_messages(peer)
                 for user, peer in ((sender, recipient), (recipient, sender))}
    assert not checkers.total_queue([send], mailboxes)
    assert not checkers.recipient_first(mailboxes)
    assert not checkers.exactly_once([send], mailboxes)
    assert not checkers.mirrored(mailboxes)
    assert [len(messages) for messages in mailboxes.values()] == [1, 1]
    (row,) = api.as_user(recipient).fetch_conversation().expect(200)["conversations"]
    assert row["unreadCount"] == 1
    (row,) = api.as_user(sender).fetch_conversation().expect(200)["conversations"]
    assert row["unreadCount"] == 0


def warm(stack, server, contract, sender, recipient):
    """Sends one message again on so many connections that every worker has connected its lanes and knows both users. So
    the next send begins with its write."""
    for _ in range(16):
        assert PendingSend(server, contract, sender, recipient, "warm", "warm").result().status in (200, 201)
    wait_for_copy(stack, sender, recipient, 1)
    wait_for_empty_outbox(stack)


@with_faults
def test_before_the_first_commit(api, stack, server, contract, pair, victim):
    sender, recipient = pair
    lock = lock_mailbox(stack, recipient)
    send = PendingSend(server, contract, sender, recipient, "hello", "key")
    wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(recipient.id)), 5 * SLOWNESS, "the send waits")
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    answer = send.result()
    assert answer is None or answer.status in (200, 201, 503)
    check_settled(api, stack, sender, recipient, "key", "hello", [answer])


@with_faults
def test_between_the_commits(api, stack, server, contract, pair, victim):
    """The recipient has the message, and the sender does not yet. With two databases the relay writes the copy without a
    retry. With one database there is no such moment."""
    sender, recipient = pair
    lock = lock_mailbox(stack, sender)
    send = PendingSend(server, contract, sender, recipient, "hello", "key")
    is_split = stack.database_of(sender.id) != stack.database_of(recipient.id)
    if is_split:
        wait_until(lambda: stored(stack, recipient, sender), 5 * SLOWNESS, "the recipient's copy")
        assert not stored(stack, sender, recipient)
        assert outbox_rows(stack) == 1
    else:
        # One transaction writes both copies: this is a kill during that transaction.
        wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(sender.id)), 5 * SLOWNESS, "the send is held")
        assert not stored(stack, recipient, sender)
        assert outbox_rows(stack) == 0
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    if is_split:
        wait_until(lambda: is_back(api, sender), 20 * SLOWNESS, "the server is back")
        wait_for_copy(stack, sender, recipient, 1)
    check_settled(api, stack, sender, recipient, "key", "hello", [send.result()])


@pytest.mark.parametrize("victim", VICTIMS)
def test_before_the_outbox_row_goes(api, stack, server, contract, far_pair, victim):
    """Both copies and the outbox entry exist: writing the copy again doubles nothing."""
    sender, recipient = far_pair
    lock = lock_mailbox(stack, sender)
    send = PendingSend(server, contract, sender, recipient, "hello", "key")
    wait_until(lambda: stored(stack, recipient, sender), 5 * SLOWNESS, "the recipient's copy")
    row_lock = lock_outbox(stack, recipient)
    assert len(row_lock.rows) == 1
    lock.release()
    answer = send.result()
    assert answer.status == 201
    wait_for_copy(stack, sender, recipient, 1)
    kill(stack, server, victim)
    row_lock.release()
    assert victim != "parleyd" or outbox_rows(stack) == 1
    revive(stack, server, victim)
    wait_until(lambda: is_back(api, sender), 20 * SLOWNESS, "the server is back")
    wait_for_empty_outbox(stack)
    check_settled(api, stack, sender, recipient, "key", "hello", [answer])


@with_faults
def test_before_the_answer(api, stack, server, contract, pair, victim):
    """The commit happens, but its result never reaches the server; then the server or its database is killed."""
    sender, recipient = pair
    warm(stack, server, contract, sender, recipient)
    server.set_proxies("mute")
    send = PendingSend(server, contract, sender, recipient, "hello", "key")
    wait_until(lambda: len(stored(stack, recipient, sender)) == 2, 5 * SLOWNESS, "the commit")
    kill(stack, server, victim)
    server.set_proxies("refuse")
    server.set_proxies("pass")
    revive(stack, server, victim)
    answer = send.result()
    final = retry_until_answered(api, sender, recipient, "hello", "key")
    if victim == "parleyd":
        assert final["duplicate"] is True
    if answer is not None and answer.status in (200, 201):
        assert answer.json["messageId"] == final["messageId"]
    wait_for_copy(stack, sender, recipient, 2)
    wait_for_empty_outbox(stack)
    for me, peer in ((sender, recipient), (recipient, sender)):
        assert [m[1] for m in stored(stack, me, peer)] == ["warm", "key"]


def test_the_server_learns_a_lost_result(api, stack, server, contract, pair):
    """The connection breaks after the commit: the server learns the outcome and answers 201; or, if that takes too long,
    503, and the retry is a duplicate."""
    sender, recipient = pair
    warm(stack, server, contract, sender, recipient)
    server.set_proxies("mute")
    send = PendingSend(server, contract, sender, recipient, "hello", "key")
    wait_until(lambda: len(stored(stack, recipient, sender)) == 2, 5 * SLOWNESS, "the commit")
    server.set_proxies("refuse")
    server.set_proxies("pass")
    answer = send.result()
    assert answer is not None and answer.status in (200, 201, 503)
    final = retry_until_answered(api, sender, recipient, "hello", "key")
    assert final["duplicate"] is True
    if answer.status != 503:
        assert answer.json["messageId"] == final["messageId"]
    wait_for_copy(stack, sender, recipient, 2)
    wait_for_empty_outbox(stack)


@with_faults
def test_acknowledged_is_durable(api, stack, server, pair, victim):
    """Killed right after the acknowledgement: both users have the message as it was acknowledged."""
    sender, recipient = pair
    answers = [api.as_user(sender).send(recipient, f"{i}", f"c{i}").expect(201) for i in range(20)]
    kill(stack, server, victim)
    revive(stack, server, victim)
    wait_until(lambda: is_back(api, sender), 20 * SLOWNESS, "the server is back")
    wait_for_copy(stack, sender, recipient, 20)
    for me, peer in ((sender, recipient), (recipient, sender)):
        assert [m["messageId"] for m in api.as_user(me).all_messages(peer)] == [a["messageId"] for a in answers]
    wait_for_empty_outbox(stack)


@with_faults
def test_no_stale_read_after_a_kill(api, stack, server, pair, victim):
    """Promise 6: after a fault the server does not answer with lists that were cached before it."""
    sender, recipient = pair
    for i in range(3):
        api.as_user(sender).send(recipient, f"{i}").expect(201)
        api.as_user(recipient).fetch_messages(sender).expect(200)
    kill(stack, server, victim)
    revive(stack, server, victim)
    wait_until(lambda: is_back(api, sender), 20 * SLOWNESS, "the server is back")
    last = retry_until_answered(api, sender, recipient, "after", "after")
    for _ in range(3):
        page = api.as_user(recipient).fetch_messages(sender).expect(200)
        assert page["messages"][0]["messageId"] == last["messageId"]
    (row,) = api.as_user(recipient).fetch_conversation().expect(200)["conversations"]
    assert row["snippet"] == "after" and row["unreadCount"] == 4
