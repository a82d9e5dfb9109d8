"""Proves fetchInvitations, acceptInvitation, declineInvitation and `groupInvites`: a user who may not be added is invited; all
devices see the open invitations; an invitation ends once, in the group and for the user, whatever happens at the same
time; and users, groups and inviters in both databases make no difference."""

import threading

import pytest

from groups_fixture import log, make_group, make_members, roles, row_of, wait_for_log
from harness import devices
from harness.client import Api, unique
from harness.stack import SLOWNESS, Parleyd, wait_until

MOST = 100


@pytest.fixture
def people(api, stack):
    """ann, bob, cat, dan and eve, in both databases. bob and dan, in two databases, have `groupInvites` nobody."""
    members = make_members(api, stack)
    for user in (members[1], members[3]):
        api.as_user(user).update_me(groupInvites="nobody").expect(200)
    return members


@pytest.fixture(scope="module")
def small(stack, contract):
    """A server whose groups have three members at most."""
    server = Parleyd(stack, {"groups": {"max_members": 3}}).start()
    api = Api(server.url, contract, stack.jwt_key)
    yield api
    api.close()
    server.close_and_judge()


def open_invitations(api, user):
    return api.as_user(user).fetch_invitations().expect(200)["invitations"]


def groups_of(api, user):
    return [invitation["groupId"] for invitation in open_invitations(api, user)]


def wait_for_groups(api, user, *groups):
    wait_until(lambda: groups_of(api, user) == list(groups), 10 * SLOWNESS, f"{user} is invited to {groups}")


def invited_in(stack, group):
    """The open invitations that the group has, read by SQL."""
    return [str(row[0]) for row in stack.query(
        stack.database_of(group), "SELECT user_id FROM parley.group_invitation WHERE group_id = %s ORDER BY 1", (group,))]


