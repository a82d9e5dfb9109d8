"""Proves editMessage, deleteMessage, addReaction, removeReaction and sendMessage's replyTo: which changes each user may
make, how both users see them by every way of reading, that a retry of the original send stays a duplicate, and that both
copies are equal after changes from many devices."""

import asyncio
import json
import random
from urllib.parse import quote

import pytest

from harness import metrics, tokens
from harness.client import User, conversation_id, seen_by, unique
from harness.h2conn import H2Connection
from harness.stack import PROMPTLY, SLOWNESS, wait_until
from test_idempotency import state
from test_typing import Reader

THUMB, HEART = "👍", "❤️"


@pytest.fixture
def sent(api, pair):
    """A message of the first user to the second, in both copies."""
    return send(api, *pair, "hello")["messageId"]


def send(api, sender, recipient, content, *arguments, **fields):
    """Waits until the sender has the copy too."""
    answer = api.as_user(sender).send(recipient, content, *arguments, **fields).expect(201)
    wait_until(lambda: any(m["messageId"] == answer["messageId"] for m in messages(api, sender, recipient)),
               5 * SLOWNESS, "the sender's copy")
    return answer


def messages(api, user, peer):
    return api.as_user(user).fetch_messages(peer, pageSize=100).expect(200)["messages"]


def message(api, user, peer, message_id):
    """The user's copy of the message."""
    found = [m for m in messages(api, user, peer) if m["messageId"] == message_id]
    assert len(found) == 1
    return found[0]


def bare(reactions):
    """Reactions without the count and without what depends on the reader."""
    return [{"emoji": reaction["emoji"], "userIds": reaction["userIds"]} for reaction in reactions]


def views(api, pair, message_id):
    """Both copies, without the fields that differ between them."""
    found = []
    for user, peer in (pair, pair[::-1]):
        copy = message(api, user, peer, message_id)
        if "reactions" in copy:
            assert copy["reactions"] == seen_by(user, bare(copy["reactions"]))
            copy["reactions"] = bare(copy["reactions"])
        found.append({key: value for key, value in copy.items() if key not in ("lastUpdatedTimestamp", "status")})
    return found


def both(api, pair, message_id):
    """The equal state of both copies. Waits until the follow-ups are done."""
    wait_until(lambda: views(api, pair, message_id)[0] == views(api, pair, message_id)[1], 10 * SLOWNESS, "equal copies")
    return views(api, pair, message_id)[0]


def conversation(api, user):
    (row,) = api.as_user(user).fetch_conversation().expect(200)["conversations"]
    return row


def everything(api, pair):
    return [state(api, *order) for order in (pair, pair[::-1])]


def open_follow_ups(stack):
    return sum(stack.query(name, "SELECT count(*) FROM parley.change_outbox")[0][0] for name in stack.databases)


# What is done, and what both see

def test_edit(api, stack, pair, sent):
    one, other = pair
    answer = api.as_user(one).edit_message(other, sent, "hello!").expect(200)
    assert answer == {"messageId": sent, "conversationId": conversation_id(one.id, other.id), "senderCopy": "stored",
                      "editedTimestamp": answer["editedTimestamp"]}
    now = both(api, pair, sent)
    assert now["messageContent"] == "hello!" and now["editedTimestamp"] == answer["editedTimestamp"]
    assert now["sentTimestamp"] < answer["editedTimestamp"] and now["senderId"] == one.id
    later = api.as_user(one).edit_message(other, sent, "hello?").expect(200)
    assert later["editedTimestamp"] > answer["editedTimestamp"]
    assert both(api, pair, sent)["messageContent"] == "hello?"
    for user in pair:
        assert conversation(api, user)["snippet"] == "hello?"
    assert [conversation(api, user)["unreadCount"] for user in pair] == [0, 1]
    wait_until(lambda: open_follow_ups(stack) == 0, 5 * SLOWNESS, "the change outbox is empty")


def test_snippet_is_of_the_last_message(api, pair, sent):
    """An edit of an older message does not change the list."""
    one, other = pair
    send(api, one, other, "last")
    before = [conversation(api, user) for user in pair]
    api.as_user(one).edit_message(other, sent, "changed").expect(200)
    assert [conversation(api, user) for user in pair] == before
    assert both(api, pair, sent)["messageContent"] == "changed"


def test_delete_for_everyone(api, pair, sent):
    one, other = pair
    api.as_user(other).add_reaction(one, sent, THUMB).expect(200)
    answer = api.as_user(one).delete_message(other, sent).expect(200)
    assert answer["senderCopy"] == "stored"
    now = both(api, pair, sent)
    assert now["deletedTimestamp"] == answer["deletedTimestamp"] and now["deletedScope"] == "everyone"
    assert "messageContent" not in now and "reactions" not in now
    assert now["messageId"] == sent and now["senderId"] == one.id
    assert [conversation(api, user)["unreadCount"] for user in pair] == [0, 0]
    assert [conversation(api, user)["snippet"] for user in pair] == ["", ""]
    before = everything(api, pair)
    assert api.as_user(one).delete_message(other, sent, "everyone").expect(200) == answer
    for user, peer in (pair, pair[::-1]):
        assert api.as_user(user).delete_message(peer, sent, "me").expect(200)["deletedTimestamp"] == answer["deletedTimestamp"]
    assert everything(api, pair) == before, "a repeated deletion changes nothing"


