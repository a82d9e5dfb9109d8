"""Proves updateConversation and deleteConversation: they change only one user's view; every device of that user gets the
change; deleted messages are in no list, page or count; retries and later messages work as before."""

import time

import pytest

from harness import tokens
from harness.client import User, conversation_id
from harness.stack import SLOWNESS

LATEST = 2**53 - 1
DEFAULTS = {"mutedUntil": 0, "archived": False, "pinned": False, "markedUnread": False}


@pytest.fixture
def talk(api, pair):
    """Two users, who sent each other five messages in turn. The first message is the first user's."""
    for i in range(5):
        api.as_user(pair[i % 2]).send(pair[1 - i % 2], f"old {i}", f"k{i}").expect(201)
    return pair


def conversation(api, user, peer, **query):
    """The user's conversation with the peer as the list has it, or None."""
    listed = api.as_user(user).fetch_conversation(**query).expect(200)["conversations"]
    return next((c for c in listed if c["conversationId"] == conversation_id(user.id, peer.id)), None)


def settings_of(value):
    return {name: value[name] for name in DEFAULTS}


def but_receipts(value):
    """Ignores what was delivered, which follows from the cursors that tests present."""
    ignored = ("memberStates", "othersDeliveredUpTo", "othersReadUpTo", "lastUpdatedTimestamp")
    return {name: value[name] for name in value if name not in ignored}


def version(api, user):
    return api.as_user(user).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]


def changes(api, user, since):
    return api.as_user(user).fetch_updates(lastUpdatedTimestamp=since, timeout=0).expect(200)


def contents(api, user, peer):
    return [m.get("messageContent") for m in api.as_user(user).all_messages(peer)]


# updateConversation

def test_before_the_first_message(api, pair):
    """The setting is kept for the first message, and other devices learn of it. The list does not show the conversation,
    and the other user sees nothing."""
    one, other = pair
    mine = api.as_user(one)
    since = version(api, one)
    now = mine.update_conversation(other, mutedUntil=LATEST, markedUnread=True).expect(200)
    assert settings_of(now) == {**DEFAULTS, "mutedUntil": LATEST, "markedUnread": True}
    assert conversation(api, one, other) is None and mine.all_messages(other) == []
    assert mine.fetch_unread().expect(200)["conversationCount"] == 0
    changed, = changes(api, one, since)["conversations"]
    assert settings_of(changed) == settings_of(now)
    assert changed["lastMessageId"] == changed["readUpTo"] == "0" and changed["snippet"] == "" and changed["lastMessageTimestamp"] == 0
    assert changes(api, other, 0)["conversations"] == []
    assert mine.fetch_presence(other).expect(200)["users"] == [], "settings alone make no conversation for presence"
    assert settings_of(mine.update_conversation(other, archived=True).expect(200)) == {**settings_of(now), "archived": True}
    mine.delete_conversation(other).expect(204)
    api.as_user(other).send(one, "first").expect(201)
    row = conversation(api, one, other)
    assert settings_of(row) == {**DEFAULTS, "mutedUntil": LATEST, "archived": True} and row["unreadCount"] == 1
    assert settings_of(conversation(api, other, one)) == DEFAULTS


def test_default_settings_before_the_first_message(api, pair):
    """A setting that equals the default creates no conversation. Settings for an unknown user, or for a group of which
    the user is no member, are refused."""
    one, other = pair
    mine = api.as_user(one)
    since = version(api, one)
    assert settings_of(mine.update_conversation(other, archived=False).expect(200)) == DEFAULTS
    assert version(api, one) == since
    unknown = User(str(int(other.id) ^ 1 << 9), "unknown", None)
    mine.update_conversation(unknown, archived=True).expect(404, code="conversation-not-found")
    group = api.as_user(other).create_group("Group", []).expect(201)["groupId"]
    mine.update_conversation(group, archived=True).expect(404, code="conversation-not-found")
    assert version(api, one) == since


