"""A blocked user, and the owner of a group that the victim has left, try to put the victim into a group. The victim is only
invited, and the attacker does not learn the reason."""

import time

from harness.stack import SLOWNESS, wait_until

# Seconds in which a follow-up would have come.
PAUSE = 1.0


def conversations(api, user):
    return [row["conversationId"] for row in api.as_user(user).fetch_conversation(pageSize=100).expect(200)["conversations"]]


def invitations(api, user):
    return [row["groupId"] for row in api.as_user(user).fetch_invitations().expect(200)["invitations"]]


def test_a_blocked_user_makes_no_member(api, alice, bob):
    """Neither by a new group nor by one that they have; and nothing of it is shown."""
    api.as_user(alice).block_user(bob).expect(204)
    mine = api.as_user(bob)
    before = api.as_user(alice).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
    made = mine.create_group("You have won", [alice]).expect(201)
    group = mine.create_group("Prizes", []).expect(201)["groupId"]
    added = mine.add_group_members(group, alice).expect(200)
    for answer in (made, added):
        assert answer["invited"] == [alice.id] and [m["userId"] for m in answer["members"]] == [bob.id]
    time.sleep(PAUSE)
    assert conversations(api, alice) == [] and invitations(api, alice) == []
    delta = api.as_user(alice).fetch_updates(lastUpdatedTimestamp=before, timeout=0).expect(200)
    assert delta["messages"] == delta["conversations"] == [] and "invitations" not in delta
    mine.send_to(group, "Click here").expect(201)
    time.sleep(PAUSE)
    assert conversations(api, alice) == []


def test_who_has_left_is_not_put_back(api, alice, bob):
    mine = api.as_user(bob)
    group = mine.create_group("Prizes", [alice]).expect(201)["groupId"]
    wait_until(lambda: conversations(api, alice) == [group], 10 * SLOWNESS, "alice is in the group")
    api.as_user(alice).remove_group_member(group, alice).expect(204)
    for _ in range(3):
        added = mine.add_group_members(group, alice).expect(200)
        assert added["invited"] == [alice.id] and [m["userId"] for m in added["members"]] == [bob.id]
    wait_until(lambda: invitations(api, alice) == [group], 10 * SLOWNESS, "one invitation")
    mine.send_to(group, "Click here").expect(201)
    time.sleep(PAUSE)
    assert all(m.get("messageContent") != "Click here" for m in api.as_user(alice).all_messages(group))
    api.as_user(alice).fetch_group(group).expect(404)


def test_all_reasons_are_answered_alike(api, bob):
    """A block, either setting, and having left: the answers do not differ, be they invited once or again."""
    mine = api.as_user(bob)
    blocks, nobody, contacts, gone = (api.make_user() for _ in range(4))
    group = mine.create_group("Prizes", [gone]).expect(201)["groupId"]
    api.as_user(gone).remove_group_member(group, gone).expect(204)
    api.as_user(blocks).block_user(bob).expect(204)
    api.as_user(nobody).update_me(groupInvites="nobody").expect(200)
    api.as_user(contacts).update_me(groupInvites="contacts").expect(200)
    # A message by the attacker does not make the attacker a contact.
    mine.send(contacts, "hello").expect(201)
    for _ in range(2):
        answers = [mine.add_group_members(group, user).expect(200) for user in (blocks, nobody, contacts, gone)]
        assert [answer.pop("invited") for answer in answers] == [[u.id] for u in (blocks, nobody, contacts, gone)]
        assert all(answer == answers[0] for answer in answers)
        time.sleep(PAUSE)
    again = mine.add_group_members(group, blocks, nobody, contacts, gone).expect(200)
    assert set(again["invited"]) == {u.id for u in (blocks, nobody, contacts, gone)}
    # removeGroupMember answers the same for both.
    for user in (blocks, nobody):
        mine.remove_group_member(group, user).expect(404, code="member-not-found")
    # Nor does a decline.
    api.as_user(nobody).decline_invitation(group).expect(204)
    for user in (blocks, nobody):
        assert mine.add_group_members(group, user).expect(200)["invited"] == [user.id]


def test_an_invitation_is_for_one_user(api, alice, bob):
    """Another user cannot use the invitation."""
    eve = api.make_user()
    api.as_user(alice).update_me(groupInvites="nobody").expect(200)
    group = api.as_user(bob).create_group("Trip", [alice]).expect(201)["groupId"]
    api.as_user(eve).accept_invitation(group).expect(404, code="invitation-not-found")
    api.as_user(eve).decline_invitation(group).expect(204)
    wait_until(lambda: invitations(api, alice) == [group], 10 * SLOWNESS, "the invitation")
    api.as_user(alice).accept_invitation(group).expect(200)
    api.as_user(eve).fetch_group(group).expect(404)