@pytest.mark.parametrize("who", [0, 1], ids=["sender", "recipient"])
def test_delete_for_me(api, pair, sent, who):
    me, peer = pair if who == 0 else pair[::-1]
    before = state(api, peer, me)
    answer = api.as_user(me).delete_message(peer, sent, "me").expect(200)
    assert answer["senderCopy"] == "stored"
    mine = message(api, me, peer, sent)
    assert mine["deletedScope"] == "me" and mine["deletedTimestamp"] == answer["deletedTimestamp"]
    assert "messageContent" not in mine
    assert conversation(api, me)["snippet"] == "" and conversation(api, me)["unreadCount"] == 0
    assert state(api, peer, me) == before, "the other user's mailbox does not change"
    assert api.as_user(me).delete_message(peer, sent, "me").expect(200) == answer


def test_deleted_for_me_does_not_come_back(api, pair, sent):
    """The recipient deletes the message for themselves; the sender edits it, and then deletes it for everyone."""
    one, other = pair
    api.as_user(other).delete_message(one, sent, "me").expect(200)
    api.as_user(one).edit_message(other, sent, "again").expect(200)
    assert message(api, one, other, sent)["messageContent"] == "again"
    mine = message(api, other, one, sent)
    assert "messageContent" not in mine and mine["deletedScope"] == "me"
    assert conversation(api, other)["snippet"] == "" and conversation(api, other)["unreadCount"] == 0
    api.as_user(one).delete_message(other, sent).expect(200)
    assert both(api, pair, sent)["deletedScope"] == "everyone"


def test_reactions_of_both(api, pair, sent):
    one, other = pair
    now = {}
    for user, peer, emoji in ((one, other, THUMB), (other, one, THUMB), (other, one, HEART), (one, other, THUMB)):
        answer = api.as_user(user).add_reaction(peer, sent, emoji).expect(200)
        now.setdefault(emoji, set()).add(user.id)
        assert answer == {"messageId": sent, "conversationId": conversation_id(one.id, other.id), "senderCopy": "stored",
                          "reactions": seen_by(user, [{"emoji": emoji, "userIds": sorted(now[emoji], key=int)}
                                                      for emoji in sorted(now, key=str.encode)])}
    users = sorted((one.id, other.id), key=int)
    expected = sorted([{"emoji": THUMB, "userIds": users}, {"emoji": HEART, "userIds": [other.id]}],
                      key=lambda reaction: reaction["emoji"].encode())
    assert both(api, pair, sent)["reactions"] == expected
    assert both(api, pair, sent)["messageContent"] == "hello"
    api.as_user(one).remove_reaction(other, sent, HEART).expect(200)
    assert both(api, pair, sent)["reactions"] == expected, "a reaction of the other user is not the user's own"
    api.as_user(other).remove_reaction(one, sent, HEART).expect(200)
    api.as_user(one).remove_reaction(other, sent, THUMB).expect(200)
    assert both(api, pair, sent)["reactions"] == [{"emoji": THUMB, "userIds": [other.id]}]
    assert api.as_user(other).remove_reaction(one, sent, THUMB).expect(200)["reactions"] == []
    assert "reactions" not in both(api, pair, sent)
    assert [conversation(api, user)["unreadCount"] for user in pair] == [0, 1]


def test_repeated_reactions_change_nothing(api, pair, sent):
    one, other = pair
    api.as_user(one).remove_reaction(other, sent, THUMB).expect(200)
    api.as_user(other).add_reaction(one, sent, THUMB).expect(200)
    before = everything(api, pair)
    api.as_user(other).add_reaction(one, sent, THUMB).expect(200)
    api.as_user(one).remove_reaction(other, sent, THUMB).expect(200)
    assert everything(api, pair) == before


def test_twenty_reactions(api, pair, sent):
    one, other = pair
    for i in range(20):
        api.as_user(other).add_reaction(one, sent, f"{i}").expect(200)
    before = everything(api, pair)
    api.as_user(other).add_reaction(one, sent, "x").expect(409, code="too-many-reactions")
    assert everything(api, pair) == before
    api.as_user(other).add_reaction(one, sent, "7").expect(200)
    api.as_user(one).add_reaction(other, sent, "x").expect(200)
    api.as_user(other).remove_reaction(one, sent, "7").expect(200)
    api.as_user(other).add_reaction(one, sent, "x").expect(200)
    assert len(both(api, pair, sent)["reactions"]) == 20


@pytest.mark.parametrize("emoji", ["+", "a/b", "?", "%", "#", "\"\\", "\x01", "{}", "👩‍👩‍👧‍👦", "x" * 64, "é" * 32])
def test_texts_that_are_reactions(api, alice, bob, emoji):
    message_id = send(api, alice, bob, "x")["messageId"]
    api.as_user(bob).add_reaction(alice, message_id, emoji).expect(200)
    assert both(api, (alice, bob), message_id)["reactions"] == [{"emoji": emoji, "userIds": [bob.id]}]
    api.as_user(bob).remove_reaction(alice, message_id, emoji).expect(200)
    assert "reactions" not in both(api, (alice, bob), message_id)


