"""Proves sendMessage: its answer for every placement of the two users, the relation of ids and times, which recipients it
refuses, and that both sides have the message with everything that was sent."""

import time

import pytest

from harness import ids
from harness.client import conversation_id, unique

CONTENTS = {
    "ascii": "hello",
    "one byte": "x",
    "space": " ",
    "controls": "\x01\x02\t\r\n\x1f\x7f",
    "quotes": "\"\\/\b\f",
    "astral": "\U0001f469\u200d\U0001f680 and \U00010ffff",
    "separators": "a\u2028b\u2029c",
    "bidi and bom": "\ufeff\u202eabc\u202c",
    "non-characters": "\uffff\ufffe\U0001ffff",
    "sql": "'); DROP TABLE message; --",
    "array literal": "{\"a\",NULL}",
    "backslashes": "\\\\x41 \\N \\.",
    "percent": "%s %n %1$s",
    "html": "<script>alert(1)</script>",
}


def test_answer_and_both_copies(api, pair):
    sender, recipient = pair
    before = time.time() * 1e6
    client_id = unique("m")
    sent = api.as_user(sender).send(recipient, "hello", client_id).expect(201)
    after = time.time() * 1e6
    assert sent["conversationId"] == conversation_id(sender.id, recipient.id)
    assert sent["senderId"] == sender.id
    assert sent["clientMessageId"] == client_id
    assert sent["duplicate"] is False
    assert sent["senderCopy"] == "stored"
    assert sent["sentTimestamp"] == ids.sent_timestamp(sent["messageId"])
    assert int(sent["messageId"]) % 2 == ids.direction(sender.id, recipient.id)
    assert before - 1e6 < sent["sentTimestamp"] < after + 1e6
    for me, peer in ((sender, recipient), (recipient, sender)):
        page = api.as_user(me).fetch_messages(peer).expect(200)
        (message,) = page["messages"]
        assert message["messageId"] == sent["messageId"]
        assert message["messageContent"] == "hello"
        assert message["senderId"] == sender.id
        assert message["clientMessageId"] == client_id
        assert message["sentTimestamp"] == sent["sentTimestamp"]
        assert sorted(message["participants"]) == sorted([sender.id, recipient.id])
        assert message["lastUpdatedTimestamp"] >= message["sentTimestamp"]
        assert message["lastUpdatedTimestamp"] <= page["lastUpdatedTimestamp"]
        assert page["isDeltaUpdate"] is False and page["hasMore"] is False


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_content_comes_back_unchanged(api, pair, content):
    sender, recipient = pair
    api.as_user(sender).send(recipient, content).expect(201)
    for me, peer in ((sender, recipient), (recipient, sender)):
        (message,) = api.as_user(me).fetch_messages(peer).expect(200)["messages"]
        assert message["messageContent"] == content
        (conversation,) = api.as_user(me).fetch_conversation().expect(200)["conversations"]
        assert conversation["snippet"] == content[:100]


def test_conversation_id_instead_of_recipient(api, pair):
    sender, recipient = pair
    body = {"conversationId": conversation_id(sender.id, recipient.id), "messageContent": "by conversation",
            "clientMessageId": unique("m"), "senderId": sender.id}
    sent = api.as_user(sender).post("/v1/messages", body).expect(201)
    (message,) = api.as_user(recipient).fetch_messages(sender).expect(200)["messages"]
    assert message["messageId"] == sent["messageId"]
    answer = api.as_user(recipient).post("/v1/messages", {**body, "senderId": recipient.id}).expect(201)
    assert answer["conversationId"] == sent["conversationId"]


def test_both_users_see_one_order(api, pair):
    one, other = pair
    sent = []
    for i in range(10):
        me, peer = (one, other) if i % 3 else (other, one)
        sent.append(api.as_user(me).send(peer, f"{i}").expect(201)["messageId"])
    assert sent == sorted(sent, key=int), "a message sent after an acknowledgement sorts before the acknowledged one"
    views = [[m["messageId"] for m in api.as_user(me).all_messages(peer)]
             for me, peer in ((one, other), (other, one))]
    assert views == [sent, sent]


def test_conversation_row(api, pair):
    sender, recipient = pair
    long_text = "é" * 250
    for text in ("first", "second", long_text):
        last = api.as_user(sender).send(recipient, text).expect(201)
    for me, unread in ((sender, 0), (recipient, 3)):
        (row,) = api.as_user(me).fetch_conversation().expect(200)["conversations"]
        assert row["conversationId"] == last["conversationId"]
        assert sorted(row["participants"]) == sorted([sender.id, recipient.id])
        assert row["snippet"] == long_text[:100]
        assert row["lastMessageId"] == last["messageId"]
        assert row["lastMessageTimestamp"] == last["sentTimestamp"]
        assert row["unreadCount"] == unread
        assert row["lastUpdatedTimestamp"] >= row["lastMessageTimestamp"]


