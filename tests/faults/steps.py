"""Holds a send at a chosen step by locks of a second SQL session, and finds out at which step it is.

A send from one database to another has these steps, and a process can die between any two:

    received | recipient's copy and outbox entry commit | sender's copy commits | answer | outbox entry settled
"""

import contextlib
import json
import threading

from harness.client import Answer
from harness.h1conn import Closed, H1Connection
from harness.stack import SLOWNESS, wait_until


PLACES = ("same-shard", "same-database", "other-database")


class Lock:
    """A row lock in a transaction of its own. It ends with `release`, or if PostgreSQL dies."""

    def __init__(self, stack, database, statement, parameters):
        self.connection = stack.connect(database, "SUPERUSER")
        self.connection.autocommit = False
        self.cursor = self.connection.cursor()
        self.cursor.execute(statement, parameters)
        self.rows = self.cursor.fetchall()

    def release(self):
        with contextlib.suppress(Exception):
            self.connection.rollback()
        with contextlib.suppress(Exception):
            self.connection.close()


def lock_mailbox(stack, user):
    return Lock(stack, stack.database_of(user.id),
                f"SELECT user_id FROM {stack.schema_of(user.id)}.mailbox WHERE user_id = %s FOR UPDATE", (user.id,))


def lock_outbox(stack, recipient):
    return Lock(stack, stack.database_of(recipient.id),
                f"SELECT message_id FROM {stack.schema_of(recipient.id)}.outbox WHERE recipient_id = %s FOR UPDATE",
                (recipient.id,))


def is_waiting_for_a_lock(stack, database):
    rows = stack.query(database, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                                 "AND wait_event_type = 'Lock' AND usename = 'parley_server'")
    return rows[0][0] > 0


def stored(stack, user, peer):
    """[(messageId, clientMessageId, content)] of that copy of the conversation, read by SQL."""
    return stack.query(stack.database_of(user.id),
                       f"SELECT message_id, client_message_id, content FROM {stack.schema_of(user.id)}.message "
                       "WHERE user_id = %s AND peer_id = %s ORDER BY message_id", (user.id, peer.id))


def outbox_rows(stack):
    return sum(stack.query(name, "SELECT count(*) FROM parley.outbox")[0][0] for name in stack.databases)


def wait_for_empty_outbox(stack, timeout=10):
    wait_until(lambda: outbox_rows(stack) == 0, timeout * SLOWNESS, "the outbox is empty")


def wait_for_copy(stack, sender, recipient, count, timeout=5):
    wait_until(lambda: len(stored(stack, sender, recipient)) == count, timeout * SLOWNESS,
               f"{count} copies of the sender")


class PendingSend(threading.Thread):
    """One send on a connection of its own, in the background: `answer` is None if the connection broke."""

    def __init__(self, server, contract, sender, recipient, content, client_message_id):
        """recipient: a User, or the id of a group."""
        super().__init__(daemon=True)
        self.contract, self.answer = contract, None
        self.connection = H1Connection(server.url, timeout=60)
        target = {"conversationId": recipient} if isinstance(recipient, str) else {"recipientId": recipient.id}
        body = json.dumps({**target, "messageContent": content, "clientMessageId": client_message_id}).encode()
        self.request = self.connection.encode("POST", "/v1/messages", [
            ("Authorization", f"Bearer {sender.token}"), ("Content-Type", "application/json")], body)
        self.start()

    def run(self):
        try:
            self.connection.send(self.request)
            status, headers, body = self.connection.read_response()
        except (Closed, OSError):
            return
        finally:
            self.connection.close()
        value = self.contract.check("POST", "/v1/messages", status, headers, body)
        self.answer = Answer(status, headers, body, value)

    def result(self, timeout=30):
        self.join(timeout * SLOWNESS)
        assert not self.is_alive(), "the send was never answered"
        return self.answer


def open_follow_ups(stack):
    return sum(stack.query(name, "SELECT count(*) FROM parley.change_outbox")[0][0] for name in stack.databases)


def wait_for_empty_change_outbox(stack, timeout=10):
    wait_until(lambda: open_follow_ups(stack) == 0, timeout * SLOWNESS, "the change outbox is empty")
