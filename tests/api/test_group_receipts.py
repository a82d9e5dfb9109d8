"""Proves receipts in a group: every member sees the watermarks of each other; a message counts as delivered or read when
it is for all others."""

import pytest

from groups_fixture import make_group, make_members, newest, row_of, wait_for_newest
from harness.stack import SLOWNESS, wait_until

PATIENCE = 15 * SLOWNESS


@pytest.fixture
def group(api, stack):
    members = make_members(api, stack, 4)
    group = make_group(api, members[0], *members[1:])
    wait_for_newest(api, members, group)
    return group, members


def states(api, user, group):
    return {s["userId"]: (s["deliveredUpTo"], s["readUpTo"]) for s in row_of(api, user, group)["memberStates"]}


def status(api, user, group, message_id):
    message, = (m for m in api.as_user(user).all_messages(group) if m["messageId"] == message_id)
    return message.get("status")


def send(api, group, members):
    message_id = api.as_user(members[0]).send_to(group, "hello").expect(201)["messageId"]
    wait_for_newest(api, members, group)
    return message_id


def test_read_by_all(api, group):
    group, members = group
    sender, *others = members
    message_id = send(api, group, members)
    assert status(api, sender, group, message_id) == "sent"
    for reader in others[:-1]:
        api.as_user(reader).send_receipt(group, message_id).expect(204)
        assert row_of(api, reader, group)["readUpTo"] == message_id and row_of(api, reader, group)["unreadCount"] == 0
    for user in members:
        wait_until(lambda u=user: all(states(api, u, group)[r.id] == (message_id, message_id) for r in others[:-1]),
                   PATIENCE, "each member sees who has read")
    assert status(api, sender, group, message_id) == "sent", "one has not"
    api.as_user(others[-1]).send_receipt(group, message_id, "delivered").expect(204)
    wait_until(lambda: status(api, sender, group, message_id) == "delivered", PATIENCE, "it is delivered to all")
    api.as_user(others[-1]).send_receipt(group, message_id).expect(204)
    wait_until(lambda: status(api, sender, group, message_id) == "read", PATIENCE, "all have read")


def test_delivered_by_cursors(api, group):
    group, members = group
    message_id = send(api, group, members)
    for user in members[1:]:
        cursor = api.as_user(user).all_updates()[1]
        api.as_user(user).fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
    wait_until(lambda: status(api, members[0], group, message_id) == "delivered", PATIENCE, "to all")


def test_who_tells_nobody(api, group):
    """A member with receipts turned off does not show their reads, and does not see others' reads."""
    group, members = group
    api.as_user(members[1]).update_me(readReceipts=False).expect(200)
    message_id = send(api, group, members)
    for user in members[1:]:
        api.as_user(user).send_receipt(group, message_id).expect(204)
    wait_until(lambda: states(api, members[0], group)[members[3].id] == (message_id, message_id), PATIENCE, "others are seen")
    wait_until(lambda: states(api, members[0], group)[members[1].id][0] == message_id, PATIENCE, "it is delivered")
    assert states(api, members[0], group)[members[1].id][1] < message_id
    assert status(api, members[0], group, message_id) == "delivered"
    assert {read for _, read in states(api, members[1], group).values()} == {"0"}


def test_members_alone(api, group):
    group, members = group
    stranger = api.make_user()
    api.as_user(stranger).send_receipt(group, "1").expect(404, code="conversation-not-found")
    api.as_user(members[0]).remove_group_member(group, members[3]).expect(204)
    wait_for_newest(api, members, group)
    last = newest(api, members[3], group)
    api.as_user(members[3]).send_receipt(group, last).expect(204)
    assert row_of(api, members[3], group)["unreadCount"] == 0, "who has left still reads what came before"
    assert members[3].id not in states(api, members[0], group)
