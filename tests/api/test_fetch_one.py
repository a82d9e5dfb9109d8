"""Proves fetchMessage and fetchConversationById: one message or conversation as the lists show it, in every state; other
users' messages and conversations are answered like unknown ones; and neither a cached answer nor a 304 is stale."""

import pytest

from harness.client import conversation_id


def assert_same_as_listed(api, me, peer, page_size=100):
    """Reads every message of the conversation alone. peer: a User, or a conversation id."""
    mine = api.as_user(me)
    listed = mine.fetch_messages(peer, pageSize=page_size).expect(200)["messages"]
    assert [mine.fetch_message(peer, m["messageId"]).expect(200) for m in listed] == listed
    return listed


def test_message_as_listed(api, pair):
    """In each of its states, for both users; twice, so that the second answer may come from the cache."""
    one, other = pair
    sent = [api.as_user(one).send(other, f"{n}").expect(201)["messageId"] for n in range(5)]
    api.as_user(other).send(one, "answer", replyTo=sent[0]).expect(201)
    api.as_user(one).settled_cursor()
    api.as_user(one).edit_message(other, sent[1], "changed").expect(200)
    api.as_user(one).delete_message(other, sent[2], "everyone").expect(200)
    api.as_user(other).delete_message(one, sent[3], "me").expect(200)
    api.as_user(other).add_reaction(one, sent[4], "+").expect(200)
    api.as_user(other).send_receipt(one, sent[4]).expect(204)
    for me, peer in (pair, pair[::-1]) * 2:
        api.as_user(me).settled_cursor()
        listed = assert_same_as_listed(api, me, peer)
        assert len(listed) == 6
    assert [m["status"] for m in assert_same_as_listed(api, one, other) if "status" in m] == ["read"] * 5


def test_reads_show_each_change(api, alice, bob):
    """Promise 6, for an answer that was cached before."""
    message = api.as_user(alice).send(bob, "0").expect(201)["messageId"]
    for n in range(5):
        assert api.as_user(alice).fetch_message(bob, message).expect(200)["messageContent"] == f"{n}"
        api.as_user(alice).edit_message(bob, message, f"{n + 1}").expect(200)


@pytest.mark.parametrize("change", [1, -1, 2])
def test_neighbouring_ids(api, alice, bob, change):
    sent = [int(api.as_user(alice).send(bob, f"{n}").expect(201)["messageId"]) for n in range(3)]
    mine = api.as_user(bob)
    for message in sent:
        mine.fetch_message(alice, message + change).expect(404, code="message-not-found")
    for message in (1, (1 << 63) - 1):
        mine.fetch_message(alice, message).expect(404, code="message-not-found")


@pytest.mark.parametrize("message", ["0", "x", "01", "-1", "9223372036854775808"])
def test_malformed_ids(api, alice, bob, message):
    api.as_user(alice).fetch_message(bob, message).expect(404, code="message-not-found")


def test_conversation_without_messages(api, alice, bob):
    api.as_user(alice).fetch_message(bob, 1 << 50).expect(404, code="message-not-found")


def test_foreign_messages_do_not_exist(api, alice, bob):
    """Promise 8: another user's message, under any conversation, is answered like an unknown one."""
    eve = api.make_user()
    message = api.as_user(alice).send(bob, "secret").expect(201)["messageId"]
    mine = api.as_user(eve)
    mine.fetch_message(conversation_id(alice.id, bob.id), message).expect(404, code="conversation-not-found")
    mine.fetch_message(alice, message).expect(404, code="message-not-found")
    unknown = conversation_id(eve.id, int(alice.id) + (1 << 20))
    mine.fetch_message(unknown, message).expect(404, code="conversation-not-found")
    api.as_user(alice).send(eve, "hello").expect(201)
    mine.fetch_message(alice, message).expect(404, code="message-not-found")
    api.fetch_message(conversation_id(alice.id, bob.id), message).expect(401)


