"""Proves notes to oneself: a note is one row without an outbox entry, is never unread and always read, is sent exactly
once, and all changes of messages and conversations work on it."""

import concurrent.futures

import pytest

from harness.client import conversation_id
from harness.stack import SLOWNESS, wait_until


@pytest.fixture
def mine(api):
    user = api.make_user()
    return api.as_user(user)


def rows(stack, user):
    return [row for name in stack.databases for row in stack.query(
        name, f"SELECT peer_id, sender_id, content FROM parley.message WHERE user_id = {user.id}")]


def conversation(mine):
    row, = mine.fetch_conversation().expect(200)["conversations"]
    return row


def test_one_row(api, stack, mine):
    me = mine.user
    sent = mine.send(me, "a note").expect(201)
    assert sent["conversationId"] == f"{me.id}-{me.id}" and sent["senderCopy"] == "stored"
    assert rows(stack, me) == [(int(me.id), int(me.id), "a note")]
    assert not any(stack.query(name, f"SELECT 1 FROM parley.outbox WHERE recipient_id = {me.id}") for name in stack.databases)
    message, = mine.all_messages(me)
    assert message["status"] == "read" and message["participants"] == [me.id] and message.get("messageType", "user") == "user"
    row = conversation(mine)
    assert row["conversationId"] == conversation_id(me.id, me.id) and row["participants"] == [me.id]
    assert row["unreadCount"] == 0 and row["readUpTo"] == row["lastMessageId"] == sent["messageId"]
    assert row["conversationType"] == "self" and row["memberCount"] == 1 and row["isMember"] is True
    assert row["othersReadUpTo"] == row["othersDeliveredUpTo"] == sent["messageId"]
    assert row["memberStates"] == [{"userId": me.id, "deliveredUpTo": sent["messageId"], "readUpTo": sent["messageId"]}]
    assert mine.fetch_unread().expect(200)["messageCount"] == 0


def test_exactly_once(stack, mine):
    me = mine.user
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: mine.send(me, "x", "key"), range(16)))
    assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
    assert len({answer.json["messageId"] for answer in answers}) == 1 and len(rows(stack, me)) == 1
    mine.send(me, "other", "key").expect(409, code="client-message-id-reused")
    body = {"conversationId": f"{me.id}-{me.id}", "messageContent": "x", "clientMessageId": "key"}
    assert mine.post("/v1/messages", body).expect(200)["messageId"] == answers[0].json["messageId"]
    ids = [int(mine.send(me, f"{i}").expect(201)["messageId"]) for i in range(5)]
    assert ids == sorted(ids)


def test_deltas(mine):
    me = mine.user
    since = mine.fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
    mine.send(me, "x").expect(201)
    delta = mine.fetch_updates(lastUpdatedTimestamp=since, timeout=0).expect(200)
    assert [m["status"] for m in delta["messages"]] == ["read"]
    assert delta["conversations"] == [conversation(mine)]


def test_changes_of_notes(mine):
    me = mine.user
    first = mine.send(me, "x").expect(201)["messageId"]
    second = mine.send(me, "y", replyTo=first).expect(201)["messageId"]
    mine.send(me, "z", replyTo=str(int(second) + 2)).expect(422)
    assert mine.edit_message(me, first, "edited").expect(200)["senderCopy"] == "stored"
    mine.add_reaction(me, first, "+").expect(200)
    mine.add_reaction(me, second, "-").expect(200)
    mine.remove_reaction(me, second, "-").expect(200)
    one, two = mine.all_messages(me)
    assert one["messageContent"] == "edited" and [r["userIds"] for r in one["reactions"]] == [[me.id]]
    assert two["replyTo"] == first and not two.get("reactions")
    mine.delete_message(me, first).expect(200)
    mine.delete_message(me, second, "me").expect(200)
    assert [m["deletedScope"] for m in mine.all_messages(me)] == ["everyone", "me"]
    assert conversation(mine)["unreadCount"] == 0


def test_the_conversation(mine):
    me = mine.user
    sent = mine.send(me, "x").expect(201)["messageId"]
    mine.update_conversation(me, pinned=True, markedUnread=True).expect(200)
    assert mine.fetch_unread().expect(200) == {"conversationCount": 1, "messageCount": 0, "hasMore": False}
    before = conversation(mine)
    mine.send_receipt(me, sent, "delivered").expect(204)
    assert conversation(mine) == before, "a receipt of delivery changes nothing"
    mine.send_receipt(me, sent).expect(204)
    row = conversation(mine)
    assert row["markedUnread"] is False and row["pinned"] is True
    mine.send_typing(me).expect(204)
    mine.block_user(me).expect(404)
    mine.delete_conversation(me).expect(204)
    assert mine.fetch_conversation().expect(200)["conversations"] == []
    assert mine.all_messages(me) == []


def test_other_users_do_not_see_them(api, mine, bob):
    me = mine.user
    mine.send(me, "x").expect(201)
    notes = f"{me.id}-{me.id}"
    theirs = api.as_user(bob)
    theirs.fetch_messages(notes).expect(404)
    theirs.post("/v1/messages", {"conversationId": notes, "messageContent": "x", "clientMessageId": "c"}).expect(404)


def test_an_admin_sends_for_a_user(api, mine):
    me = mine.user
    api.admin().send(me, "x", senderId=me.id).expect(201)
    assert [m["senderId"] for m in mine.all_messages(me)] == [me.id]


def test_export_and_erasure(stack, mine):
    me = mine.user
    mine.send(me, "in the export").expect(201)
    assert b"in the export" in mine.export_me().body
    mine.delete_me().expect(204)
    wait_until(lambda: rows(stack, me) == [], 10 * SLOWNESS, "they are erased")