@pytest.mark.parametrize("emoji", ["x" * 65, "é" * 33, "%ff", "%F0%9F%91", ""])
def test_texts_that_are_not_reactions(api, alice, bob, emoji):
    message_id = send(api, alice, bob, "x")["messageId"]
    target = f"{api.as_user(bob).message_path(alice, message_id)}/reactions/{emoji}"
    for method in ("PUT", "DELETE"):
        api.as_user(bob).request(method, target).expect(*((404,) if emoji else (404, 405)))
    api.as_user(bob).request("PUT", target + "%00").expect(400, 404)
    assert "reactions" not in both(api, (alice, bob), message_id)


@pytest.mark.parametrize("pair", ["other-database"], indirect=True)
def test_reaction_before_the_sender_has_a_copy(api, stack, pair, sent):
    """The recipient has the message first and can react to it, perhaps only after the sender's copy is there too."""
    one, other = pair
    with stack.session(stack.database_of(one.id)) as cursor:
        for table in ("message", "conversation"):
            cursor.execute(f"DELETE FROM {stack.schema_of(one.id)}.{table} WHERE user_id = %s", (one.id,))
            assert cursor.rowcount == 1
    api.as_user(other).add_reaction(one, sent, THUMB).expect(503, code="unavailable")
    api.as_user(one).edit_message(other, sent, "hello!").expect(200)
    with stack.session(stack.database_of(other.id)) as cursor:
        cursor.execute("INSERT INTO parley.outbox VALUES (%s, %s, %s)", (other.id, one.id, sent))

    def react():
        answer = api.as_user(other).add_reaction(one, sent, THUMB)
        assert answer.status in (200, 503)
        return answer.status == 200

    wait_until(react, 10 * SLOWNESS, "the reaction is accepted")
    now = both(api, pair, sent)
    assert now["messageContent"] == "hello!" and now["reactions"] == [{"emoji": THUMB, "userIds": [other.id]}]
    wait_until(lambda: open_follow_ups(stack) == 0, 10 * SLOWNESS, "the change outbox is empty")


def listed(api, user, peer, message_id, **query):
    """All that fetchReactions lists, page by page: [(userId, emoji)]."""
    found, after, has_more = [], None, True
    while has_more:
        page = api.as_user(user).fetch_reactions(peer, message_id, after=after, **query).expect(200)
        found += [(reaction["userId"], reaction["emoji"]) for reaction in page["reactions"]]
        has_more = page["hasMore"]
        after = found[-1][0] if found else None
    return found


def test_listed_reactions(api, pair, sent):
    one, other = pair
    assert listed(api, one, other, sent) == []
    for user, peer, emoji in ((one, other, HEART), (one, other, THUMB), (other, one, THUMB)):
        api.as_user(user).add_reaction(peer, sent, emoji).expect(200)
    both(api, pair, sent)
    expected = sorted([(one.id, HEART), (one.id, THUMB), (other.id, THUMB)], key=lambda pair: (int(pair[0]), pair[1].encode()))
    for order in (pair, pair[::-1]):
        for size in (None, 1, 2):
            assert listed(api, *order, sent, pageSize=size) == expected
            assert listed(api, *order, sent, pageSize=size, emoji=HEART) == [(one.id, HEART)]
        assert listed(api, *order, sent, emoji="none") == []
    api.as_user(one).delete_message(other, sent).expect(200)
    both(api, pair, sent)
    assert listed(api, other, one, sent) == []


def receipts(api, user, peer, message_id):
    page = api.as_user(user).fetch_message_receipts(peer, message_id).expect(200)
    assert not page["hasMore"]
    return {receipt["userId"]: receipt["status"] for receipt in page["receipts"]}


def test_receipts_of_a_message(api, pair, sent):
    """Both users' views of each other's messages; and the view of a user who hides read receipts."""
    one, other = pair
    assert receipts(api, one, other, sent) == {other.id: "sent"}
    assert receipts(api, other, one, sent) == {other.id: "delivered"}
    api.as_user(other).send_receipt(one, sent, "delivered").expect(204)
    wait_until(lambda: receipts(api, one, other, sent) == {other.id: "delivered"}, 10 * SLOWNESS, "it is delivered")
    api.as_user(other).send_receipt(one, sent).expect(204)
    wait_until(lambda: receipts(api, one, other, sent) == {other.id: "read"}, 10 * SLOWNESS, "it is read")
    assert receipts(api, other, one, sent) == {other.id: "read"}
    assert api.as_user(one).fetch_message_receipts(other, sent, after=other.id).expect(200)["receipts"] == []
    api.as_user(one).update_me(readReceipts=False).expect(200)
    later = send(api, one, other, "again")["messageId"]
    api.as_user(other).send_receipt(one, later).expect(204)
    wait_until(lambda: receipts(api, one, other, later) == {other.id: "delivered"}, 10 * SLOWNESS, "as the message's status says")
    assert receipts(api, one, other, sent) == {other.id: "read"}