def test_cleared_messages_are_gone(api, alice, bob):
    old = api.as_user(alice).send(bob, "old").expect(201)["messageId"]
    mine = api.as_user(bob)
    mine.fetch_message(alice, old).expect(200)
    mine.delete_conversation(alice).expect(204)
    mine.fetch_message(alice, old).expect(404, code="message-not-found")
    mine.fetch_message(alice, old, {"if-none-match": "*"}).expect(404, code="message-not-found")
    new = api.as_user(alice).send(bob, "new").expect(201)["messageId"]
    mine.fetch_message(alice, new).expect(200)
    mine.fetch_message(alice, old).expect(404, code="message-not-found")
    api.as_user(alice).fetch_message(bob, old).expect(200)


def test_messages_of_a_group(api, alice, bob):
    """For present and former members: each finds the messages in their own mailbox."""
    eve, late = api.make_user(), api.make_user()
    group = api.as_user(alice).create_group("Group", [bob]).expect(201)["groupId"]
    first = api.as_user(alice).send_to(group, "first").expect(201)["messageId"]
    api.as_user(alice).add_group_members(group, late).expect(200)
    second = api.as_user(bob).send_to(group, "second").expect(201)["messageId"]
    api.as_user(bob).remove_group_member(group, bob).expect(204)
    third = api.as_user(alice).send_to(group, "third").expect(201)["messageId"]
    for user in (alice, bob, late):
        api.as_user(user).settled_cursor()
        assert_same_as_listed(api, user, group)
    api.as_user(late).fetch_message(group, first).expect(404, code="message-not-found")
    api.as_user(late).fetch_message(group, second).expect(200)
    api.as_user(bob).fetch_message(group, second).expect(200)
    api.as_user(bob).fetch_message(group, third).expect(404, code="message-not-found")
    api.as_user(eve).fetch_message(group, first).expect(404, code="conversation-not-found")


def test_message_etag(api, alice, bob):
    """The ETag is the mailbox's version. A 304 is given only for a message that is there."""
    mine = api.as_user(bob)
    message = api.as_user(alice).send(bob, "hello").expect(201)["messageId"]
    etag = mine.fetch_message(alice, message).headers["etag"]
    assert etag == mine.fetch_messages(alice).headers["etag"]
    for header in (etag, "W/" + etag, "*"):
        answer = mine.fetch_message(alice, message, {"if-none-match": header})
        answer.expect(304)
        assert answer.headers["etag"] == etag and answer.body == b""
    for header in (etag, "*"):
        mine.fetch_message(alice, int(message) + 2, {"if-none-match": header}).expect(404, code="message-not-found")
    api.as_user(alice).edit_message(bob, message, "changed").expect(200)
    changed = mine.fetch_message(alice, message, {"if-none-match": etag})
    assert changed.expect(200)["messageContent"] == "changed" and changed.headers["etag"] != etag
    # Not in the cache yet.
    other = api.as_user(alice).send(bob, "more").expect(201)["messageId"]
    mine.fetch_message(alice, other, {"if-none-match": mine.fetch_messages(alice).headers["etag"]}).expect(304)


def assert_conversations_as_listed(api, me):
    """Reads each conversation of the list alone."""
    mine = api.as_user(me)
    mine.settled_cursor()
    listed = mine.fetch_conversation(pageSize=100).expect(200)["conversations"]
    assert [mine.fetch_conversation_by_id(c["conversationId"]).expect(200) for c in listed] == listed
    return listed


def test_conversation_as_listed(api, pair):
    """For both users and a group, with unread messages, receipts and settings; twice, for the cache."""
    one, other = pair
    group = api.as_user(other).create_group("Group", [one]).expect(201)["groupId"]
    api.as_user(one).send_to(group, "\U0001f600" * 200).expect(201)
    sent = [api.as_user(one).send(other, f"{n}").expect(201)["messageId"] for n in range(3)]
    api.as_user(other).send_receipt(one, sent[1]).expect(204)
    api.as_user(other).update_conversation(one, pinned=True, mutedUntil=5).expect(200)
    api.as_user(other).update_conversation(group, archived=True).expect(200)
    for me in pair * 2:
        listed = assert_conversations_as_listed(api, me)
        assert {c["conversationId"] for c in listed} == {group, conversation_id(one.id, other.id)}