def at_once(*requests):
    """Their answers, in the same order."""
    answers = [None] * len(requests)
    start = threading.Barrier(len(requests))

    def run(i):
        start.wait()
        answers[i] = requests[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_settings(api, alice):
    mine = api.as_user(alice)
    assert mine.fetch_me().expect(200)["groupInvites"] == "everyone"
    for value in ("nobody", "contacts", "everyone"):
        assert mine.update_me(groupInvites=value).expect(200)["groupInvites"] == value
        assert mine.fetch_me().expect(200)["groupInvites"] == value
    for value in ("", "Nobody", "friends", None, 1, True, ["nobody"]):
        assert [e["pointer"] for e in mine.update_me(groupInvites=value).expect(422)["errors"]] == ["/groupInvites"]
    assert "groupInvites" not in api.as_user(api.make_user()).fetch_user(alice.id).expect(200)


@pytest.mark.parametrize("is_created", [True, False], ids=["created", "added"])
def test_invited_and_accepted(api, stack, people, is_created):
    ann, bob, cat, dan, _ = people
    mine = api.as_user(ann)
    if is_created:
        made = mine.create_group("Trip", [bob, cat, dan], "k").expect(201)
    else:
        empty = mine.create_group("Trip", []).expect(201)
        assert empty["invited"] == []
        made = mine.add_group_members(empty["groupId"], bob, cat, dan).expect(200)
    group, events = made["groupId"], ["group-created"] + ["members-added"] * (not is_created)
    assert made["invited"] == sorted([bob.id, dan.id], key=int)
    assert roles(made) == {ann.id: "owner", cat.id: "member"} and made["memberCount"] == 2
    wait_for_log(api, [ann], group, events)
    wait_for_log(api, [cat], group, events[-1:])
    added = mine.all_messages(group)[-1]["systemEvent"]
    assert added["userIds"] == [cat.id]
    for user in (bob, dan):
        wait_for_groups(api, user, group)
        (invitation,) = open_invitations(api, user)
        assert invitation == {"groupId": group, "groupName": "Trip", "inviterId": ann.id,
                              "invitedTimestamp": invitation["invitedTimestamp"]}
        assert row_of(api, user, group) is None
        api.as_user(user).fetch_group(group).expect(404)
        api.as_user(user).send_to(group, "x").expect(404)
        joined = api.as_user(user).accept_invitation(group).expect(200)
        assert "invited" not in joined and roles(joined)[user.id] == "member"
        events.append("member-joined")
        wait_for_log(api, [ann], group, events)
        wait_for_log(api, [user], group, ["member-joined"])
        wait_for_groups(api, user)
        message = mine.all_messages(group)[-1]
        assert message["senderId"] == user.id
        assert message["systemEvent"] == {"type": "member-joined", "userIds": [user.id], "inviterId": ann.id}
        # Again, as a member.
        assert roles(api.as_user(user).accept_invitation(group).expect(200)) == roles(joined)
    assert log(api, ann, group) == events and invited_in(stack, group) == []
    assert mine.add_group_members(group, bob, dan).expect(200)["invited"] == []
    if is_created:
        assert mine.create_group("Trip", [dan, cat, bob], "k").expect(200)["invited"] == []


def test_a_creation_is_repeated(api, people):
    """The answer has the invited users who have not been members yet, and nobody is invited again."""
    ann, bob, cat, dan, _ = people
    mine = api.as_user(ann)
    made = mine.create_group("Trip", [bob, cat, dan], "again").expect(201)
    group = made["groupId"]
    wait_for_groups(api, dan, group)
    assert mine.create_group("Trip", [dan, cat, bob], "again").expect(200) == made
    api.as_user(dan).decline_invitation(group).expect(204)
    api.as_user(bob).accept_invitation(group).expect(200)
    api.as_user(bob).remove_group_member(group, bob).expect(204)
    assert mine.create_group("Trip", [dan, cat, bob], "again").expect(200)["invited"] == [dan.id]
    assert groups_of(api, dan) == []
    # A setting that has changed is no other creation.
    api.as_user(cat).update_me(groupInvites="nobody").expect(200)
    api.as_user(dan).update_me(groupInvites="everyone").expect(200)
    assert mine.create_group("Trip", [dan, cat, bob], "again").expect(200)["invited"] == [dan.id]


@pytest.mark.parametrize("place", [1, 3], ids=["same-database", "other-database"])
def test_contacts(api, people, place):
    """A user is a contact if this user has written to them. A refused message does not count, a deleted message does."""
    ann, user = people[0], people[place]
    mine = api.as_user(ann)
    api.as_user(user).update_me(groupInvites="contacts").expect(200)
    mine.send(user, "hello").expect(201)
    group = make_group(api, ann)
    assert mine.add_group_members(group, user).expect(200)["invited"] == [user.id]
    mine.block_user(user).expect(204)
    api.as_user(user).send(ann, "hello").expect(403)
    mine.unblock_user(user).expect(204)
    assert mine.add_group_members(group, user).expect(200)["invited"] == [user.id]
    sent = api.as_user(user).send(ann, "hello").expect(201)
    mine.delete_conversation(user).expect(204)
    api.as_user(user).delete_message(ann, sent["messageId"]).expect(200)
    added = mine.add_group_members(group, user).expect(200)
    assert added["invited"] == [] and user.id in roles(added)
    wait_for_groups(api, user)
    other = mine.create_group("Tour", [user]).expect(201)
    assert other["invited"] == []
    api.as_user(user).block_user(ann).expect(204)
    assert mine.create_group("Tour", [user]).expect(201)["invited"] == [user.id]


def test_left_and_removed(api, people):
    """A user who has left is invited. A user who was removed is added again, also if they had left before."""
    ann, _, cat, _, eve = people
    mine = api.as_user(ann)
    group = make_group(api, ann, cat, eve)
    for user in (cat, eve):
        mine.remove_group_member(group, user).expect(204)
        assert mine.add_group_members(group, user).expect(200)["invited"] == []
        wait_until(lambda u=user: (row_of(api, u, group) or {}).get("isMember"), 10 * SLOWNESS, "a member again")
        api.as_user(user).remove_group_member(group, user).expect(204)
        added = mine.add_group_members(group, user).expect(200)
        assert added["invited"] == [user.id] and user.id not in roles(added)
        wait_for_groups(api, user, group)
        api.as_user(user).accept_invitation(group).expect(200)
        wait_for_groups(api, user)
        mine.remove_group_member(group, user).expect(204)
        assert user.id in roles(mine.add_group_members(group, user).expect(200))


def test_declined(api, stack, people):
    ann, bob, _, dan, _ = people
    mine = api.as_user(ann)
    group = make_group(api, ann, bob, dan)
    for user in (bob, dan):
        wait_for_groups(api, user, group)
        for _ in range(2):
            api.as_user(user).decline_invitation(group).expect(204)
            assert groups_of(api, user) == []
        wait_until(lambda u=user: u.id not in invited_in(stack, group), 10 * SLOWNESS, "the group knows it")
        api.as_user(user).accept_invitation(group).expect(404, code="invitation-not-found")
        assert mine.add_group_members(group, user).expect(200)["invited"] == [user.id]
        wait_for_groups(api, user, group)
        api.as_user(user).accept_invitation(group).expect(200)
        api.as_user(user).decline_invitation(group).expect(204)
        assert user.id in roles(mine.fetch_group(group).expect(200))
    assert log(api, ann, group) == ["group-created", "member-joined", "member-joined"]


def test_what_is_no_invitation(api, stack, people):
    ann, bob, *_ = people
    group = make_group(api, ann)
    mine = api.as_user(bob)
    far = str((stack.shards << 50) + 256)
    mine.accept_invitation(group).expect(404, code="invitation-not-found")
    mine.accept_invitation(str(int(group) ^ 1)).expect(404, code="invitation-not-found")
    for other in ("x", "0", ann.id, far, "9223372036854775807"):
        mine.accept_invitation(other).expect(404, code="invitation-not-found")
        mine.decline_invitation(other).expect(404, code="invitation-not-found")
    mine.decline_invitation(group).expect(204)
    assert mine.fetch_invitations().expect(200) == {"invitations": []}


def test_blocks(api, stack, people):
    """An invitation by a blocked user is not shown, neither one made before the block nor one made during it; the end of the
    block shows none of them, but a new one."""
    ann, bob, cat, dan, _ = people
    groups = {}
    for inviter in (ann, cat):
        groups[inviter] = [make_group(api, inviter, bob, dan) for _ in range(2)]
    for user in (bob, dan):
        newest_first = [*groups[cat][::-1], *groups[ann][::-1]]
        wait_for_groups(api, user, *newest_first)
        api.as_user(user).block_user(ann).expect(204)
        assert groups_of(api, user) == groups[cat][::-1]
        wait_until(lambda u=user: not any(u.id in invited_in(stack, g) for g in groups[ann]), 10 * SLOWNESS, "they have ended")
        api.as_user(ann).add_group_members(groups[ann][0], user).expect(200)
        wait_until(lambda u=user: u.id not in invited_in(stack, groups[ann][0]), 10 * SLOWNESS, "refused")
        api.as_user(user).accept_invitation(groups[ann][0]).expect(404)
        api.as_user(user).unblock_user(ann).expect(204)
        assert groups_of(api, user) == groups[cat][::-1]
        api.as_user(ann).add_group_members(groups[ann][0], user).expect(200)
        wait_for_groups(api, user, groups[ann][0], *groups[cat][::-1])
        # Another admin invites the user to the same group. The blocked admin's invitation does not end that.
        api.as_user(user).block_user(ann).expect(204)
        group = make_group(api, ann, cat)
        api.as_user(ann).update_group_member(group, cat, "admin").expect(200)
        api.as_user(cat).add_group_members(group, user).expect(200)
        wait_for_groups(api, user, group, *groups[cat][::-1])
        api.as_user(ann).add_group_members(group, user).expect(200)
        api.as_user(user).accept_invitation(group).expect(200)


def test_whoever_invited_may_not_add_any_more(api, stack, people):
    """The invitation is good only as long as the inviter is an owner or an admin."""
    ann, bob, cat, dan, _ = people
    for user in (bob, dan):
        for is_removed in (True, False):
            group = make_group(api, ann, cat)
            api.as_user(ann).update_group_member(group, cat, "admin").expect(200)
            api.as_user(cat).add_group_members(group, user).expect(200)
            wait_for_groups(api, user, group)
            if is_removed:
                api.as_user(ann).remove_group_member(group, cat).expect(204)
            else:
                api.as_user(ann).update_group_member(group, cat, "member").expect(200)
            api.as_user(user).accept_invitation(group).expect(404, code="invitation-not-found")
            wait_for_groups(api, user)
            assert invited_in(stack, group) == []
            api.as_user(ann).add_group_members(group, user).expect(200)
            wait_for_groups(api, user, group)
            api.as_user(user).accept_invitation(group).expect(200)


def test_two_admins_invite(api, stack, people):
    """One invitation, of the last of them; the group's name is that of the time."""
    ann, bob, cat, dan, _ = people
    group = make_group(api, ann, cat)
    api.as_user(ann).update_group_member(group, cat, "admin").expect(200)
    for name, inviter in (("Trip", ann), ("Trip", cat), ("Tour", cat), ("Tour", cat)):
        api.as_user(ann).update_group(group, name=name).expect(200)
        api.as_user(inviter).add_group_members(group, bob, dan).expect(200)
        for user in (bob, dan):
            wait_until(lambda u=user: [(i["groupName"], i["inviterId"]) for i in open_invitations(api, u)] == [(name, inviter.id)],
                       10 * SLOWNESS, "the last")
    assert invited_in(stack, group) == sorted([bob.id, dan.id], key=int)


def test_added_meanwhile(api, stack, people):
    """The invitation ends when the user is added otherwise."""
    ann, bob, _, dan, _ = people
    group = make_group(api, ann, bob, dan)
    for user in (bob, dan):
        wait_for_groups(api, user, group)
        api.as_user(user).update_me(groupInvites="everyone").expect(200)
        assert api.as_user(ann).add_group_members(group, user).expect(200)["invited"] == []
        wait_for_groups(api, user)
        assert user.id not in invited_in(stack, group)
        api.as_user(user).accept_invitation(group).expect(200)
    assert log(api, ann, group) == ["group-created", "members-added", "members-added"]


def test_a_full_group(api, small, people):
    """Invitations count as members where they are made, and the group's limit holds where they are accepted."""
    ann, bob, cat, dan, eve = people
    mine = small.as_user(ann)
    mine.create_group("Trip", [bob, cat, dan]).expect(409, code="group-full")
    group = mine.create_group("Trip", [bob, dan]).expect(201)["groupId"]
    for user in (bob, dan):
        wait_for_groups(api, user, group)
    small.as_user(ann).add_group_members(group, cat, eve).expect(200)
    mine.add_group_members(group, bob).expect(409, code="group-full")
    small.as_user(bob).accept_invitation(group).expect(409, code="group-full")
    assert groups_of(api, bob) == [group]
    mine.remove_group_member(group, eve).expect(204)
    small.as_user(bob).accept_invitation(group).expect(200)
    small.as_user(dan).accept_invitation(group).expect(409, code="group-full")
    small.as_user(dan).decline_invitation(group).expect(204)


def test_open_invitations_of_a_group_are_bounded(api, small, stack, people):
    """A group has at most as many open invitations as it may have members."""
    ann = people[0]
    group = small.as_user(ann).create_group("Trip", []).expect(201)["groupId"]
    users = [api.make_user() for _ in range(4)]
    for user in users:
        api.as_user(user).update_me(groupInvites="nobody").expect(200)
    for user in users[:3]:
        small.as_user(ann).add_group_members(group, user).expect(200)
    small.as_user(ann).add_group_members(group, users[3]).expect(409, code="group-full")
    # A user with an open invitation can be invited again.
    small.as_user(ann).add_group_members(group, *users[:2]).expect(200)
    api.as_user(users[0]).decline_invitation(group).expect(204)
    wait_until(lambda: len(invited_in(stack, group)) == 2, 10 * SLOWNESS, "one has ended")
    small.as_user(ann).add_group_members(group, users[3]).expect(200)


@pytest.mark.slow
def test_open_invitations_of_a_user_are_bounded(api, stack, people):
    """Further ones are not shown, and end; when there is room again the group may invite again."""
    ann, bob, _, dan, _ = people
    groups = [make_group(api, ann, bob, dan) for _ in range(MOST + 1)]
    shown = groups[MOST - 1::-1]
    for user in (bob, dan):
        wait_for_groups(api, user, *shown)
        wait_until(lambda u=user: u.id not in invited_in(stack, groups[MOST]), 10 * SLOWNESS, "the last has ended")
        api.as_user(user).accept_invitation(groups[MOST]).expect(404)
        api.as_user(user).decline_invitation(groups[0]).expect(204)
        assert groups_of(api, user) == shown[:-1]
        api.as_user(ann).add_group_members(groups[MOST], user).expect(200)
        wait_for_groups(api, user, groups[MOST], *shown[:-1])


def test_all_devices_see_it(api, people):
    """Long-polls and streams get the list when it changes, and none when it does not."""
    ann, _, _, dan, _ = people
    mine = api.as_user(dan)
    held = [kind(kind.__name__, mine) for kind in (devices.Poller, devices.Streamer)]

    def see(*groups):
        wait_for_groups(api, dan, *groups)
        for device in held:
            device.catch_up(1)
            assert [i["groupId"] for i in device.view.invitations] == list(groups), device.name

    try:
        see()
        first, second = (make_group(api, ann, dan) for _ in range(2))
        see(second, first)
        mine.decline_invitation(second).expect(204)
        see(first)
        api.as_user(ann).send(dan, "hello").expect(201)
        delta = mine.fetch_updates(lastUpdatedTimestamp=held[0].cursors[devices.LIST], timeout=10).expect(200)
        assert delta["messages"] and "invitations" not in delta
        mine.accept_invitation(first).expect(200)
        see()
        # A new client gets the list, and so does a client with a cursor from the future.
        third = make_group(api, ann, dan)
        see(third)
        for device in held:
            device.start_anew()
        see(third)
        for device in held:
            device.leap()
        see(third)
    finally:
        for device in held:
            device.close()


def test_a_long_poll_waits_for_it(api, people):
    ann, _, _, dan, _ = people
    mine = api.as_user(dan)
    cursor = mine.settled_cursor()
    answers = at_once(lambda: mine.fetch_updates(lastUpdatedTimestamp=cursor, timeout=20),
                      lambda: api.as_user(ann).create_group("Trip", [dan]))
    delta, group = answers[0].expect(200), answers[1].expect(201)["groupId"]
    assert delta["isDeltaUpdate"] and delta["messages"] == delta["conversations"] == []
    assert [i["groupId"] for i in delta["invitations"]] == [group]


def test_pages_of_updates(api, people):
    """The list comes with the page that reaches its change, and once."""
    ann, bob, *_ = people
    mine = api.as_user(bob)
    for i in range(4):
        api.as_user(ann).send(bob, f"{i}").expect(201)
    group = make_group(api, ann, bob)
    wait_for_groups(api, bob, group)
    for i in range(4):
        api.as_user(ann).send(bob, f"{i}").expect(201)
    cursor, lists, pages = 0, [], 0
    while True:
        page = mine.fetch_updates(lastUpdatedTimestamp=cursor, pageSize=2, timeout=0).expect(200)
        lists += [page["invitations"]] if "invitations" in page else []
        cursor, pages = page["lastUpdatedTimestamp"], pages + 1
        if not page["hasMore"]:
            break
    assert pages >= 4 and [[i["groupId"] for i in one] for one in lists] == [[group]]


@pytest.mark.concurrent
def test_accepted_twice_at_once(api, people):
    ann, bob, _, dan, _ = people
    for user in (bob, dan):
        group = make_group(api, ann, user)
        wait_for_groups(api, user, group)
        answers = at_once(*[lambda u=user: api.as_user(u).accept_invitation(group)] * 6)
        assert [answer.status for answer in answers] == [200] * 6
        wait_for_log(api, [ann], group, ["group-created", "member-joined"])
        wait_for_log(api, [user], group, ["member-joined"])
        wait_for_groups(api, user)


@pytest.mark.concurrent
def test_accepted_and_declined_at_once(api, stack, people):
    """A member, or none; and no invitation is left of it."""
    ann, bob, _, dan, _ = people
    for i in range(6):
        user = (bob, dan)[i % 2]
        group = make_group(api, ann, user)
        wait_for_groups(api, user, group)
        accepted, declined = at_once(lambda u=user: api.as_user(u).accept_invitation(group),
                                     lambda u=user: api.as_user(u).decline_invitation(group))
        declined.expect(204)
        wait_for_groups(api, user)
        wait_until(lambda: invited_in(stack, group) == [], 10 * SLOWNESS, "it has ended in the group")
        is_member = user.id in roles(api.as_user(ann).fetch_group(group).expect(200))
        accepted.expect(200 if is_member else 404)
        wait_for_log(api, [ann], group, ["group-created", *["member-joined"] * is_member])


@pytest.mark.concurrent
def test_invited_and_added_at_once(api, stack, people):
    """Two admins, while the user changes the setting: a member or an invitation, and never both."""
    ann, bob, cat, dan, _ = people
    for i in range(6):
        user = (bob, dan)[i % 2]
        api.as_user(user).update_me(groupInvites="nobody").expect(200)
        group = make_group(api, ann, cat)
        api.as_user(ann).update_group_member(group, cat, "admin").expect(200)
        answers = at_once(lambda: api.as_user(ann).add_group_members(group, user),
                          lambda: api.as_user(cat).add_group_members(group, user),
                          lambda: api.as_user(user).update_me(groupInvites="everyone"))
        for answer in answers:
            answer.expect(200)
        is_member = user.id in roles(api.as_user(ann).fetch_group(group).expect(200))
        wait_for_groups(api, user, *[group] * (not is_member))
        assert invited_in(stack, group) == [user.id] * (not is_member)
        if not is_member:
            api.as_user(user).accept_invitation(group).expect(200)
        wait_until(lambda u=user: (row_of(api, u, group) or {}).get("isMember"), 10 * SLOWNESS, "a member")


@pytest.mark.concurrent
def test_blocked_at_once(api, stack, people):
    """A block beside an invitation and beside its acceptance: afterwards none of the blocked user is shown."""
    ann, bob, _, dan, _ = people
    for i in range(6):
        user = (bob, dan)[i % 2]
        group = make_group(api, ann)
        invited, blocked = at_once(lambda: api.as_user(ann).add_group_members(group, user),
                                   lambda u=user: api.as_user(u).block_user(ann))
        assert invited.expect(200)["invited"] == [user.id]
        blocked.expect(204)
        wait_until(lambda: invited_in(stack, group) == [], 10 * SLOWNESS, "it has ended in the group")
        assert groups_of(api, user) == []
        api.as_user(user).unblock_user(ann).expect(204)


def test_erased(api, stack, people):
    """The erasure of a user ends their invitations in the groups. Invitations by an erased user cannot be accepted."""
    ann, bob, cat, dan, eve = people
    group = make_group(api, ann, bob, dan)
    other = make_group(api, eve, dan, cat)
    wait_for_groups(api, dan, other, group)
    wait_for_groups(api, bob, group)
    api.as_user(bob).delete_me().expect(204)
    wait_until(lambda: invited_in(stack, group) == [dan.id], 20 * SLOWNESS, "bob's has ended")
    for table in ("invitation", "mailbox"):
        left = stack.query(stack.database_of(bob.id), f"SELECT count(*) FROM parley.{table} WHERE user_id = %s", (bob.id,))[0][0]
        assert left == (table == "mailbox")
    api.as_user(eve).delete_me().expect(204)
    wait_until(lambda: eve.id not in roles(api.as_user(cat).fetch_group(other).expect(200)), 20 * SLOWNESS, "eve has left")
    api.as_user(dan).accept_invitation(other).expect(404, code="invitation-not-found")
    wait_for_groups(api, dan, group)


def test_exported(api, people):
    ann, _, _, dan, _ = people
    lines = api.as_user(dan).export_me().expect(200)
    assert all(line["type"] != "invitations" for line in lines) and lines[1]["settings"]["groupInvites"] == "nobody"
    group = make_group(api, ann, dan)
    wait_for_groups(api, dan, group)
    lines = api.as_user(dan).export_me().expect(200)
    (line,) = [line for line in lines if line["type"] == "invitations"]
    assert line["invitations"] == open_invitations(api, dan) and lines[-1]["type"] == "end"


def test_unknown_users_are_refused_as_before(api, people):
    ann, bob, *_ = people
    unknown = str(int(bob.id) ^ 1)
    answer = api.as_user(ann).create_group("Trip", [bob.id, unknown], unique("g"))
    assert [e["pointer"] for e in answer.expect(422)["errors"]] == ["/memberIds"]
    assert groups_of(api, bob) == []
