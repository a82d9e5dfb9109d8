"""Proves fetchUnread, markAllRead and the mark that a user sets: the totals are the sums of the list, all is read up to
the client's cursor and no further, the senders get receipts, and a retry changes nothing."""

import pytest

from harness import tokens
from harness.client import User, conversation_id
from harness.stack import SLOWNESS, wait_until


def row_of(api, user, peer):
    rows = api.as_user(user).fetch_conversation(pageSize=100).expect(200)["conversations"]
    return next(row for row in rows if row["conversationId"] in (peer, conversation_id(user.id, getattr(peer, "id", user.id))))


def totals(api, user):
    value = api.as_user(user).fetch_unread().expect(200)
    assert value["hasMore"] is False
    return value["conversationCount"], value["messageCount"]


def cursor(api, user):
    return api.as_user(user).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]


def changes(api, user, since):
    return api.as_user(user).fetch_updates(lastUpdatedTimestamp=since, timeout=0).expect(200)


def sent(api, sender, recipient, count=1):
    return [api.as_user(sender).send(recipient, f"{i}").expect(201)["messageId"] for i in range(count)]


@pytest.fixture
def crowd(api):
    """A user, and three others in other placements who send 1, 2 and 3 messages to them."""
    me, *others = (api.make_user() for _ in range(4))
    for i, other in enumerate(others):
        sent(api, other, me, i + 1)
    return me, others


def test_totals_are_those_of_the_list(api, crowd):
    me, (one, two, three) = crowd
    assert totals(api, me) == (3, 6)
    assert totals(api, one) == (0, 0), "only messages of others count"
    api.as_user(me).update_conversation(two, archived=True, mutedUntil=2**53 - 1).expect(200)
    assert totals(api, me) == (3, 6), "muted and archived ones count"
    api.as_user(me).send_receipt(three, row_of(api, me, three)["lastMessageId"]).expect(204)
    assert totals(api, me) == (2, 3)
    api.as_user(me).delete_conversation(two).expect(204)
    assert totals(api, me) == (1, 1)
    api.as_user(me).update_conversation(three, markedUnread=True).expect(200)
    assert totals(api, me) == (2, 1)


def test_a_mark(api, pair):
    """It belongs to the user only, changes no count, and any receipt of reading removes it."""
    one, other = pair
    first, last = sent(api, other, one, 2)
    mine = api.as_user(one)
    mine.send_receipt(other, last).expect(204)
    mine.update_conversation(other, markedUnread=True).expect(200)
    row = row_of(api, one, other)
    assert row["markedUnread"] is True and row["unreadCount"] == 0 and row["readUpTo"] == last
    assert row_of(api, other, one)["markedUnread"] is False
    mine.send_receipt(other, last, "delivered").expect(204)
    assert row_of(api, one, other)["markedUnread"] is True, "a receipt of delivery does not change it"
    since = cursor(api, one)
    mine.send_receipt(other, first).expect(204)
    row, = changes(api, one, since)["conversations"]
    assert row["markedUnread"] is False and row["readUpTo"] == last
    mine.update_conversation(other, markedUnread=True).expect(200)
    assert mine.update_conversation(other, markedUnread=False).expect(200)["markedUnread"] is False
    assert totals(api, one) == (0, 0)


def test_a_mark_outlives_messages(api, pair):
    one, other = pair
    sent(api, other, one)
    api.as_user(one).update_conversation(other, markedUnread=True).expect(200)
    sent(api, other, one)
    assert row_of(api, one, other)["markedUnread"] is True
    assert totals(api, one) == (1, 2)
    api.as_user(one).delete_conversation(other).expect(204)
    sent(api, other, one)
    assert row_of(api, one, other)["markedUnread"] is False, "a deletion of the conversation removes it"


def test_mark_all_read(api, crowd):
    """Every device and every sender gets the change; each conversation has a version of its own."""
    me, others = crowd
    group = api.as_user(others[0]).create_group("Group", [me]).expect(201)["groupId"]
    note = api.as_user(others[0]).post("/v1/messages", {"conversationId": group, "messageContent": "x", "clientMessageId": "k"})
    wait_until(lambda: row_of(api, me, group)["lastMessageId"] == note.json["messageId"], 5 * SLOWNESS, "the copy is stored")
    api.as_user(me).update_conversation(others[2], markedUnread=True).expect(200)
    since = cursor(api, me)
    api.as_user(me).mark_all_read(since).expect(204)
    assert totals(api, me) == (0, 0)
    rows = changes(api, me, since)["conversations"]
    assert {row["conversationId"] for row in rows} == {group} | {conversation_id(me.id, other.id) for other in others}
    assert len({row["lastUpdatedTimestamp"] for row in rows}) == 4
    assert all(row["readUpTo"] == row["lastMessageId"] and not row["unreadCount"] and not row["markedUnread"] for row in rows)
    for other in others:
        wait_until(lambda other=other: [m["status"] for m in api.as_user(other).all_messages(me)] == ["read"] * len(
            api.as_user(other).all_messages(me)), 5 * SLOWNESS, "the sender sees it")
    wait_until(lambda: {m.get("status") for m in api.as_user(others[0]).all_messages(group)} >= {"read"}, 5 * SLOWNESS, "the group is read")