@pytest.mark.parametrize("settings", [
    {"mutedUntil": 1}, {"mutedUntil": LATEST}, {"archived": True}, {"pinned": True},
    {"mutedUntil": 5, "archived": True, "pinned": True}, {"markedUnread": True},
])
def test_settings(api, talk, settings):
    one, other = talk
    now = api.as_user(one).update_conversation(other, **settings).expect(200)
    assert now == {"conversationId": conversation_id(one.id, other.id), **DEFAULTS, **settings}
    assert settings_of(conversation(api, one, other)) == {**DEFAULTS, **settings}
    assert settings_of(conversation(api, other, one)) == DEFAULTS, "the other user's settings do not change"


def test_what_is_absent_stays(api, talk):
    one, other = talk
    mine = api.as_user(one)
    mine.update_conversation(other, pinned=True).expect(200)
    mine.update_conversation(other, mutedUntil=7).expect(200)
    assert settings_of(mine.update_conversation(other, archived=True).expect(200)) == \
        {**DEFAULTS, "mutedUntil": 7, "archived": True, "pinned": True}
    assert settings_of(mine.update_conversation(other, mutedUntil=0, pinned=False, archived=False).expect(200)) == DEFAULTS


def test_other_devices_learn_of_it(api, talk):
    """By a delta with only the conversation, and by an ETag that no longer matches."""
    one, other = talk
    mine = api.as_user(one)
    since, page = version(api, one), mine.fetch_conversation()
    theirs = but_receipts(conversation(api, other, one))
    mine.update_conversation(other, archived=True, mutedUntil=9).expect(200)
    delta = changes(api, one, since)
    assert delta["isDeltaUpdate"] and delta["messages"] == []
    changed, = delta["conversations"]
    assert settings_of(changed) == {**DEFAULTS, "mutedUntil": 9, "archived": True}
    assert changed["snippet"] == "old 4" and changed["lastUpdatedTimestamp"] == delta["lastUpdatedTimestamp"] > since
    listed = mine.fetch_conversation(headers={"if-none-match": page.headers["etag"]}).expect(200)
    assert [but_receipts(row) for row in listed["conversations"]] == [but_receipts(changed)]
    assert but_receipts(conversation(api, one, other, lastUpdatedTimestamp=since)) == but_receipts(changed)
    assert but_receipts(conversation(api, other, one)) == theirs, "the other user gets no change"


def test_the_same_again_changes_nothing(api, talk):
    one, other = talk
    mine = api.as_user(one)
    first = mine.update_conversation(other, archived=True, mutedUntil=3).expect(200)
    etag = mine.fetch_conversation().headers["etag"]
    assert mine.update_conversation(other, archived=True).expect(200) == first
    mine.fetch_conversation(headers={"if-none-match": etag}).expect(304)


def test_messages_change_no_setting(api, talk):
    one, other = talk
    api.as_user(one).update_conversation(other, mutedUntil=LATEST, archived=True, pinned=True).expect(200)
    since = version(api, one)
    api.as_user(other).send(one, "new").expect(201)
    changed, = changes(api, one, since)["conversations"]
    assert settings_of(changed) == {**DEFAULTS, "mutedUntil": LATEST, "archived": True, "pinned": True}
    assert changed["snippet"] == "new"


def test_settings_change_no_order(api, talk):
    one, other = talk
    third = api.make_user()
    api.as_user(third).send(one, "newer").expect(201)
    api.as_user(one).update_conversation(other, pinned=True).expect(200)
    listed = api.as_user(one).fetch_conversation().expect(200)["conversations"]
    assert [c["conversationId"] for c in listed] == [conversation_id(one.id, third.id), conversation_id(one.id, other.id)]


