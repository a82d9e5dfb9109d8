"""Proves promise 3, exactly once: a retry gets the first result and changes nothing, even if many come at once; the same
key with other content is refused and changes nothing; the same clientMessageId in another conversation is another
message."""

import asyncio

import pytest

from harness import checkers
from harness.client import unique
from harness.h2conn import H2Connection
from harness.readers import post
from harness.stack import SLOWNESS, wait_until

TRIES = 50


def state(api, user, peer):
    """Everything that a user can see of their mailbox, with ETag."""
    mine = api.as_user(user)
    conversations, messages = mine.fetch_conversation(pageSize=100), mine.fetch_messages(peer, pageSize=100)
    updates = mine.fetch_updates(lastUpdatedTimestamp=0, timeout=0, pageSize=100)
    return (conversations.headers["etag"], conversations.expect(200), messages.expect(200), updates.expect(200))


async def at_once(url, contract, sender, recipient, contents, client_message_id, connections):
    """Sends all contents under one key at once, on several connections: [(status, body)]."""
    opened = [await H2Connection.open(url) for _ in range(connections)]
    streams = [post(opened[i % connections], sender, recipient.id, content, client_message_id)
               for i, content in enumerate(contents)]
    answers = []
    for stream in streams:
        response = await stream.response(60)
        answers.append((response.status, contract.check("POST", "/v1/messages", response.status,
                                                        response.headers, response.body)))
    for connection in opened:
        await connection.close()
    return answers


@pytest.mark.concurrent
@pytest.mark.parametrize("connections", [1, 10])
def test_fifty_at_once_are_one_message(api, stack, contract, pair, connections):
    sender, recipient = pair
    answers = asyncio.run(at_once(stack.url, contract, sender, recipient, ["hello"] * TRIES, "key", connections))
    statuses = [status for status, _ in answers]
    assert statuses.count(201) == 1 and statuses.count(200) == TRIES - 1, statuses
    for status, value in answers:
        assert value.pop("duplicate") is (status == 200)
        # A retry may know that the sender's copy is stored while the first answer did not.
        assert value.pop("senderCopy") in ("stored", "pending")
    assert all(value == answers[0][1] for _, value in answers)
    views = {user.id: api.as_user(user).all_messages(peer)
             for user, peer in ((sender, recipient), (recipient, sender))}
    assert [len(view) for view in views.values()] == [1, 1]
    assert not checkers.mirrored(views)
    (row,) = api.as_user(recipient).fetch_conversation().expect(200)["conversations"]
    assert row["unreadCount"] == 1


@pytest.mark.concurrent
def test_one_of_many_contents_wins(api, stack, contract, pair):
    """Different contents under one key at once: one is stored, equal ones are duplicates, and the others are refused."""
    sender, recipient = pair
    contents = [f"content {i % 5}" for i in range(TRIES)]
    answers = asyncio.run(at_once(stack.url, contract, sender, recipient, contents, "key", 5))
    statuses = [status for status, _ in answers]
    assert statuses.count(201) == 1
    winner = contents[statuses.index(201)]
    for content, (status, value) in zip(contents, answers):
        if content == winner:
            assert status in (200, 201)
        else:
            assert status == 409 and value["code"] == "client-message-id-reused"
    for user, peer in ((sender, recipient), (recipient, sender)):
        (message,) = api.as_user(user).all_messages(peer)
        assert message["messageContent"] == winner


def test_retry_changes_nothing(api, pair):
    sender, recipient = pair
    mine = api.as_user(sender)
    key = unique("m")
    first = mine.send(recipient, "hello", key).expect(201)
    mine.send(recipient, "and another").expect(201)
    before = [state(api, *order) for order in (pair, pair[::-1])]
    for _ in range(3):
        again = mine.send(recipient, "hello", key).expect(200)
        assert again == {**first, "duplicate": True, "senderCopy": "stored"}
    assert [state(api, *order) for order in (pair, pair[::-1])] == before