def test_newer_messages_stay_unread(api, crowd):
    me, (one, two, three) = crowd
    since = cursor(api, me)
    last = row_of(api, me, two)["lastMessageId"]
    new = sent(api, two, me, 2)
    api.as_user(me).mark_all_read(since).expect(204)
    assert totals(api, me) == (1, 2)
    row = row_of(api, me, two)
    assert row["readUpTo"] == last and row["unreadCount"] == 2
    wait_until(lambda: [m["status"] for m in api.as_user(two).all_messages(me)][:2] == ["read"] * 2, 5 * SLOWNESS, "the sender sees it")
    assert [m["status"] for m in api.as_user(two).all_messages(me)][2:] != ["read"] * 2
    # A message that has changed since is newer: the client does not have its present state.
    since = cursor(api, me)
    api.as_user(two).edit_message(me, new[1], "changed").expect(200)
    api.as_user(me).mark_all_read(since).expect(204)
    assert row_of(api, me, two)["readUpTo"] == new[0] and totals(api, me) == (1, 1)


def test_repeated_mark_all_read_changes_nothing(api, crowd):
    me, _ = crowd
    since = cursor(api, me)
    api.as_user(me).mark_all_read(since).expect(204)
    now = cursor(api, me)
    api.as_user(me).mark_all_read(since).expect(204)
    api.as_user(me).mark_all_read(now).expect(204)
    assert cursor(api, me) == now
    api.as_user(me).mark_all_read(0).expect(204)
    assert cursor(api, me) == now


def test_a_cursor_above_the_version_is_the_version(api, crowd):
    me, (one, *_) = crowd
    api.as_user(me).mark_all_read(2**53 - 1).expect(204)
    assert totals(api, me) == (0, 0)
    sent(api, one, me)
    assert totals(api, me) == (1, 1)


def test_hidden_read_receipts(api, pair):
    one, other = pair
    sent(api, other, one, 2)
    api.as_user(one).update_me(readReceipts=False).expect(200)
    api.as_user(one).mark_all_read(cursor(api, one)).expect(204)
    assert totals(api, one) == (0, 0)
    wait_until(lambda: [m["status"] for m in api.as_user(other).all_messages(one)] == ["delivered"] * 2, 5 * SLOWNESS,
               "the sender sees only the delivery")


def test_many_conversations(api, stack):
    """More than one call of the database changes. SQL makes them, so that it does not take long."""
    me, peer = api.make_user(), api.make_user()
    sent(api, peer, me)
    shard = f"shard_{int(me.id) >> 50:04d}"
    database = next(name for name, shards in stack.shards_by_database().items() if int(me.id) >> 50 in shards)
    stack.query(database, f"""INSERT INTO {shard}.conversation (user_id, peer_id, last_message_id, newest_period, version,
                                                               changed_period, unread_count)
                             SELECT {me.id}, n, c.last_message_id - 2 * n, c.newest_period - 1, c.version - n, c.changed_period, n %% 2
                             FROM {shard}.conversation c, generate_series(1, 1500) n WHERE c.user_id = {me.id} RETURNING 1""")
    value = api.as_user(me).fetch_unread().expect(200)
    assert value["hasMore"] is True and value["conversationCount"] == value["messageCount"] and 500 <= value["messageCount"] <= 501
    api.as_user(me).mark_all_read(cursor(api, me)).expect(204)
    assert stack.query(database, f"SELECT sum(unread_count) FROM {shard}.conversation WHERE user_id = {me.id}") == [(0,)]
    versions = stack.query(database, f"SELECT count(DISTINCT version), count(*) FROM {shard}.conversation"
                                     f" WHERE user_id = {me.id} AND read_up_to > 0")
    assert versions == [(751, 751)]


@pytest.mark.parametrize("body, pointers", [
    ({}, {"/type", "/lastUpdatedTimestamp"}), ({"type": "read"}, {"/lastUpdatedTimestamp"}),
    ({"type": "delivered", "lastUpdatedTimestamp": 0}, {"/type"}), ({"type": 1, "lastUpdatedTimestamp": "1"}, {"/type", "/lastUpdatedTimestamp"}),
    ({"type": "read", "lastUpdatedTimestamp": -1}, {"/lastUpdatedTimestamp"}),
    ({"type": "read", "lastUpdatedTimestamp": 1795291273690}, {"/lastUpdatedTimestamp"}),
    ({"type": "read", "lastUpdatedTimestamp": 2**53}, {"/lastUpdatedTimestamp"}),
])
def test_wrong_fields(api, alice, body, pointers):
    problem = api.as_user(alice).post("/v1/receipts", body).expect(422, code="validation-failed")
    assert {error["pointer"] for error in problem["errors"]} == pointers


def test_an_unknown_field(api, alice):
    body = {"type": "read", "lastUpdatedTimestamp": 0, "more": 1}
    problem = api.as_user(alice).post("/v1/receipts", body).expect(422, code="unknown-field")
    assert [error["pointer"] for error in problem["errors"]] == ["/more"]


def test_token_of_unknown_user(api, alice):
    unknown = api.as_user(User("1", "unknown", tokens.mint(api.key, int(alice.id) ^ 1)))
    unknown.fetch_unread().expect(401, code="invalid-token")
    unknown.mark_all_read(0).expect(401, code="invalid-token")