@pytest.mark.parametrize("body, pointers", [
    ({}, {""}),
    ({"mutedUntil": -1}, {"/mutedUntil"}), ({"mutedUntil": 2**53}, {"/mutedUntil"}), ({"mutedUntil": 1.5}, {"/mutedUntil"}),
    ({"mutedUntil": "1"}, {"/mutedUntil"}), ({"mutedUntil": None}, {"/mutedUntil"}), ({"mutedUntil": True}, {"/mutedUntil"}),
    ({"archived": 1}, {"/archived"}), ({"archived": None}, {"/archived"}), ({"pinned": "true"}, {"/pinned"}),
    ({"mutedUntil": [], "archived": {}, "pinned": 0}, {"/mutedUntil", "/archived", "/pinned"}),
    ({"pinned": True, "archived": "no"}, {"/archived"}), ({"markedUnread": 1}, {"/markedUnread"}),
])
def test_bad_settings(api, alice, bob, body, pointers):
    api.as_user(alice).send(bob, "x").expect(201)
    problem = api.as_user(alice).update_conversation(bob, **body).expect(422, code="validation-failed")
    assert {error["pointer"] for error in problem["errors"]} == pointers
    assert settings_of(conversation(api, alice, bob)) == DEFAULTS


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"pinned":true,"pinned":true}', b'{"pinned":true} x'])
def test_bad_json(api, alice, bob, body):
    api.as_user(alice).request("PATCH", f"/v1/conversations/{conversation_id(alice.id, bob.id)}", content=body,
                               headers={"content-type": "application/json"}).expect(400, code="invalid-json")


def calls(api):
    return (lambda target: api.update_conversation(target, pinned=True), api.delete_conversation)


def test_conversations_of_others(api, alice, bob):
    """Another's conversation and a malformed id get the same answer. For a deletion, so does a conversation without
    messages."""
    carol = api.make_user()
    api.as_user(alice).send(bob, "x").expect(201)
    since = version(api, alice), version(api, bob)
    for call in calls(api.as_user(carol)):
        for target in (conversation_id(alice.id, bob.id), f"{bob.id}-{alice.id}", f"{bob.id}-{bob.id}", alice.id, "x", "1-2",
                       conversation_id(carol.id, 2**63 - 1)):
            call(target).expect(404, code="conversation-not-found")
    for target in (alice, carol):
        api.as_user(carol).delete_conversation(target).expect(404, code="conversation-not-found")
    assert (version(api, alice), version(api, bob)) == since


def test_token_of_unknown_user(api, alice, bob):
    unknown = str(int(alice.id) - 1)
    for call in calls(api.as_user(User(unknown, "unknown", tokens.mint(api.key, unknown)))):
        call(conversation_id(unknown, bob.id)).expect(401, code="invalid-token")


def test_cross_site_cookie(api, alice, bob):
    api.as_user(alice).send(bob, "x").expect(201)
    target = conversation_id(alice.id, bob.id)
    cookie = {"cookie": f"__Host-parley={alice.token}"}
    anonymous = api.as_user(None)
    anonymous.update_conversation(target, {**cookie, "sec-fetch-site": "cross-site"}, pinned=True).expect(403)
    anonymous.delete_conversation(target, {**cookie, "sec-fetch-site": "cross-site"}).expect(403)
    assert settings_of(conversation(api, alice, bob)) == DEFAULTS
    anonymous.update_conversation(target, {**cookie, "sec-fetch-site": "same-origin"}, pinned=True).expect(200)
    anonymous.delete_conversation(target, {**cookie, "sec-fetch-site": "same-origin"}).expect(204)


# deleteConversation

def test_deleted_for_one_user_only(api, talk):
    one, other = talk
    theirs = version(api, other)
    assert api.as_user(one).delete_conversation(other).expect(204) is None
    assert conversation(api, one, other) is None
    page = api.as_user(one).fetch_messages(other).expect(200)
    assert page["messages"] == [] and page["hasMore"] is False
    assert contents(api, other, one) == [f"old {i}" for i in range(5)]
    assert conversation(api, other, one)["snippet"] == "old 4"
    assert version(api, other) == theirs, "the other user gets no change"