@pytest.mark.parametrize("size", [65534, 65535])
@pytest.mark.parametrize("char", ["x", "\u0001", "é", "\U0001f600"])
def test_largest_content(api, alice, bob, size, char):
    unit = len(char.encode())
    content = char * (size // unit) + "x" * (size % unit)
    assert len(content.encode()) == size
    api.as_user(alice).send(bob, content).expect(201)
    for me, peer in ((alice, bob), (bob, alice)):
        (message,) = api.as_user(me).fetch_messages(peer).expect(200)["messages"]
        assert message["messageContent"] == content


@pytest.mark.parametrize("char", ["x", "\u0001", "é"])
def test_too_large_content(api, alice, bob, char):
    unit = len(char.encode())
    api.as_user(alice).send(bob, char * (65536 // unit)).expect(413, code="message-too-large")
    assert api.as_user(bob).fetch_conversation().expect(200)["conversations"] == []


@pytest.mark.parametrize("client_message_id", ["x", "x" * 64, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "a b"])
def test_client_message_ids_that_are_allowed(api, alice, bob, client_message_id):
    sent = api.as_user(alice).send(bob, "hi", client_message_id).expect(201)
    assert sent["clientMessageId"] == client_message_id


@pytest.mark.parametrize("client_message_id", ["", "x" * 65, "é", "a\tb", "a\nb", "\x7f", 7, None, ["a"], True])
def test_client_message_ids_that_are_refused(api, alice, bob, client_message_id):
    body = {"recipientId": bob.id, "messageContent": "x", "clientMessageId": client_message_id}
    problem = api.as_user(alice).post("/v1/messages", body).expect(422)
    assert problem["errors"][0]["pointer"] == "/clientMessageId"


@pytest.mark.parametrize("missing", ["recipientId", "messageContent", "clientMessageId"])
def test_required_fields(api, alice, bob, missing):
    body = {"recipientId": bob.id, "messageContent": "x", "clientMessageId": "c"}
    del body[missing]
    assert api.as_user(alice).post("/v1/messages", body).expect(422)["errors"]


@pytest.mark.parametrize("content", ["", 5, None, ["x"], {"text": "x"}, True, 1.5])
def test_content_of_wrong_type_or_empty(api, alice, bob, content):
    body = {"recipientId": bob.id, "messageContent": content, "clientMessageId": "c"}
    problem = api.as_user(alice).post("/v1/messages", body).expect(422)
    assert problem["errors"][0]["pointer"] == "/messageContent"


@pytest.mark.parametrize("recipient", ["", "abc", "-1", "0", "007", "9223372036854775808", 12, None, [], " 1"])
def test_malformed_recipient_ids(api, alice, recipient):
    body = {"recipientId": recipient, "messageContent": "x", "clientMessageId": "c"}
    api.as_user(alice).post("/v1/messages", body).expect(422)


def test_recipient_must_exist(api, alice):
    mine = api.as_user(alice)
    for unknown in ("1", str((1 << 63) - 1), str(int(alice.id) + (1 << 20))):
        mine.send(unknown, "x").expect(404, code="recipient-not-found")
    assert mine.fetch_conversation().expect(200)["conversations"] == []


def test_recipient_created_later_is_found(api, stack, alice):
    """The server does not remember that a user does not exist: a user who is created later is found."""
    later = api.make_user(unique("later"))
    mine = api.as_user(alice)
    unborn = str(int(later.id) + (1 << 9))
    mine.send(unborn, "x").expect(404)
    mine.send(later, "x").expect(201)


@pytest.mark.parametrize("shape", ["{high}-{low}", "{low}-{high}-1", "{low}", "-{high}", "{low}-", "0{low}-{high}",
                                   "{low}--{high}", "", "x"])
def test_malformed_conversation_ids(api, alice, bob, shape):
    low, high = sorted((int(alice.id), int(bob.id)))
    body = {"conversationId": shape.format(low=low, high=high), "messageContent": "x", "clientMessageId": "c"}
    api.as_user(alice).post("/v1/messages", body).expect(404, 422)
    assert api.as_user(bob).fetch_conversation().expect(200)["conversations"] == []


def test_conversation_of_others_is_not_found(api, alice, bob):
    carol = api.make_user()
    body = {"conversationId": conversation_id(bob.id, carol.id), "messageContent": "x", "clientMessageId": "c"}
    api.as_user(alice).post("/v1/messages", body).expect(404)
    for user in (bob, carol):
        assert api.as_user(user).fetch_conversation().expect(200)["conversations"] == []


def test_recipient_and_conversation_must_agree(api, alice, bob):
    carol = api.make_user()
    body = {"recipientId": bob.id, "conversationId": conversation_id(alice.id, carol.id),
            "messageContent": "x", "clientMessageId": "c"}
    api.as_user(alice).post("/v1/messages", body).expect(422)


@pytest.mark.parametrize("sender", ["recipient", "1", 5, "x"])
def test_sender_id_must_be_the_caller(api, alice, bob, sender):
    sender = bob.id if sender == "recipient" else sender
    api.as_user(alice).send(bob, "x", senderId=sender).expect(403, 422)
    assert api.as_user(bob).fetch_conversation().expect(200)["conversations"] == []


def test_query_parameters_are_refused(api, alice, bob):
    body = {"recipientId": bob.id, "messageContent": "x", "clientMessageId": "c"}
    api.as_user(alice).post("/v1/messages?dryRun=1", body).expect(400)


def test_admin_sends_for_a_user(api, alice, bob):
    """A token with scope admin acts for any user, by naming the sender."""
    sent = api.admin().send(bob, "from the integrator", senderId=alice.id).expect(201)
    assert sent["senderId"] == alice.id
    (message,) = api.as_user(alice).fetch_messages(bob).expect(200)["messages"]
    assert message["messageId"] == sent["messageId"]
