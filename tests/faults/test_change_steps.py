"""Proves that edits, deletions and reactions survive faults between their two commits: the caller's or the peer's
database is unreachable, or parleyd is killed after the first commit. In the end an acknowledged change is in both copies,
once; a change that got 503 is in both copies or in none, and can be retried."""

import json
import threading

import pytest

from harness.client import Answer
from harness.h1conn import Closed, H1Connection
from harness.stack import SLOWNESS, wait_until
from steps import lock_mailbox, wait_for_copy, wait_for_empty_outbox
from test_send_steps import is_back
from test_sender_down import outage  # noqa: F401 pylint: disable=unused-import


class PendingEdit(threading.Thread):
    """One edit on a connection of its own, in the background: `answer` is None if the connection broke."""

    def __init__(self, server, contract, api, sender, recipient, message_id, content):
        super().__init__(daemon=True)
        self.contract, self.answer = contract, None
        self.target = api.as_user(sender).message_path(recipient, message_id)
        self.connection = H1Connection(server.url, timeout=60)
        self.request = self.connection.encode("PATCH", self.target, [
            ("Authorization", f"Bearer {sender.token}"), ("Content-Type", "application/json")],
            json.dumps({"messageContent": content}).encode())
        self.start()

    def run(self):
        try:
            self.connection.send(self.request)
            status, headers, body = self.connection.read_response()
        except (Closed, OSError):
            return
        finally:
            self.connection.close()
        self.answer = Answer(status, headers, body, self.contract.check("PATCH", self.target, status, headers, body))

    def result(self, timeout=30):
        self.join(timeout * SLOWNESS)
        assert not self.is_alive(), "the edit was never answered"
        return self.answer


def open_follow_ups(stack):
    return sum(stack.query(name, "SELECT count(*) FROM parley.change_outbox")[0][0] for name in stack.databases)


def wait_for_empty_change_outbox(stack):
    wait_for_empty_outbox(stack)
    wait_until(lambda: open_follow_ups(stack) == 0, 10 * SLOWNESS, "the change outbox is empty")


def copies(stack, pair, message_id):
    """The contents of the two copies, read by SQL."""
    return [stack.query(stack.database_of(user.id),
                        f"SELECT content, coalesce(extra, '{{}}') - '{{original,copyContent}}'::text[] FROM {stack.schema_of(user.id)}.message "
                        "WHERE user_id = %s AND peer_id = %s AND message_id = %s", (user.id, peer.id, message_id))
            for user, peer in (pair, pair[::-1])]


def wait_until_equal(stack, pair, message_id):
    """Waits until both copies are equal; returns their state."""
    wait_until(lambda: copies(stack, pair, message_id)[0] == copies(stack, pair, message_id)[1] != [],
               10 * SLOWNESS, "both copies are equal")
    return copies(stack, pair, message_id)[0][0]


def counts(stack, pair):
    return [stack.query(stack.database_of(user.id),
                        f"SELECT count(*) FROM {stack.schema_of(user.id)}.message WHERE user_id = %s", (user.id,))[0][0]
            for user in pair]


def sent(api, stack, pair, content="hello", key="key"):
    answer = api.as_user(pair[0]).send(pair[1], content, key).expect(201)
    wait_for_copy(stack, *pair, 1)
    return answer["messageId"]


def test_callers_database_away(api, stack, outage, far_pair):  # noqa: F811 pylint: disable=redefined-outer-name
    """The peer has the edit at once; the caller's copy follows when the database is back."""
    one, other = far_pair
    message_id = sent(api, stack, far_pair)
    outage.begin()
    answer = api.as_user(one).edit_message(other, message_id, "edited").expect(200)
    assert answer["senderCopy"] == "pending"
    (mine,) = api.as_user(other).fetch_messages(one).expect(200)["messages"]
    assert mine["messageContent"] == "edited" and mine["editedTimestamp"] == answer["editedTimestamp"]
    assert api.as_user(one).add_reaction(other, message_id, "+").expect(200)["senderCopy"] == "pending"
    assert api.as_user(one).add_reaction(other, message_id, "+").expect(200)["senderCopy"] == "pending", \
        "the outbox entry for the caller is gone"
    assert api.as_user(one).send(other, "hello", "key").expect(200)["duplicate"] is True
    outage.end()
    content, extra = wait_until_equal(stack, far_pair, message_id)
    assert content == "edited" and list(extra["reactions"]) == ["+"]
    wait_for_empty_change_outbox(stack)
    wait_until(lambda: is_back(api, one), 20 * SLOWNESS, "reads work")
    assert api.as_user(one).fetch_messages(other).expect(200)["messages"][0]["messageContent"] == "edited"
    assert counts(stack, far_pair) == [1, 1]


