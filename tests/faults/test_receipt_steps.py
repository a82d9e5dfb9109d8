"""Proves that a receipt reaches both sides once, with kill -9 of parleyd and an immediate stop and kill -9 of PostgreSQL
between its steps; also while the sender's database is unreachable, and before the sender has a copy.

    received | reader's watermark and outbox entry commit | sender's watermark commits | answer | outbox entry settled
"""

import signal
import threading

import pytest

from harness.stack import SLOWNESS, wait_until
from steps import Lock, is_waiting_for_a_lock, lock_mailbox, stored, wait_for_copy

VICTIMS = ("parleyd", "postgresql-immediate", "postgresql-kill")


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


class PendingReceipt(threading.Thread):
    """One receipt in the background: `status` is None if the connection broke."""

    def __init__(self, api, reader, sender, message_id):
        super().__init__(daemon=True)
        self.api, self.target, self.message_id, self.status = api.as_user(reader), sender, message_id, None
        self.start()

    def run(self):
        try:
            self.status = self.api.send_receipt(self.target, self.message_id).status
        except Exception as error:  # pylint: disable=broad-except
            assert type(error).__module__.startswith(("httpx", "httpcore")), error

    def result(self):
        self.join(30 * SLOWNESS)
        assert not self.is_alive(), "the receipt was never answered"
        return self.status


def conversation(stack, user, peer):
    """(read, delivered, peer's read, peer's delivered, unread, version), by SQL."""
    return stack.query(stack.database_of(user.id), f"""
        SELECT read_up_to, delivered_up_to, peer_read_up_to, peer_delivered_up_to, unread_count, version
        FROM {stack.schema_of(user.id)}.conversation WHERE user_id = %s AND peer_id = %s""", (user.id, peer.id))[0]


def open_follow_ups(stack):
    return sum(stack.query(name, "SELECT count(*) FROM parley.change_outbox")[0][0] for name in stack.databases)


def wait_for_both(stack, reader, sender, message_id):
    """Waits until both sides have the receipt and the outbox is empty. A repeated follow-up changes nothing."""
    wait_until(lambda: conversation(stack, reader, sender)[0] == int(message_id), 20 * SLOWNESS, "the reader's watermark")
    wait_until(lambda: conversation(stack, sender, reader)[2:4] == (int(message_id),) * 2, 20 * SLOWNESS,
               "the sender's watermark")
    version = conversation(stack, sender, reader)[5]
    wait_until(lambda: open_follow_ups(stack) == 0, 20 * SLOWNESS, "the change outbox is empty")
    assert conversation(stack, sender, reader)[5] == version, "the receipt was applied twice"
    assert conversation(stack, reader, sender)[4] == 0


@pytest.fixture
def sent(api, stack, far_pair):
    """(sender, reader, messageId) of one message, of which both copies exist."""
    sender, reader = far_pair
    message_id = api.as_user(sender).send(reader, "hello", "hello").expect(201)["messageId"]
    wait_for_copy(stack, sender, reader, 1)
    return sender, reader, message_id


@pytest.mark.parametrize("victim", VICTIMS)
def test_before_the_first_commit(api, stack, server, sent, victim):
    """Nothing has happened. The client's retry writes the receipt."""
    sender, reader, message_id = sent
    lock = lock_mailbox(stack, reader)
    receipt = PendingReceipt(api, reader, sender, message_id)
    wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(reader.id)), 5 * SLOWNESS, "the receipt waits")
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    assert receipt.result() in (None, 204, 503)
    wait_until(lambda: api.as_user(reader).send_receipt(sender, message_id).status == 204, 20 * SLOWNESS, "a 204")
    wait_for_both(stack, reader, sender, message_id)