def test_other_devices_learn_of_the_deletion(api, talk):
    one, other = talk
    mine = api.as_user(one)
    last = conversation(api, one, other)["lastMessageId"]
    since = version(api, one)
    etags = mine.fetch_conversation().headers["etag"], mine.fetch_messages(other).headers["etag"]
    mine.delete_conversation(other).expect(204)
    delta = changes(api, one, since)
    assert delta["isDeltaUpdate"] and delta["messages"] == []
    changed, = delta["conversations"]
    assert changed["clearedUpTo"] == changed["lastMessageId"] == last
    assert (changed["unreadCount"], changed["snippet"]) == (0, "")
    assert changed == conversation(api, one, other, lastUpdatedTimestamp=since), "also in the list's delta"
    assert mine.fetch_conversation(headers={"if-none-match": etags[0]}).expect(200)["conversations"] == []
    assert mine.fetch_messages(other, headers={"if-none-match": etags[1]}).expect(200)["messages"] == []
    assert mine.fetch_messages(other, lastUpdatedTimestamp=since).expect(200)["messages"] == []
    assert mine.fetch_messages(other, lastUpdatedTimestamp=10**15).expect(200)["messages"] == []


def test_repeated_deletion_changes_nothing(api, talk):
    one, other = talk
    api.as_user(one).delete_conversation(other).expect(204)
    since = version(api, one)
    api.as_user(one).delete_conversation(other).expect(204)
    assert version(api, one) == since


def test_later_messages_are_shown(api, talk):
    one, other = talk
    api.as_user(one).delete_conversation(other).expect(204)
    since = version(api, one)
    new = api.as_user(other).send(one, "new").expect(201)["messageId"]
    assert contents(api, one, other) == ["new"]
    shown = conversation(api, one, other)
    assert (shown["lastMessageId"], shown["unreadCount"], shown["snippet"]) == (new, 1, "new")
    delta = changes(api, one, since)
    assert [m["messageId"] for m in delta["messages"]] == [new] and delta["conversations"] == [shown]
    api.as_user(one).send(other, "mine").expect(201)
    assert contents(api, one, other) == ["new", "mine"]
    assert conversation(api, one, other)["unreadCount"] == 1
    api.as_user(one).delete_conversation(other).expect(204)
    assert contents(api, one, other) == [] and conversation(api, one, other) is None
    assert contents(api, other, one)[-2:] == ["new", "mine"]


def test_a_retry_is_still_a_duplicate(api, talk):
    """By either user, and its conversation stays deleted. With other content it is refused as before."""
    one, other = talk
    ids = [m["messageId"] for m in api.as_user(one).all_messages(other)]
    for user in talk:
        api.as_user(user).delete_conversation(one if user is other else other).expect(204)
    for i, sender, recipient in ((0, one, other), (1, other, one)):
        again = api.as_user(sender).send(recipient, f"old {i}", f"k{i}").expect(200)
        assert again["duplicate"] and again["messageId"] == ids[i]
        api.as_user(sender).send(recipient, "other", f"k{i}").expect(409, code="client-message-id-reused")
    assert contents(api, one, other) == contents(api, other, one) == []
    assert conversation(api, one, other) is None


def test_paging_ends_where_it_was_deleted(api, talk):
    one, other = talk
    mine = api.as_user(one)
    old = [m["messageId"] for m in mine.all_messages(other)]
    mine.delete_conversation(other).expect(204)
    new = [api.as_user(other).send(one, f"new {i}").expect(201)["messageId"] for i in range(3)][::-1]

    def page(**query):
        value = mine.fetch_messages(other, **query).expect(200)
        return [m["messageId"] for m in value["messages"]], value["hasMore"]
    assert page(pageSize=2) == (new[:2], True)
    assert page(pageSize=2, before=new[1]) == (new[2:], False)
    assert page(pageSize=2, pageNumber=2) == (new[2:], False)
    assert page(pageSize=3) == (new, False)
    assert page(pageNumber=2) == page(before=new[2]) == page(before=old[-1]) == page(before=old[0]) == ([], False)


def test_list_pages_leave_it_out(api, alice):
    """Each page is full and in order, without deleted conversations."""
    peers = [api.make_user() for _ in range(6)]
    for peer in peers:
        api.as_user(peer).send(alice, "x").expect(201)
    mine = api.as_user(alice)
    for peer in (peers[5], peers[2], peers[0]):
        mine.delete_conversation(peer).expect(204)
    left = [conversation_id(alice.id, peers[i].id) for i in (4, 3, 1)]

    def page(number, size):
        value = mine.fetch_conversation(pageNumber=number, pageSize=size).expect(200)
        return [c["conversationId"] for c in value["conversations"]], value["hasMore"]
    assert [page(1, 2), page(2, 2), page(3, 2)] == [(left[:2], True), (left[2:], False), ([], False)]
    assert page(1, 3) == (left, False)
    api.as_user(peers[0]).send(alice, "back").expect(201)
    assert page(1, 100) == ([conversation_id(alice.id, peers[0].id)] + left, False)