def test_edited_before_the_caller_has_a_copy(api, stack, outage, far_pair):  # noqa: F811 pylint: disable=redefined-outer-name
    """A message is sent, edited, reacted to and replied to while the caller's database is unreachable. The copy that
    follows has all of this."""
    one, other = far_pair
    api.as_user(one).fetch_conversation().expect(200)
    outage.begin()
    mine = api.as_user(one)
    first = mine.send(other, "hello", "key").expect(201)
    assert first["senderCopy"] == "pending"
    message_id = first["messageId"]
    mine.edit_message(other, message_id, "edited").expect(200)
    mine.add_reaction(other, message_id, "+").expect(200)
    reply = mine.send(other, "I mean", "reply", replyTo=message_id).expect(201)["messageId"]
    deleted = mine.send(other, "oops", "deleted").expect(201)["messageId"]
    mine.delete_message(other, deleted).expect(200)
    api.as_user(other).delete_message(one, reply, "me").expect(200)
    outage.end()
    content, extra = wait_until_equal(stack, far_pair, message_id)
    assert content == "edited" and list(extra["reactions"]) == ["+"]
    content, extra = wait_until_equal(stack, far_pair, deleted)
    assert content == "" and extra["deletedScope"] == "everyone"
    wait_for_copy(stack, one, other, 3)
    (content, extra), = copies(stack, far_pair, reply)[0]
    assert content == "I mean" and extra == {"replyTo": message_id}, "a message that the peer deleted for themselves is back"
    wait_for_empty_change_outbox(stack)
    wait_until(lambda: is_back(api, one), 20 * SLOWNESS, "reads work")
    for key, text, fields in (("key", "hello", {}), ("reply", "I mean", {"replyTo": message_id}), ("deleted", "oops", {})):
        mine.send(other, text, key, **fields).expect(200)
    assert counts(stack, far_pair) == [3, 3]


def test_others_database_away(api, stack, outage, far_pair):  # noqa: F811 pylint: disable=redefined-outer-name
    """Without the peer's database there is no 2xx and nothing changes; deleting for oneself still works."""
    other, one = far_pair
    message_id = sent(api, stack, (one, other))
    outage.begin()
    api.as_user(one).edit_message(other, message_id, "edited").expect(503)
    api.as_user(one).delete_message(other, message_id).expect(503)
    api.as_user(one).add_reaction(other, message_id, "+").expect(503)
    (mine,) = api.as_user(one).fetch_messages(other).expect(200)["messages"]
    assert mine["messageContent"] == "hello"
    api.as_user(one).delete_message(other, message_id, "me").expect(200)
    outage.end()
    wait_until(lambda: api.as_user(one).edit_message(other, message_id, "edited").status == 200, 20 * SLOWNESS, "it is accepted")
    wait_until(lambda: copies(stack, (one, other), message_id)[1][0][0] == "edited", 10 * SLOWNESS, "the peer has it")
    assert copies(stack, (one, other), message_id)[0][0][1]["deletedScope"] == "me"
    wait_for_empty_change_outbox(stack)


@pytest.mark.parametrize("is_asked_again", [False, True], ids=["left", "asked again"])
def test_killed_between_the_copies(api, stack, server, contract, far_pair, is_asked_again):
    """The peer has the edit, and the caller's copy does not. The relay makes the follow-up without the client, and only
    once even if the client retries."""
    one, other = far_pair
    message_id = sent(api, stack, far_pair)
    lock = lock_mailbox(stack, one)
    edit = PendingEdit(server, contract, api, one, other, message_id, "edited")
    wait_until(lambda: copies(stack, far_pair, message_id)[1][0][0] == "edited", 5 * SLOWNESS, "the peer has it")
    assert copies(stack, far_pair, message_id)[0][0][0] == "hello"
    assert open_follow_ups(stack) == 1
    server.kill()
    lock.release()
    server.start()
    wait_until(lambda: is_back(api, one), 20 * SLOWNESS, "the server is back")
    if is_asked_again:
        api.as_user(one).edit_message(other, message_id, "edited").expect(200)
    content, extra = wait_until_equal(stack, far_pair, message_id)
    assert content == "edited" and "editedTimestamp" in extra
    wait_for_empty_change_outbox(stack)
    answer = edit.result()
    assert answer is None or answer.json["senderCopy"] == "pending"
    versions = [api.as_user(user).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"] for user in far_pair]
    for user, version in zip(far_pair, versions):
        assert api.as_user(user).fetch_updates(lastUpdatedTimestamp=version, timeout=2).expect(200)["messages"] == []
    assert counts(stack, far_pair) == [1, 1]
    assert api.as_user(one).send(other, "hello", "key").expect(200)["duplicate"] is True


def test_lost_result_of_an_edit(api, stack, server, contract, pair):
    """The connections to the databases break after the commit: the server learns the outcome, and executes the follow-up."""
    one, other = pair
    message_id = sent(api, stack, pair)
    api.as_user(one).edit_message(other, message_id, "warm").expect(200)
    wait_for_empty_change_outbox(stack)
    server.set_proxies("mute")
    edit = PendingEdit(server, contract, api, one, other, message_id, "edited")
    wait_until(lambda: copies(stack, pair, message_id)[1][0][0] == "edited", 5 * SLOWNESS, "the commit")
    server.set_proxies("refuse")
    server.set_proxies("pass")
    answer = edit.result()
    assert answer is not None and answer.status in (200, 503)
    if answer.status == 200 and answer.json["senderCopy"] == "stored":
        assert copies(stack, pair, message_id)[0][0][0] == "edited"
    assert wait_until_equal(stack, pair, message_id)[0] == "edited"
    wait_for_empty_change_outbox(stack)