def test_lists_of_unknown_messages(api, pair, sent):
    one, other = pair
    stranger = api.make_user()
    mine = api.as_user(one)
    for fetch in (mine.fetch_reactions, mine.fetch_message_receipts):
        for message_id in ("1", int(sent) + 2, "x", "9223372036854775807"):
            fetch(other, message_id).expect(404, code="message-not-found")
        fetch(stranger, sent).expect(404, code="message-not-found")
        fetch(conversation_id(other.id, stranger.id), sent).expect(404, code="conversation-not-found")
        for query in ({"pageSize": 0}, {"pageSize": 101}, {"after": "x"}):
            fetch(other, sent, **query).expect(422)
    reactions = f"{mine.message_path(other, sent)}/reactions?emoji="
    for emoji, status in (("", 422), ("x" * 65, 422), ("%ff", 400), ("%00", 400)):
        mine.request("GET", reactions + emoji).expect(status)
    mine.fetch_message_receipts(other, sent, emoji=THUMB).expect(400)
    mine.delete_conversation(other).expect(204)
    for fetch in (mine.fetch_reactions, mine.fetch_message_receipts):
        fetch(other, sent).expect(404, code="message-not-found")
    assert receipts(api, other, one, sent) == {other.id: "delivered"}


# Who may not

def calls(api, user, peer, message_id):
    """Each of the operations on that message, called by that user."""
    mine = api.as_user(user)
    return {"edit": mine.edit_message(peer, message_id, "changed"), "delete": mine.delete_message(peer, message_id),
            "delete for me": mine.delete_message(peer, message_id, "me"),
            "react": mine.add_reaction(peer, message_id, THUMB), "take back": mine.remove_reaction(peer, message_id, THUMB)}


def test_anothers_message(api, pair, sent):
    """The recipient can neither edit it nor delete it for everyone."""
    one, other = pair
    before = everything(api, pair)
    api.as_user(other).edit_message(one, sent, "changed").expect(403, code="forbidden")
    api.as_user(other).delete_message(one, sent).expect(403, code="forbidden")
    api.as_user(other).delete_message(one, sent, "everyone").expect(403, code="forbidden")
    assert everything(api, pair) == before


def test_unknown_messages(api, pair, sent):
    one, other = pair
    before = everything(api, pair)
    for unknown in ("1", str(int(sent) + 2), str(int(sent) - 2), "9223372036854775807", "0", "x", "-1", f"{sent}x",
                    "9223372036854775808"):
        for user, peer in (pair, pair[::-1]):
            for answer in calls(api, user, peer, unknown).values():
                answer.expect(404, code="message-not-found")
    assert everything(api, pair) == before


def test_deleted_messages(api, pair, sent):
    """After a deletion for everyone no user can edit the message or react to it."""
    one, other = pair
    api.as_user(one).delete_message(other, sent).expect(200)
    before = everything(api, pair)
    api.as_user(one).edit_message(other, sent, "back").expect(404, code="message-not-found")
    for user, peer in (pair, pair[::-1]):
        api.as_user(user).add_reaction(peer, sent, THUMB).expect(404, code="message-not-found")
        api.as_user(user).remove_reaction(peer, sent, THUMB).expect(404, code="message-not-found")
    assert everything(api, pair) == before


def test_foreign_conversations(api, pair, sent):
    """Answered like unknown ones: the same id in another conversation, others' conversations, groups, and malformed ids."""
    one, other = pair
    third = api.make_user()
    before = everything(api, pair)
    for foreign in (conversation_id(one.id, other.id), "1-2", one.id, "x", f"{other.id}-{one.id}", f"0-{third.id}",
                    conversation_id(third.id, 2**63 - 1)):
        if foreign == f"{other.id}-{one.id}" and int(other.id) < int(one.id):
            continue
        for answer in calls(api, third, foreign, sent).values():
            answer.expect(404, code="conversation-not-found")
    for peer in pair:
        for answer in calls(api, third, peer, sent).values():
            answer.expect(404, code="message-not-found")
    unknown = User(str(int(third.id) + (1 << 20)), "unknown", None)
    for answer in calls(api, third, unknown, sent).values():
        answer.expect(404)
    assert everything(api, pair) == before


def test_token_of_unknown_user(api, alice, bob):
    message_id = send(api, alice, bob, "x")["messageId"]
    unknown_id = str(int(alice.id) + (1 << 20))
    unknown = User(unknown_id, "unknown", tokens.mint(api.key, unknown_id))
    for answer in calls(api, unknown, bob, message_id).values():
        answer.expect(401, code="invalid-token")
    far = User(str(2**63 - 1), "far", tokens.mint(api.key, 2**63 - 1))
    for answer in calls(api, far, bob, message_id).values():
        answer.expect(401)