@pytest.mark.parametrize("pair", ["same-database"], indirect=True)
def test_retry_while_the_copy_is_pending(api, stack, pair):
    """Two shards are in one database now, but were in two when the message was first sent: the sender's copy is an outbox
    entry. A retry's answer does not say "stored" before the copy is written."""
    sender, recipient = pair
    key = unique("m")
    first = api.as_user(sender).send(recipient, "hello", key).expect(201)
    with stack.session(stack.database_of(sender.id)) as cursor:
        for table in ("message", "conversation"):
            cursor.execute(f"DELETE FROM {stack.schema_of(sender.id)}.{table} WHERE user_id = %s", (sender.id,))
            assert cursor.rowcount == 1
        cursor.execute("INSERT INTO parley.outbox VALUES (%s, %s, %s)", (recipient.id, sender.id, first["messageId"]))
    again = api.as_user(sender).send(recipient, "hello", key).expect(200)
    assert again == {**first, "duplicate": True, "senderCopy": "stored"}
    rows = stack.query(stack.database_of(sender.id),
                       f"SELECT message_id FROM {stack.schema_of(sender.id)}.message WHERE user_id = %s", (sender.id,))
    assert rows == [(int(first["messageId"]),)]
    wait_until(lambda: stack.query(stack.database_of(sender.id), "SELECT count(*) FROM parley.outbox WHERE sender_id = %s",
                                   (sender.id,)) == [(0,)], 5 * SLOWNESS, "the outbox row is gone")


def test_other_content_changes_nothing(api, pair):
    sender, recipient = pair
    mine = api.as_user(sender)
    key = unique("m")
    first = mine.send(recipient, "hello", key).expect(201)
    before = [state(api, *order) for order in (pair, pair[::-1])]
    for other in ("Hello", "hello ", "hell", "x" * 65535, "hello\u0301"):
        mine.send(recipient, other, key).expect(409, code="client-message-id-reused")
    assert [state(api, *order) for order in (pair, pair[::-1])] == before
    assert mine.send(recipient, "hello", key).expect(200)["messageId"] == first["messageId"]


def test_retry_wakes_no_waiter(api, pair):
    """A long-poll at the current cursor is not answered because of a retry or a refusal."""
    sender, recipient = pair
    mine = api.as_user(sender)
    key = unique("m")
    mine.send(recipient, "hello", key).expect(201)
    cursor = api.as_user(recipient).settled_cursor()
    mine.send(recipient, "hello", key).expect(200)
    mine.send(recipient, "other", key).expect(409)
    delta = api.as_user(recipient).fetch_updates(lastUpdatedTimestamp=cursor, timeout=1).expect(200)
    assert delta["messages"] == [] and delta["conversations"] == [] and delta["lastUpdatedTimestamp"] == cursor


def test_same_key_to_another_conversation_is_another_message(api, pair):
    sender, recipient = pair
    third = api.make_user()
    key = unique("m")
    first = api.as_user(sender).send(recipient, "hello", key).expect(201)
    second = api.as_user(sender).send(third, "hello", key).expect(201)
    assert second["conversationId"] != first["conversationId"]
    third_sent = api.as_user(sender).send(third, "other", key)
    third_sent.expect(409)
    for peer in (recipient, third):
        assert len(api.as_user(sender).all_messages(peer)) == 1


def test_same_key_of_the_other_side_is_another_message(api, pair):
    one, other = pair
    key = unique("m")
    first = api.as_user(one).send(other, "hello", key).expect(201)
    second = api.as_user(other).send(one, "hello", key).expect(201)
    assert second["messageId"] != first["messageId"] and int(second["messageId"]) > int(first["messageId"])
    assert [len(api.as_user(me).all_messages(peer)) for me, peer in (pair, pair[::-1])] == [2, 2]


def test_keys_are_compared_byte_for_byte(api, pair):
    sender, recipient = pair
    sent = [api.as_user(sender).send(recipient, "x", key).expect(201)["messageId"]
            for key in ("Key", "key", "key ", "kéy"[:1] + "ey2", "KEY")]
    assert len(set(sent)) == 5


def test_retry_by_conversation_id_and_by_recipient_agree(api, pair):
    sender, recipient = pair
    first = api.as_user(sender).send(recipient, "x", "key").expect(201)
    body = {"conversationId": first["conversationId"], "messageContent": "x", "clientMessageId": "key"}
    assert api.as_user(sender).post("/v1/messages", body).expect(200)["messageId"] == first["messageId"]
