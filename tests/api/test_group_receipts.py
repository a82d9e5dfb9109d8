"""Proves receipts in a group: a message is delivered or read when it is so for all other members, and a member gets a
change only if what the member sees has changed."""

import concurrent.futures

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


def others(api, user, group):
    row = row_of(api, user, group)
    return row["othersDeliveredUpTo"], row["othersReadUpTo"]


def version(api, user):
    return api.as_user(user).fetch_conversation().expect(200)["lastUpdatedTimestamp"]


def status(api, user, group, message_id):
    message, = (m for m in api.as_user(user).all_messages(group) if m["messageId"] == message_id)
    return message.get("status")


def send(api, group, members):
    message_id = api.as_user(members[0]).send_to(group, "hello").expect(201)["messageId"]
    wait_for_newest(api, members, group)
    return message_id


def test_read_by_all(api, group):
    group, members = group
    sender, *readers = members
    message_id = send(api, group, members)
    assert status(api, sender, group, message_id) == "sent"
    for reader in readers[:-1]:
        api.as_user(reader).send_receipt(group, message_id).expect(204)
        assert row_of(api, reader, group)["readUpTo"] == message_id and row_of(api, reader, group)["unreadCount"] == 0
    assert status(api, sender, group, message_id) == "sent", "one member has not read it"
    api.as_user(readers[-1]).send_receipt(group, message_id, "delivered").expect(204)
    wait_until(lambda: status(api, sender, group, message_id) == "delivered", PATIENCE, "it is delivered to all")
    assert others(api, sender, group)[0] == message_id > others(api, sender, group)[1]
    api.as_user(readers[-1]).send_receipt(group, message_id).expect(204)
    wait_until(lambda: status(api, sender, group, message_id) == "read", PATIENCE, "all have read")
    assert others(api, sender, group) == (message_id, message_id)


def test_only_members_whose_view_changes_get_a_change(api, stack, group):
    """Two members have not read the message. A receipt of a third member changes no view. Then one of the two, the
    sender, sees the other one read, and only the sender gets a change."""
    group, members = group
    sender, *readers = members
    message_id = send(api, group, members)

    def publications():
        return sum(stack.query(name, "SELECT count(*) FROM parley.change_outbox")[0][0] for name in stack.databases)

    def changed(act, expected):
        """The members who have a change, after all writes are done."""
        before = {user: version(api, user) for user in members}
        act()
        wait_until(lambda: publications() == 0 and {u for u in members if version(api, u) != before[u]} == set(expected),
                   PATIENCE, f"{expected} have a change")

    for reader in readers[:2]:
        changed(lambda r=reader: api.as_user(r).send_receipt(group, message_id).expect(204), [reader])
    changed(lambda: api.as_user(readers[2]).send_receipt(group, message_id).expect(204), [sender, readers[2]])
    changed(lambda: api.as_user(sender).send_receipt(group, message_id).expect(204), members)


@pytest.mark.concurrent
def test_all_at_the_same_time(api, group):
    """Each receipt may be the one that changes what others see. After every round all members see all messages as read."""
    group, members = group
    with concurrent.futures.ThreadPoolExecutor(len(members)) as pool:
        for sender in members:
            message_id = send(api, group, [sender, *members])
            answers = [pool.submit(api.as_user(user).send_receipt, group, message_id) for user in members]
            for answer in answers:
                answer.result().expect(204)
            for user in members:
                wait_until(lambda u=user, m=message_id: others(api, u, group) == (m, m), PATIENCE, f"{user} sees all")


def receipts(api, user, group, message_id):
    page = api.as_user(user).fetch_message_receipts(group, message_id).expect(200)
    return {receipt["userId"]: receipt["status"] for receipt in page["receipts"]}