def test_an_erased_user_changes_nothing(api, pair, sent):
    """With a token from before the erasure: the messages that the user sent stay as they were."""
    one, other = pair
    before = messages(api, other, one)
    api.as_user(one).delete_me().expect(204)
    for answer in calls(api, one, other, sent).values():
        answer.expect(401, code="invalid-token")
    assert messages(api, other, one) == before
    for name, answer in calls(api, other, one, sent).items():
        answer.expect(*{"delete for me": (200,)}.get(name, (403, 404)))


def test_admin_acts_only_as_the_tokens_user(api, alice, bob):
    message_id = send(api, alice, bob, "x")["messageId"]
    before = everything(api, (alice, bob))
    admin = api.make_user()
    admin = User(admin.id, admin.username, tokens.mint(api.key, admin.id, scope="admin"))
    for answer in calls(api, admin, conversation_id(alice.id, bob.id), message_id).values():
        answer.expect(404, code="conversation-not-found")
    assert everything(api, (alice, bob)) == before
    as_alice = User(alice.id, alice.username, tokens.mint(api.key, alice.id, scope="admin"))
    api.as_user(as_alice).edit_message(bob, message_id, "y").expect(200)
    by_bob = send(api, bob, alice, "z")["messageId"]
    api.as_user(as_alice).edit_message(bob, by_bob, "y").expect(403, code="forbidden")


def test_blocked(api, stack, pair, sent):
    """A blocked user changes nothing for the blocker, neither by an edit nor by a reaction. Changes of their own copies
    are allowed."""
    one, other = pair
    reply = send(api, other, one, "yes?")["messageId"]
    with stack.session(stack.database_of(other.id)) as cursor:
        schema = stack.schema_of(other.id)
        cursor.execute(f"INSERT INTO {schema}.block VALUES (%s, %s, 1)", (other.id, one.id))
        cursor.execute(f"UPDATE {schema}.mailbox SET guarded = true WHERE user_id = %s", (other.id,))
    before = everything(api, pair)
    for message_id in (sent, reply):
        api.as_user(one).add_reaction(other, message_id, THUMB).expect(403, code="recipient-unavailable")
        api.as_user(one).remove_reaction(other, message_id, THUMB).expect(403, code="recipient-unavailable")
    api.as_user(one).edit_message(other, sent, "x").expect(403, code="recipient-unavailable")
    api.as_user(one).delete_message(other, sent).expect(403, code="recipient-unavailable")
    assert everything(api, pair) == before
    api.as_user(one).delete_message(other, sent, "me").expect(200)
    api.as_user(other).delete_message(one, reply).expect(200)
    assert both(api, pair, reply)["deletedScope"] == "everyone"


def test_edits_that_are_not_valid(api, alice, bob):
    message_id = send(api, alice, bob, "x")["messageId"]
    before = everything(api, (alice, bob))
    mine = api.as_user(alice)
    path = mine.message_path(bob, message_id)
    for body in ({}, {"messageContent": ""}, {"messageContent": None}, {"messageContent": 5}):
        assert mine.request("PATCH", path, json_body=body).expect(422)["errors"][0]["pointer"] == "/messageContent"
    mine.edit_message(bob, message_id, "x" * 65536).expect(413, code="message-too-large")
    for body in (b"", b"[]", b"{", b'{"messageContent":"\\u0000"}', b'{"messageContent":"\xff"}'):
        mine.request("PATCH", path, content=body, headers={"content-type": "application/json"}).expect(400)
    mine.delete_message(bob, message_id, "you").expect(422)
    mine.request("DELETE", path + "?scope=").expect(422)
    assert everything(api, (alice, bob)) == before
    content = "é" * 32767 + "x"
    mine.edit_message(bob, message_id, content).expect(200)
    assert both(api, (alice, bob), message_id)["messageContent"] == content
    odd = '"\\\t\n{"content":"x","revision":"9","members":["1"]}' + "\U0001f600"
    mine.edit_message(bob, message_id, odd).expect(200)
    assert both(api, (alice, bob), message_id)["messageContent"] == odd


# The original send

@pytest.mark.parametrize("change", ["edit", "delete", "recipient deletes for themselves", "react", "all"])
def test_retry_of_the_original_send(api, pair, change):
    """It is a duplicate with the first result. With any other content it is refused."""
    one, other = pair
    key = unique("m")
    first = send(api, one, other, "hello", key)
    message_id = first["messageId"]
    if change in ("react", "all"):
        api.as_user(other).add_reaction(one, message_id, THUMB).expect(200)
    if change in ("recipient deletes for themselves", "all"):
        api.as_user(other).delete_message(one, message_id, "me").expect(200)
    if change in ("edit", "all"):
        api.as_user(one).edit_message(other, message_id, "other").expect(200)
        api.as_user(one).edit_message(other, message_id, "edited").expect(200)
    if change in ("delete", "all"):
        api.as_user(one).delete_message(other, message_id).expect(200)
    before = everything(api, pair)
    for _ in range(2):
        assert api.as_user(one).send(other, "hello", key).expect(200) == {**first, "duplicate": True, "senderCopy": "stored"}
        for content in ("edited", "other", "hello "):
            api.as_user(one).send(other, content, key).expect(409, code="client-message-id-reused")
    assert everything(api, pair) == before


# How it is read