@pytest.mark.parametrize("victim", VICTIMS)
def test_between_the_sides(api, stack, server, sent, victim):
    """The reader's side has committed; the sender's side follows without a retry."""
    sender, reader, message_id = sent
    lock = lock_mailbox(stack, sender)
    receipt = PendingReceipt(api, reader, sender, message_id)
    wait_until(lambda: conversation(stack, reader, sender)[0] == int(message_id), 5 * SLOWNESS, "the reader's side")
    wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(sender.id)), 5 * SLOWNESS, "the other side waits")
    assert open_follow_ups(stack) == 1 and conversation(stack, sender, reader)[2] == 0
    kill(stack, server, victim)
    lock.release()
    revive(stack, server, victim)
    assert receipt.result() in (None, 204, 503)
    wait_for_both(stack, reader, sender, message_id)


@pytest.mark.parametrize("victim", VICTIMS)
def test_before_the_outbox_row_goes(api, stack, server, sent, victim):
    """Both sides have committed. The relay executes the follow-up again, which changes nothing."""
    sender, reader, message_id = sent
    lock = lock_mailbox(stack, sender)
    receipt = PendingReceipt(api, reader, sender, message_id)
    wait_until(lambda: open_follow_ups(stack) == 1, 5 * SLOWNESS, "the follow-up for the sender is open")
    row = Lock(stack, stack.database_of(reader.id), "SELECT version FROM parley.change_outbox FOR UPDATE", ())
    lock.release()
    wait_until(lambda: conversation(stack, sender, reader)[2] == int(message_id), 5 * SLOWNESS, "the sender's side")
    version = conversation(stack, sender, reader)[5]
    assert receipt.result() == 204
    kill(stack, server, victim)
    row.release()
    revive(stack, server, victim)
    wait_for_both(stack, reader, sender, message_id)
    assert conversation(stack, sender, reader)[5] == version


@pytest.mark.parametrize("mode", ["refuse", "stall"])
def test_the_senders_database_is_away(api, stack, server, sent, mode):
    """The reader's side does not wait for the sender's database. The relay writes the other side when that is back."""
    sender, reader, message_id = sent
    server.set_proxies(mode, [stack.database_of(sender.id)])
    api.as_user(reader).send_receipt(sender, message_id).expect(204)
    row, = api.as_user(reader).fetch_conversation().expect(200)["conversations"]
    assert row["unreadCount"] == 0 and open_follow_ups(stack) == 1
    server.set_proxies("pass", [stack.database_of(sender.id)])
    wait_for_both(stack, reader, sender, message_id)


def test_before_the_sender_has_a_copy(api, stack, server, far_pair):
    """The sender's copy of the message is still an outbox entry: the follow-up of the receipt waits for it."""
    sender, reader = far_pair
    database = stack.database_of(sender.id)
    server.set_proxies("refuse", [database])
    message_id = api.as_user(sender).send(reader, "hello", "hello").expect(201)["messageId"]
    api.as_user(reader).send_receipt(sender, message_id).expect(204)
    assert not stored(stack, sender, reader) and open_follow_ups(stack) == 1
    server.set_proxies("pass", [database])
    wait_for_copy(stack, sender, reader, 1)
    wait_for_both(stack, reader, sender, message_id)
    page = api.as_user(sender).fetch_messages(reader)
    assert page.status == 503 or page.json["messages"][0]["status"] == "read"


def test_the_next_cursor_repeats_a_lost_receipt(api, stack, server, sent):
    """The server does not store receipts that follow from cursors before they are written: after a kill the client's next
    cursor repeats them."""
    sender, reader, message_id = sent
    cursor = api.as_user(reader).all_updates()[1]
    lock = lock_mailbox(stack, reader)
    api.as_user(reader).fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
    wait_until(lambda: is_waiting_for_a_lock(stack, stack.database_of(reader.id)), 5 * SLOWNESS, "it waits")
    server.kill()
    lock.release()
    server.start()
    api.as_user(reader).fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
    wait_until(lambda: conversation(stack, sender, reader)[3] == int(message_id), 20 * SLOWNESS, "it is delivered")
    wait_until(lambda: open_follow_ups(stack) == 0, 20 * SLOWNESS, "the change outbox is empty")
    assert conversation(stack, sender, reader)[2] == 0