def test_each_member(api, group):
    """fetchGroupMembers and fetchMessageReceipts show each member's watermarks at once to every caller who does not hide
    their own."""
    group, members = group
    ann, bob, cat, dan = members
    message_id = send(api, group, members)
    assert receipts(api, ann, group, message_id) == {bob.id: "sent", cat.id: "sent", dan.id: "sent"}
    api.as_user(bob).send_receipt(group, message_id).expect(204)
    api.as_user(cat).send_receipt(group, message_id, "delivered").expect(204)
    expected = {bob.id: "read", cat.id: "delivered", dan.id: "sent"}
    for user in members:
        wait_until(lambda u=user: receipts(api, u, group, message_id) == expected, PATIENCE, "receipts")
    listed = {m["userId"]: m for m in api.as_user(dan).fetch_group_members(group).expect(200)["members"]}
    assert list(listed) == sorted((u.id for u in members), key=int)
    assert listed[bob.id]["readUpTo"] == listed[bob.id]["deliveredUpTo"] == message_id == listed[cat.id]["deliveredUpTo"]
    assert int(listed[cat.id]["readUpTo"]) < int(message_id) > int(listed[dan.id]["deliveredUpTo"])
    api.as_user(ann).update_me(readReceipts=False).expect(200)
    assert receipts(api, ann, group, message_id) == {**expected, bob.id: "delivered"}
    for member in api.as_user(ann).fetch_group_members(group).expect(200)["members"]:
        assert int(member["readUpTo"]) <= int(row_of(api, ann, group)["othersReadUpTo"])


def test_receipts_of_members_who_have_the_message(api, group):
    group, (ann, bob, cat, dan) = group
    eve = api.make_user()
    message_id = send(api, group, (ann, bob, cat, dan))
    api.as_user(ann).add_group_members(group, eve).expect(200)
    api.as_user(cat).remove_group_member(group, cat).expect(204)
    wait_for_newest(api, [ann, bob, dan, eve], group)
    assert receipts(api, ann, group, message_id).keys() == {bob.id, dan.id}
    page = api.as_user(ann).fetch_message_receipts(group, message_id, pageSize=1).expect(200)
    first, last = sorted((bob.id, dan.id), key=int)
    assert [r["userId"] for r in page["receipts"]] == [first] and page["hasMore"]
    page = api.as_user(ann).fetch_message_receipts(group, message_id, pageSize=1, after=first).expect(200)
    assert [r["userId"] for r in page["receipts"]] == [last] and not page["hasMore"]
    api.as_user(eve).fetch_message_receipts(group, message_id).expect(404, code="message-not-found")
    api.as_user(cat).fetch_message_receipts(group, message_id).expect(404, code="conversation-not-found")
    created = api.as_user(ann).all_messages(group)[0]["messageId"]
    api.as_user(ann).fetch_message_receipts(group, created).expect(404, code="message-not-found")


def test_delivered_by_cursors(api, group):
    group, members = group
    message_id = send(api, group, members)
    for user in members[1:]:
        cursor = api.as_user(user).all_updates()[1]
        api.as_user(user).fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
    wait_until(lambda: status(api, members[0], group, message_id) == "delivered", PATIENCE, "it is delivered to all")


def test_member_who_hides_read_receipts(api, group):
    """A member who hides read receipts does not show their reads, and does not see others' reads."""
    group, members = group
    api.as_user(members[1]).update_me(readReceipts=False).expect(200)
    message_id = send(api, group, members)
    for user in members[1:]:
        api.as_user(user).send_receipt(group, message_id).expect(204)
    wait_until(lambda: others(api, members[0], group)[0] == message_id, PATIENCE, "it is delivered")
    assert others(api, members[0], group)[1] < message_id
    assert status(api, members[0], group, message_id) == "delivered"
    message_id = send(api, group, [members[1], *members[:1], *members[2:]])
    for user in (members[0], *members[2:]):
        api.as_user(user).send_receipt(group, message_id).expect(204)
    wait_until(lambda: others(api, members[1], group)[0] == message_id, PATIENCE, "it is delivered")
    assert others(api, members[1], group)[1] < message_id
    assert status(api, members[1], group, message_id) == "delivered"


def test_strangers_and_former_members(api, group):
    group, members = group
    stranger = api.make_user()
    api.as_user(stranger).send_receipt(group, "1").expect(404, code="conversation-not-found")
    api.as_user(members[0]).remove_group_member(group, members[3]).expect(204)
    wait_for_newest(api, members, group)
    last = newest(api, members[3], group)
    api.as_user(members[3]).send_receipt(group, last).expect(204)
    assert row_of(api, members[3], group)["unreadCount"] == 0, "a former member can still read earlier messages"
    assert row_of(api, members[0], group)["memberCount"] == 3