def read(api, reader, writer, message_id):
    """Marks the message as read, and so as delivered. Then later cursors change nothing."""
    api.as_user(reader).send_receipt(writer, message_id, "read").expect(204)
    wait_until(lambda: message(api, writer, reader, message_id)["status"] == "read", 10 * SLOWNESS, "it is read")


@pytest.mark.parametrize("change", ["edit", "delete", "delete for me", "react", "take back"])
def test_deltas(api, stack, contract, pair, change):
    """Every earlier cursor gets the changed message once: in the conversation, in the mailbox, and on open streams of the
    other user and of the caller's second device."""
    one, other = pair
    message_id = send(api, one, other, "hello")["messageId"]
    read(api, other, one, send(api, one, other, "last")["messageId"])
    if change == "take back":
        api.as_user(one).add_reaction(other, message_id, THUMB).expect(200)
    cursors = [api.as_user(user).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"] for user in pair]
    pages = [api.as_user(user).fetch_messages(peer) for user, peer in (pair, pair[::-1])]
    is_own = change == "delete for me"
    readers = [one] if is_own else [one, one, other]
    streams = [Reader(stack, user, contract) for user in readers]
    try:
        for stream in streams:
            stream.event("delta")
        answer = {"edit": lambda: api.as_user(one).edit_message(other, message_id, "changed"),
                  "delete": lambda: api.as_user(one).delete_message(other, message_id),
                  "delete for me": lambda: api.as_user(one).delete_message(other, message_id, "me"),
                  "react": lambda: api.as_user(one).add_reaction(other, message_id, THUMB),
                  "take back": lambda: api.as_user(one).remove_reaction(other, message_id, THUMB)}[change]()
        assert answer.expect(200)["senderCopy"] == "stored"
        for user, stream in zip(readers, streams):
            _, data = stream.event("delta")
            now = message(api, user, other if user is one else one, message_id)
            assert data["messages"] == [now] and data["isDeltaUpdate"] is True
    finally:
        for stream in streams:
            stream.connection.close()
    for user, peer, cursor, page in zip(pair, pair[::-1], cursors, pages):
        mine = api.as_user(user)
        delta = mine.fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
        changes = mine.fetch_messages(peer, lastUpdatedTimestamp=cursor).expect(200)
        assert changes["isDeltaUpdate"] is True and changes["messages"] == delta["messages"]
        again = mine.fetch_messages(peer, headers={"if-none-match": page.headers["etag"]})
        if is_own and user is other:
            assert delta["messages"] == [] and again.status == 304
            continue
        now = message(api, user, peer, message_id)
        assert delta["messages"] == [now] and cursor < now["lastUpdatedTimestamp"] <= delta["lastUpdatedTimestamp"]
        assert again.expect(200)["messages"] == messages(api, user, peer)
        assert again.headers["etag"] != page.headers["etag"]
        rest = mine.fetch_updates(lastUpdatedTimestamp=delta["lastUpdatedTimestamp"], timeout=0).expect(200)
        assert rest["messages"] == rest["conversations"] == []


def test_the_list_follows_a_change_of_the_last_message(api, pair, sent):
    one, other = pair
    read(api, other, one, sent)
    cursors = [api.as_user(user).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"] for user in pair]
    api.as_user(one).edit_message(other, sent, "e" * 300).expect(200)
    for user, cursor in zip(pair, cursors):
        mine = api.as_user(user)
        delta = mine.fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
        assert delta["conversations"] == [conversation(api, user)]
        assert conversation(api, user)["snippet"] == "e" * 100
        changes = mine.fetch_conversation(lastUpdatedTimestamp=cursor).expect(200)
        assert changes["conversations"] == delta["conversations"] and changes["isDeltaUpdate"] is True


def test_long_poll_is_woken(api, stack, alice, bob):
    message_id = send(api, alice, bob, "x")["messageId"]
    read(api, bob, alice, message_id)
    before = metrics.waiters(stack)

    async def main():
        loop = asyncio.get_running_loop()
        cursor = api.as_user(bob).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
        wait = loop.run_in_executor(None, lambda: api.as_user(bob).fetch_updates(lastUpdatedTimestamp=cursor, timeout=30))
        await asyncio.to_thread(metrics.wait_for_more_waiters, stack, before)
        await loop.run_in_executor(None, lambda: api.as_user(alice).edit_message(bob, message_id, "y").expect(200))
        return (await asyncio.wait_for(wait, PROMPTLY)).expect(200)

    delta = asyncio.run(main())
    assert [m["messageContent"] for m in delta["messages"]] == ["y"]


# Many at once

async def storm(stack, contract, plans):
    """Each plan is a user and their requests, which run one after the other on a connection of its own. Returns the
    statuses."""
    async def work(user, requests):
        connection = await H2Connection.open(stack.url)
        statuses = []
        for method, target, body in requests:
            headers = [("authorization", f"Bearer {user.token}")]
            if body is not None:
                headers.append(("content-type", "application/json"))
            response = await connection.start(method, target, headers,
                                              json.dumps(body).encode() if body is not None else None).response(60)
            contract.check(method, target, response.status, response.headers, response.body)
            statuses.append(response.status)
        await connection.close()
        return statuses

    return await asyncio.gather(*(work(*plan) for plan in plans))


def follow(api, user, cursor):
    """The messages of a client that merges deltas from the cursor on."""
    held = {}
    changed, _, _ = api.as_user(user).all_updates(cursor, page_size=3)
    for one in changed:
        held[one["messageId"]] = one
    return held


@pytest.mark.concurrent
def test_edits_from_two_devices(api, stack, contract, pair, sent):
    """Both copies end with one of the last edits, and are equal."""
    one, other = pair
    path = api.as_user(one).message_path(other, sent)
    plans = [(one, [("PATCH", path, {"messageContent": f"device {device}: {i}"}) for i in range(20)]) for device in range(3)]
    statuses = asyncio.run(storm(stack, contract, plans))
    assert {status for each in statuses for status in each} == {200}
    last = both(api, pair, sent)["messageContent"]
    assert last in [f"device {device}: 19" for device in range(3)]
    for user, peer in (pair, pair[::-1]):
        assert follow(api, user, 0)[sent] == message(api, user, peer, sent)
        assert conversation(api, user)["snippet"] == last


@pytest.mark.concurrent
def test_storm_of_reactions(api, stack, contract, pair, sent):
    """Two devices of each user add and remove reactions while the message is edited: both copies end equal, and no delta
    misses a change."""
    one, other = pair
    chance = random.Random(sent)
    path = api.as_user(one).message_path(other, sent)
    cursors = [api.as_user(user).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"] for user in pair]
    plans = [(user, [(chance.choice(("PUT", "DELETE")), f"{path}/reactions/{quote(chance.choice('abc'))}", None)
                     for _ in range(30)]) for user in pair for _ in range(2)]
    plans.append((one, [("PATCH", path, {"messageContent": f"{i}"}) for i in range(10)]))
    statuses = asyncio.run(storm(stack, contract, plans))
    assert {status for each in statuses for status in each} == {200}
    now = both(api, pair, sent)
    assert now["messageContent"] == "9"
    for user, peer, cursor in zip(pair, pair[::-1], cursors):
        assert follow(api, user, cursor)[sent] == message(api, user, peer, sent)
    wait_until(lambda: open_follow_ups(stack) == 0, 10 * SLOWNESS, "the change outbox is empty")


@pytest.mark.concurrent
def test_deletion_during_other_changes(api, stack, contract, pair, sent):
    """A deletion for everyone during edits and reactions: in the end both copies are deleted, whatever the order was."""
    one, other = pair
    path = api.as_user(one).message_path(other, sent)
    plans = [(one, [("PATCH", path, {"messageContent": f"{i}"}) for i in range(10)]),
             (one, [("PUT", f"{path}/reactions/{i}", None) for i in range(10)]),
             (other, [("PUT", f"{path}/reactions/{i}", None) for i in range(10)]),
             (other, [("DELETE", path + "?scope=me", None)] * 3),
             (one, [("DELETE", path, None)] * 3)]
    statuses = asyncio.run(storm(stack, contract, plans))
    assert {status for each in statuses for status in each} <= {200, 404}
    assert statuses[4] == [200] * 3
    now = both(api, pair, sent)
    assert now["deletedScope"] == "everyone" and "messageContent" not in now and "reactions" not in now


# Replies

def test_reply(api, pair, sent):
    """To a message of the other user and to the user's own, by both; also to a deleted one."""
    one, other = pair
    reply = send(api, other, one, "yes?", replyTo=sent)["messageId"]
    assert both(api, pair, reply)["replyTo"] == sent
    own = send(api, one, other, "I mean", replyTo=sent)["messageId"]
    assert both(api, pair, own)["replyTo"] == sent
    api.as_user(one).delete_message(other, sent).expect(200)
    late = send(api, other, one, "what was it?", replyTo=sent)["messageId"]
    assert both(api, pair, late)["replyTo"] == sent
    assert "replyTo" not in both(api, pair, sent)
    by_conversation = api.as_user(one).post("/v1/messages", {
        "conversationId": conversation_id(one.id, other.id), "messageContent": "x", "clientMessageId": unique("m"),
        "replyTo": late}).expect(201)["messageId"]
    assert both(api, pair, by_conversation)["replyTo"] == late
    api.as_user(one).edit_message(other, by_conversation, "y").expect(200)
    assert both(api, pair, by_conversation)["replyTo"] == late
    api.as_user(one).delete_message(other, by_conversation).expect(200)
    assert both(api, pair, by_conversation)["replyTo"] == late


def test_reply_to_unknown_messages(api, pair, sent):
    one, other = pair
    third = api.make_user()
    elsewhere = send(api, one, third, "x")["messageId"]
    before = everything(api, pair)
    for user, peer in (pair, pair[::-1]):
        for unknown in (elsewhere, "1", "2", str(int(sent) + 1), str(int(sent) + 2), str(int(sent) - 2), "9223372036854775807"):
            problem = api.as_user(user).send(peer, "y", replyTo=unknown).expect(422, code="validation-failed")
            assert [error["pointer"] for error in problem["errors"]] == ["/replyTo"]
        for wrong in ("", "0", "x", "-1", 5, True, {}, [], "9223372036854775808", f" {sent}"):
            problem = api.as_user(user).send(peer, "y", replyTo=wrong).expect(422, code="validation-failed")
            assert [error["pointer"] for error in problem["errors"]] == ["/replyTo"]
    api.as_user(third).send(one, "y", replyTo=sent).expect(422)
    assert everything(api, pair) == before


def test_reply_by_an_admin(api, alice, bob):
    """The message is looked up in the sender's mailbox."""
    message_id = send(api, bob, alice, "x")["messageId"]
    answer = api.admin().send(bob, "y", senderId=alice.id, replyTo=message_id).expect(201)
    assert message(api, bob, alice, answer["messageId"])["replyTo"] == message_id
    carol = api.make_user()
    api.admin().send(bob, "y", senderId=carol.id, replyTo=message_id).expect(422)


def test_reply_on_streams(api, stack, contract, pair, sent):
    one, other = pair
    with Reader(stack, one, contract) as first, Reader(stack, other, contract) as second:
        reply = send(api, other, one, "yes", replyTo=sent)["messageId"]
        for reader, user, peer in ((first, one, other), (second, other, one)):
            _, data = reader.event("delta")
            assert data["messages"] == [message(api, user, peer, reply)] and data["messages"][0]["replyTo"] == sent


def test_retry_of_a_reply(api, pair, sent):
    """The replied-to message is part of what a retry must repeat."""
    one, other = pair
    second = send(api, one, other, "and")["messageId"]
    key = unique("m")
    first = send(api, other, one, "yes", key, replyTo=sent)
    before = everything(api, pair)
    mine = api.as_user(other)
    assert mine.send(one, "yes", key, replyTo=sent).expect(200) == {**first, "duplicate": True, "senderCopy": "stored"}
    mine.send(one, "yes", key, replyTo=second).expect(409, code="client-message-id-reused")
    mine.send(one, "yes", key).expect(409, code="client-message-id-reused")
    mine.send(one, "no", key, replyTo=sent).expect(409, code="client-message-id-reused")
    plain = unique("m")
    send(api, other, one, "plain", plain)
    mine.send(one, "plain", plain, replyTo=sent).expect(409, code="client-message-id-reused")
    assert everything(api, pair)[0][2]["messages"][1:] == before[0][2]["messages"]
    api.as_user(other).edit_message(one, first["messageId"], "no").expect(200)
    mine.send(one, "yes", key, replyTo=sent).expect(200)
    mine.send(one, "yes", key, replyTo=second).expect(409)


def post(connection, sender, recipient, content, key, reply_to):
    body = {"recipientId": recipient.id, "messageContent": content, "clientMessageId": key}
    if reply_to:
        body["replyTo"] = reply_to
    return connection.start("POST", "/v1/messages", [("authorization", f"Bearer {sender.token}"),
                                                     ("content-type", "application/json")], json.dumps(body).encode())


@pytest.mark.concurrent
def test_retries_of_a_reply_at_once(api, stack, contract, pair, sent):
    """Requests with one key, in one batch: those with another replyTo or none are refused, and equal ones are one message."""
    one, other = pair
    second = send(api, one, other, "and")["messageId"]
    targets = [sent, second, None] * 12

    async def main():
        connection = await H2Connection.open(stack.url)
        streams = [post(connection, other, one, "yes", "key", target) for target in targets]
        answers = [await stream.response(60) for stream in streams]
        await connection.close()
        return [contract.check("POST", "/v1/messages", a.status, a.headers, a.body) and a.status for a in answers]

    statuses = asyncio.run(main())
    assert statuses.count(201) == 1
    winner = targets[statuses.index(201)]
    assert all((status in (200, 201)) == (target == winner) and status in (200, 201, 409)
               for status, target in zip(statuses, targets)), statuses
    assert len([m for m in messages(api, one, other) if m["clientMessageId"] == "key"]) == 1


@pytest.mark.concurrent
def test_replies_keep_the_order_of_a_connection(api, stack, contract, pair, sent):
    """Promise 4: the replied-to message is checked first, and no later send overtakes the reply meanwhile."""
    one, other = pair
    chance = random.Random(sent)
    targets = [chance.choice((None, sent, "1")) for _ in range(90)]

    async def main():
        connection = await H2Connection.open(stack.url)
        streams = [post(connection, other, one, f"{i}", f"c{i}", target) for i, target in enumerate(targets)]
        answers = [await stream.response(60) for stream in streams]
        await connection.close()
        return [(a.status, contract.check("POST", "/v1/messages", a.status, a.headers, a.body)) for a in answers]

    answers = asyncio.run(main())
    assert [status for status, _ in answers] == [422 if target == "1" else 201 for target in targets]
    ids = [value["messageId"] for status, value in answers if status == 201]
    assert ids == sorted(ids, key=int)
    expected = [f"{i}" for i, target in enumerate(targets) if target != "1"]
    assert [m["messageContent"] for m in api.as_user(one).all_messages(other)][1:] == expected