def test_conversation_shows_each_change(api, alice, bob):
    """Promise 6, for an answer that was cached before."""
    mine = api.as_user(bob)
    for n in range(5):
        api.as_user(alice).send(bob, f"{n}").expect(201)
        conversation = mine.fetch_conversation_by_id(alice).expect(200)
        assert (conversation["snippet"], conversation["unreadCount"]) == (f"{n}", n + 1)


def test_conversation_before_its_first_message(api, alice, bob):
    """It is not found, but fetchMessages gives an empty page."""
    mine = api.as_user(alice)
    mine.fetch_conversation_by_id(bob).expect(404, code="conversation-not-found")
    assert mine.fetch_messages(bob).expect(200)["messages"] == []
    api.as_user(bob).send(alice, "hello").expect(201)
    mine.fetch_conversation_by_id(bob).expect(200)


def test_foreign_conversations_do_not_exist(api, alice, bob):
    eve = api.make_user()
    api.as_user(alice).send(bob, "secret").expect(201)
    group = api.as_user(alice).create_group("Group", [bob]).expect(201)["groupId"]
    mine = api.as_user(eve)
    foreign = [conversation_id(alice.id, bob.id), group]
    missing = [conversation_id(eve.id, int(alice.id) + (1 << 20)), "1-2", "7", str((1 << 63) - 1), "x"]
    for conversation in foreign + missing:
        for headers in (None, {"if-none-match": "*"}):
            problem = mine.fetch_conversation_by_id(conversation, headers).expect(404, code="conversation-not-found")
            assert problem["detail"] == "The caller takes no part in such a conversation."
    api.fetch_conversation_by_id(conversation_id(alice.id, bob.id)).expect(401)


def test_cleared_conversation_keeps_its_settings(api, alice, bob):
    """It is in no list, but it is found here and in deltas."""
    mine = api.as_user(bob)
    last = api.as_user(alice).send(bob, "old").expect(201)["messageId"]
    mine.update_conversation(alice, mutedUntil=7).expect(200)
    cursor = mine.settled_cursor()
    mine.delete_conversation(alice).expect(204)
    (changed,) = mine.fetch_conversation(lastUpdatedTimestamp=cursor).expect(200)["conversations"]
    assert mine.fetch_conversation().expect(200)["conversations"] == []
    cleared = mine.fetch_conversation_by_id(alice).expect(200)
    assert cleared == changed
    assert (cleared["clearedUpTo"], cleared["lastMessageId"], cleared["snippet"], cleared["mutedUntil"]) == (last, last, "", 7)
    api.as_user(alice).send(bob, "new").expect(201)
    assert_conversations_as_listed(api, bob)


def test_group_that_was_left(api, alice, bob):
    group = api.as_user(alice).create_group("Group", [bob]).expect(201)["groupId"]
    api.as_user(bob).remove_group_member(group, bob).expect(204)
    (listed,) = assert_conversations_as_listed(api, bob)
    assert listed["conversationId"] == group


def test_conversation_etag(api, alice, bob):
    mine = api.as_user(bob)
    api.as_user(alice).send(bob, "hello").expect(201)
    etag = mine.fetch_conversation_by_id(alice).headers["etag"]
    assert etag == mine.fetch_conversation().headers["etag"]
    for header in (etag, "*"):
        assert mine.fetch_conversation_by_id(alice, {"if-none-match": header}).status == 304
    api.as_user(alice).send(bob, "more").expect(201)
    changed = mine.fetch_conversation_by_id(alice, {"if-none-match": etag})
    assert changed.expect(200)["snippet"] == "more" and changed.headers["etag"] != etag