def test_deletion_unpins_and_keeps_other_settings(api, talk):
    one, other = talk
    mine = api.as_user(one)
    mine.update_conversation(other, mutedUntil=LATEST, archived=True, pinned=True).expect(200)
    mine.delete_conversation(other).expect(204)
    api.as_user(other).send(one, "new").expect(201)
    assert settings_of(conversation(api, one, other)) == {**DEFAULTS, "mutedUntil": LATEST, "archived": True}


def test_a_deleted_conversation_can_be_muted(api, talk):
    one, other = talk
    mine = api.as_user(one)
    mine.delete_conversation(other).expect(204)
    assert settings_of(mine.update_conversation(other, mutedUntil=8).expect(200)) == {**DEFAULTS, "mutedUntil": 8}
    assert conversation(api, one, other) is None


def stored(stack, user, peer):
    """(content, extra) of the user's messages with the peer, oldest first."""
    return stack.query(stack.database_of(user.id),
                       f"SELECT content, extra FROM {stack.schema_of(user.id)}.message WHERE user_id = %s AND peer_id = %s"
                       " ORDER BY message_id", (user.id, peer.id))


def wait_until_settled(stack, user):
    """Waits until the follow-ups of the mailbox to itself are done."""
    deadline = time.monotonic() + 20 * SLOWNESS
    while stack.query(stack.database_of(user.id), "SELECT count(*) FROM parley.change_outbox WHERE mailbox_id = %s",
                      (user.id,)) != [(0,)]:
        assert time.monotonic() < deadline, "its follow-up is still open"
        time.sleep(0.1)


def test_the_content_is_erased(api, stack, talk):
    """It is erased from the mailbox of the user who deleted it. An old cursor gives tombstones."""
    one, other = talk
    api.as_user(one).delete_conversation(other).expect(204)
    wait_until_settled(stack, one)
    rows = stored(stack, one, other)
    assert len(rows) == 5 and all(content == "" for content, _ in rows)
    assert all(extra["deletedScope"] == "me" and set(extra) <= {"deletedScope", "deletedTimestamp", "original", "copyContent"}
               for _, extra in rows)
    assert [content for content, _ in stored(stack, other, one)] == [f"old {i}" for i in range(5)]
    delta = changes(api, one, 10**15)
    assert len(delta["messages"]) == 5
    assert all("messageContent" not in m and m["deletedScope"] == "me" for m in delta["messages"])


def test_many_messages_are_erased_in_the_background(api, stack, alice, bob):
    """More than one slice: the answer does not wait for all of them, no message is shown meanwhile, and in the end all
    are empty."""
    api.as_user(bob).send(alice, "first").expect(201)
    stack.query(stack.database_of(alice.id),
                "INSERT INTO parley.message (user_id, peer_id, message_id, version, sender_id, client_message_id, content)"
                " SELECT m.user_id, m.peer_id, m.message_id - 2 * n, m.version - n, m.sender_id, 'bulk' || n, 'bulk' || n"
                f" FROM {stack.schema_of(alice.id)}.message m, generate_series(1, 2500) n"
                " WHERE m.user_id = %s RETURNING 1", (alice.id,))
    assert len(stored(stack, alice, bob)) == 2501
    mine = api.as_user(alice)
    mine.delete_conversation(bob).expect(204)
    since = version(api, alice)
    assert contents(api, alice, bob) == []
    new = api.as_user(bob).send(alice, "new").expect(201)["messageId"]
    wait_until_settled(stack, alice)
    rows = stored(stack, alice, bob)
    assert [content for content, _ in rows] == [""] * 2501 + ["new"]
    delta = changes(api, alice, since)
    assert [m["messageId"] for m in delta["messages"]] == [new], "erasing raises no version"
