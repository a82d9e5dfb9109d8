"""Proves createGroup, fetchGroup, updateGroup, addGroupMembers, removeGroupMember and updateGroupMember: the rights of
each role; for other users the group does not exist; a creation is idempotent; the limit of members holds; each change is
a system message, and all members have these in one order."""

import threading

import pytest

from groups_fixture import change, log, make_group, make_members, roles, row_of, wait_for_log, wait_for_newest, word
from harness import tokens
from harness.client import Api, User, unique
from harness.ids import username_shard
from harness.stack import SLOWNESS, Parleyd, wait_until
from test_typing import Reader

GROUP_BIT = 1 << 8


@pytest.fixture(scope="module")
def people(api, stack):
    """ann, bob, cat, dan and eve, in both databases. Each test makes groups of its own."""
    return make_members(api, stack)


@pytest.fixture
def group(api, people):
    ann, bob, cat, dan, _ = people
    return make_group(api, ann, bob, cat, dan)


@pytest.fixture(scope="module")
def small(stack, contract):
    """A server whose groups have three members at most."""
    server = Parleyd(stack, {"groups": {"max_members": 3}}).start()
    api = Api(server.url, contract, stack.jwt_key)
    yield api
    api.close()
    server.close_and_judge()


def test_a_group(api, people):
    ann, bob, cat, dan, eve = people
    made = api.as_user(ann).create_group("Trip", [dan, bob, ann, bob]).expect(201)
    assert made.pop("invited") == [] and made["name"] == "Trip" and made["ownerId"] == ann.id
    assert roles(made) == {ann.id: "owner", bob.id: "member", dan.id: "member"}
    assert {m["joinedTimestamp"] for m in made["members"]} == {made["createdTimestamp"]}
    group = made["groupId"]
    assert int(group) & GROUP_BIT and int(group) >> 50 == int(ann.id) >> 50
    for member in (ann, bob, dan):
        assert api.as_user(member).fetch_group(group).expect(200) == made
        wait_for_log(api, [member], group, ["group-created"])
        (message,) = api.as_user(member).all_messages(group)
        assert message["systemEvent"] == {"type": "group-created", "name": "Trip",
                                          "userIds": sorted([bob.id, dan.id], key=int)}
        assert message["messageType"] == "system" and message["senderId"] == ann.id and message["participants"] == []
        assert message["conversationId"] == group and message["sentTimestamp"] == made["createdTimestamp"]
        assert not {"clientMessageId", "messageContent"} & set(message)
        row = row_of(api, member, group)
        assert row["conversationType"] == "group" and row["name"] == "Trip" and row["participants"] == []
        assert row["memberCount"] == 3 and row["isMember"] and "memberStates" not in row
        assert row["othersReadUpTo"] == row["othersDeliveredUpTo"] == str(made["createdTimestamp"] * 2)
        assert row["unreadCount"] == (member is not ann) and row["snippet"] == ""
    for stranger in (cat, eve):
        assert row_of(api, stranger, group) is None


def test_a_group_of_one(api, people):
    eve = people[4]
    for ids in ([], [eve.id], [eve.id, eve.id]):
        made = api.as_user(eve).create_group("Notes", ids).expect(201)
        assert roles(made) == {eve.id: "owner"}
        wait_for_log(api, [eve], made["groupId"], ["group-created"])
        assert api.as_user(eve).send_to(made["groupId"], "to myself").expect(201)["senderCopy"] in ("stored", "pending")


@pytest.mark.parametrize("number", [1, 7, 100])
def test_names(api, people, number):
    name = "ä\"\\💬"[:number] * (number // 4 + 1)
    made = api.as_user(people[0]).create_group(name[:number], [people[3]]).expect(201)
    assert made["name"] == name[:number]
    wait_for_log(api, [people[3]], made["groupId"], ["group-created"])
    assert row_of(api, people[3], made["groupId"])["name"] == name[:number]


def test_creation_is_idempotent(api, people):
    ann, bob, cat, dan, _ = people
    mine, key = api.as_user(ann), unique("g")
    made = mine.create_group("Trip", [bob, dan], key).expect(201)
    assert mine.create_group("Trip", [dan, ann, bob, bob], key).expect(200) == made
    for name, members in (("Tour", [bob, dan]), ("Trip", [bob]), ("Trip", [bob, cat, dan]), ("Trip", [bob, cat])):
        mine.create_group(name, members, key).expect(409, code="client-group-id-reused")
    # The same key of another user is another group, and so is another key.
    other = api.as_user(bob).create_group("Trip", [ann, dan], key).expect(201)
    again = mine.create_group("Trip", [bob, dan]).expect(201)
    assert len({g["groupId"] for g in (made, other, again)}) == 3
    # The retry gives the group as it is now.
    mine.update_group(made["groupId"], name="Journey").expect(200)
    assert mine.create_group("Trip", [bob, dan], key).expect(200)["name"] == "Journey"
    wait_for_log(api, [ann, bob, dan], made["groupId"], ["group-created", "group-renamed"])
    mine.remove_group_member(made["groupId"], ann).expect(204)
    mine.create_group("Trip", [bob, dan], key).expect(404, code="group-not-found")


@pytest.mark.concurrent
def test_creation_at_the_same_time(api, people):
    """Many equal requests at once on several connections make one group."""
    ann, bob, _, dan, _ = people
    key, answers = unique("g"), []

    def create():
        answers.append(api.as_user(ann).create_group("Trip", [bob, dan], key))

    threads = [threading.Thread(target=create) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 11 + [201]
    (group,) = {answer.json["groupId"] for answer in answers}
    wait_for_log(api, [ann, bob, dan], group, ["group-created"])


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/name", "/memberIds", "/clientGroupId"]),
    ({"name": ""}, ["/name"]),
    ({"name": "x" * 101}, ["/name"]),
    ({"name": 7}, ["/name"]),
    ({"name": None}, ["/name"]),
    ({"memberIds": None}, ["/memberIds"]),
    ({"memberIds": "1"}, ["/memberIds"]),
    ({"memberIds": {}}, ["/memberIds"]),
    ({"memberIds": [1]}, ["/memberIds"]),
    ({"memberIds": ["x"]}, ["/memberIds"]),
    ({"memberIds": ["0"]}, ["/memberIds"]),
    ({"memberIds": ["1", None]}, ["/memberIds"]),
    ({"memberIds": ["1"] * 1025}, ["/memberIds"]),
    ({"memberIds": ["9223372036854775807"]}, ["/memberIds"]),
    ({"clientGroupId": ""}, ["/clientGroupId"]),
    ({"clientGroupId": "x" * 65}, ["/clientGroupId"]),
    ({"clientGroupId": "ä"}, ["/clientGroupId"]),
    ({"clientGroupId": 1}, ["/clientGroupId"]),
], ids=str)
def test_bad_fields(api, alice, body, pointers):
    whole = {"name": "Trip", "memberIds": [], "clientGroupId": "g", **body} if body else {}
    answer = api.as_user(alice).post("/v1/groups", whole)
    assert [e["pointer"] for e in answer.expect(422)["errors"]] == pointers
    assert api.as_user(alice).fetch_conversation().expect(200)["conversations"] == []


def test_unknown_members(api, people, group):
    """An unknown member, with an id of a user, of an unknown shard or of a group, is refused, and nothing changes."""
    ann, bob, *_ = people
    for unknown in (str(int(bob.id) ^ 1), group, "1"):
        answer = api.as_user(ann).create_group("Trip", [bob.id, unknown])
        assert [e["pointer"] for e in answer.expect(422)["errors"]] == ["/memberIds"]
        answer = api.as_user(ann).add_group_members(group, unknown)
        assert [e["pointer"] for e in answer.expect(422)["errors"]] == ["/userIds"]
    assert len(api.as_user(ann).fetch_group(group).expect(200)["members"]) == 4


@pytest.mark.parametrize("body", [{}, {"userIds": []}, {"userIds": None}, {"userIds": ["x"]}, {"userIds": "1"}], ids=str)
def test_bad_members(api, people, group, body):
    api.as_user(people[0]).post(f"/v1/groups/{group}/members", body).expect(422)


@pytest.mark.parametrize("body", [{}, {"role": "owner"}, {"role": ""}, {"role": None}, {"role": 1}, {"role": "Admin"}], ids=str)
def test_bad_roles(api, people, group, body):
    api.as_user(people[0]).request("PATCH", f"/v1/groups/{group}/members/{people[1].id}", json_body=body).expect(422)


def test_bad_new_names_and_topics(api, people, group):
    for body in ({}, {"name": ""}, {"name": "x" * 101}, {"name": None}, {"topic": "x" * 501}, {"topic": None},
                 {"name": "x", "topic": 1}):
        api.as_user(people[0]).request("PATCH", f"/v1/groups/{group}", json_body=body).expect(422)
    api.as_user(people[0]).create_group("Trip", [], topic="x" * 501).expect(422)


def test_topics(api, people):
    """A topic belongs to the group and to the content that a repeated creation must have. A change of name and topic is
    one message to the members."""
    ann, bob, *_ = people
    mine = api.as_user(ann)
    made = mine.create_group("Trip", [bob], "topics", topic="ä" * 500).expect(201)
    group = made["groupId"]
    assert made["topic"] == "ä" * 500 and api.as_user(bob).fetch_group(group).expect(200)["topic"] == "ä" * 500
    assert mine.create_group("Trip", [bob], "topics", topic="ä" * 500).expect(200) == made
    mine.create_group("Trip", [bob], "topics").expect(409, code="client-group-id-reused")
    assert mine.update_group(group, topic="Rome").expect(200)["topic"] == "Rome"
    assert mine.update_group(group, topic="Rome", name="Trip").expect(200)["name"] == "Trip"
    mine.update_group(group, name="Tour", topic="").expect(200)
    mine.update_group(group, name="Walk", topic="").expect(200)
    mine.update_group(group, name="Walk", topic="Oslo").expect(200)
    wait_for_log(api, [bob], group, ["group-created", "topic-changed", "group-renamed", "group-renamed", "topic-changed"])
    assert [m["systemEvent"] for m in mine.all_messages(group)] == [
        {"type": "group-created", "name": "Trip", "topic": "ä" * 500, "userIds": [bob.id]},
        {"type": "topic-changed", "topic": "Rome"},
        {"type": "group-renamed", "name": "Tour", "topic": ""},
        {"type": "group-renamed", "name": "Walk"},
        {"type": "topic-changed", "topic": "Oslo"}]
    shown = mine.fetch_group(group).expect(200)
    assert shown["name"] == row_of(api, bob, group)["name"] == "Walk" and shown["topic"] == "Oslo"


def test_tokens_of_unknown_users_and_of_groups(api, stack, contract):
    """An unknown user's token makes no group, and a token for a group's id is not valid."""
    name = unique("n")
    ghost = str((username_shard(name, stack.shards) << 50) + (1 << 20))
    mine = api.as_user(User(ghost, name, tokens.mint(stack.jwt_key, ghost)))
    mine.create_group("Trip", []).expect(401)
    grouped = api.make_user()
    group = make_group(api, grouped)
    impostor = api.as_user(User(group, "x", tokens.mint(stack.jwt_key, group)))
    impostor.fetch_conversation().expect(401)
    impostor.fetch_group(group).expect(401)
    impostor.send(grouped, "x").expect(401)


def everything(api, user, group, member):
    """Calls each operation on a group once; returns the answers."""
    mine = api.as_user(user)
    return {
        "fetchGroup": mine.fetch_group(group),
        "fetchGroupMembers": mine.fetch_group_members(group),
        "updateGroup": mine.update_group(group, name=unique("name")),
        "addGroupMembers": mine.add_group_members(group, member),
        "updateGroupMember": mine.update_group_member(group, member, "admin"),
        "removeGroupMember": mine.remove_group_member(group, member),
    }


def test_the_group_does_not_exist_for_others(api, stack, people, group):
    """For strangers, a former member and a removed one; also malformed and unknown ids of groups."""
    ann, bob, cat, dan, eve = people
    api.as_user(cat).remove_group_member(group, cat).expect(204)
    api.as_user(ann).remove_group_member(group, dan).expect(204)
    before = api.as_user(ann).fetch_group(group).expect(200)
    for outsider in (eve, cat, dan):
        for answer in everything(api, outsider, group, bob).values():
            answer.expect(404, code="group-not-found")
        everything(api, outsider, group, outsider)["removeGroupMember"].expect(404, code="group-not-found")
    assert api.as_user(ann).fetch_group(group).expect(200) == before
    far = str((stack.shards << 50) + GROUP_BIT)
    for other in (str(int(group) ^ 1), far, "9223372036854775807", ann.id, "x", "0", f"{group}x"):
        for answer in everything(api, ann, other, bob).values():
            answer.expect(404, code="group-not-found")


def test_unknown_members_are_not_found(api, people, group):
    eve = people[4]
    for other in (eve.id, "x", "1", "0", group, "9223372036854775807"):
        api.as_user(people[0]).remove_group_member(group, other).expect(404, code="member-not-found")
        api.as_user(people[0]).update_group_member(group, other, "admin").expect(404, code="member-not-found")


@pytest.mark.parametrize("role", ["member", "admin", "owner"])
def test_roles(api, people, role):
    """What each role may do, and to which members."""
    ann, bob, cat, dan, eve = people
    group = make_group(api, ann, bob, cat, dan)
    for admin in (bob, cat):
        api.as_user(ann).update_group_member(group, admin, "admin").expect(200)
    actor = api.as_user({"member": dan, "admin": bob, "owner": ann}[role])
    is_owner, manages = role == "owner", role != "member"

    def expect(answer, may, status=200):
        answer.expect(status if may else 403, code=None if may else "forbidden")

    actor.fetch_group(group).expect(200)
    expect(actor.update_group(group, name="Tour"), manages)
    expect(actor.add_group_members(group, eve), manages)
    api.as_user(ann).add_group_members(group, eve).expect(200)
    for other, before in ((eve, "member"), (cat, "admin")):
        expect(actor.update_group_member(group, other, "admin"), is_owner)
        api.as_user(ann).update_group_member(group, other, before).expect(200)
        expect(actor.update_group_member(group, other, "member"), is_owner)
        api.as_user(ann).update_group_member(group, other, before).expect(200)
    for new in ("admin", "member"):
        expect(actor.update_group_member(group, ann, new), False)
    expect(actor.remove_group_member(group, cat), is_owner, 204)
    expect(actor.remove_group_member(group, eve), manages, 204)
    if not is_owner:
        expect(actor.remove_group_member(group, ann), False)
    # All members may leave.
    actor.remove_group_member(group, actor.user).expect(204)
    actor.fetch_group(group).expect(404)


def test_ownership_passes_on(api, people):
    """To the admin who has been a member longest, else to the member who has. After the last one leaves there is no owner."""
    ann, bob, cat, dan, eve = people
    group = make_group(api, ann, bob)
    for user in (cat, dan, eve):
        api.as_user(ann).add_group_members(group, user).expect(200)
    api.as_user(ann).update_group_member(group, eve, "admin").expect(200)
    api.as_user(ann).update_group_member(group, dan, "admin").expect(200)
    order = [ann, dan, eve, bob, cat]
    for leaving, heir in zip(order, order[1:]):
        api.as_user(leaving).remove_group_member(group, leaving).expect(204)
        left = api.as_user(heir).fetch_group(group).expect(200)
        assert left["ownerId"] == heir.id and roles(left)[heir.id] == "owner"
        assert list(roles(left).values()).count("owner") == 1
        wait_for_newest(api, [leaving, heir], group)
        event = api.as_user(heir).all_messages(group)[-1]["systemEvent"]
        assert event == {"type": "member-left", "userIds": [leaving.id], "ownerId": heir.id}
    api.as_user(cat).remove_group_member(group, cat).expect(204)
    wait_until(lambda: log(api, cat, group)[-1] == "member-left" and not row_of(api, cat, group)["isMember"],
               10 * SLOWNESS, "the last one has left")
    assert api.as_user(cat).all_messages(group)[-1]["systemEvent"] == {"type": "member-left", "userIds": [cat.id]}
    for user in people:
        api.as_user(user).fetch_group(group).expect(404)
        assert (row_of(api, user, group)["isMember"], row_of(api, user, group)["memberCount"]) == (False, 0)


def test_system_messages(api, people):
    """Each change is one message, in one order, for all who were members at the time. A request that changes nothing
    makes no message."""
    ann, bob, cat, dan, eve = people
    group = make_group(api, ann, bob)
    mine = api.as_user(ann)
    mine.update_group(group, name="Tour").expect(200)
    mine.update_group(group, name="Tour").expect(200)
    mine.add_group_members(group, dan, cat, dan, bob).expect(200)
    mine.add_group_members(group, dan, ann).expect(200)
    mine.update_group_member(group, dan, "admin").expect(200)
    mine.update_group_member(group, dan, "admin").expect(200)
    api.as_user(dan).add_group_members(group, eve).expect(200)
    api.as_user(dan).remove_group_member(group, cat).expect(204)
    mine.update_group_member(group, dan, "member").expect(200)
    api.as_user(bob).remove_group_member(group, bob).expect(204)
    all_words = ["group-created", "group-renamed", "members-added", "role-changed", "members-added", "member-removed",
                 "role-changed", "member-left"]
    parts = {ann: all_words, bob: all_words, dan: all_words[2:], cat: all_words[2:6], eve: all_words[4:]}
    for user, words in parts.items():
        wait_for_log(api, [user], group, words)
    messages = mine.all_messages(group)
    assert [m["senderId"] for m in messages] == [ann.id] * 4 + [dan.id] * 2 + [ann.id, bob.id]
    assert [m["systemEvent"] for m in messages] == [
        {"type": "group-created", "name": "Trip", "userIds": [bob.id]},
        {"type": "group-renamed", "name": "Tour"},
        {"type": "members-added", "userIds": sorted([cat.id, dan.id], key=int)},
        {"type": "role-changed", "userIds": [dan.id], "role": "admin"},
        {"type": "members-added", "userIds": [eve.id]},
        {"type": "member-removed", "userIds": [cat.id]},
        {"type": "role-changed", "userIds": [dan.id], "role": "member"},
        {"type": "member-left", "userIds": [bob.id]}]
    for user, words in parts.items():
        shown = {m["messageId"]: m["systemEvent"] for m in api.as_user(user).all_messages(group)}
        assert shown.items() <= {m["messageId"]: m["systemEvent"] for m in messages}.items()
        unread = sum(m["senderId"] != user.id for m in api.as_user(user).all_messages(group))
        assert row_of(api, user, group)["unreadCount"] == unread
    for user in (ann, dan, eve):
        row = row_of(api, user, group)
        assert row["name"] == "Tour" and row["memberCount"] == 3 and row["isMember"]
    for user in (bob, cat):
        row = row_of(api, user, group)
        assert row["name"] == "Tour" and row["memberCount"] == 0 and not row["isMember"] and "memberStates" not in row


def test_leave_and_return(api, people, group):
    ann, bob, _, dan, _ = people
    mine = api.as_user(ann)
    for user in (bob, dan):
        joined = {m["userId"]: m["joinedTimestamp"] for m in mine.fetch_group(group).expect(200)["members"]}
        wait_for_log(api, [user], group, log(api, ann, group))
        start = log(api, user, group)
        mine.send_to(group, "before").expect(201)
        api.as_user(user).remove_group_member(group, user).expect(204)
        mine.send_to(group, "while away").expect(201)
        mine.add_group_members(group, user).expect(200)
        api.as_user(user).accept_invitation(group).expect(200)
        mine.send_to(group, "after").expect(201)
        wait_for_log(api, [user], group, start + ["before", "member-left", "member-joined", "after"])
        again = {m["userId"]: m["joinedTimestamp"] for m in mine.fetch_group(group).expect(200)["members"]}
        assert again[user.id] > joined[user.id] and roles(mine.fetch_group(group).json)[user.id] == "member"
        assert row_of(api, user, group)["isMember"]
        api.as_user(user).send_to(group, "here again").expect(201)


@pytest.mark.own_server
def test_the_limit(small, people):
    ann, bob, cat, dan, eve = people
    mine = small.as_user(ann)
    mine.create_group("Trip", [bob, cat, dan]).expect(409, code="group-full")
    group = mine.create_group("Trip", [bob, cat, bob, ann]).expect(201)["groupId"]
    mine.add_group_members(group, dan).expect(409, code="group-full")
    mine.add_group_members(group, bob, cat).expect(200)
    mine.remove_group_member(group, cat).expect(204)
    mine.add_group_members(group, dan, eve).expect(409, code="group-full")
    mine.add_group_members(group, dan, bob).expect(200)
    wait_for_log(small, [ann, bob], group, ["group-created", "member-removed", "members-added"])


@pytest.mark.own_server
@pytest.mark.concurrent
def test_the_limit_at_the_same_time(small, people):
    """Two users join when there is room for one: in every round one is refused."""
    ann, bob, cat, dan, _ = people
    group = small.as_user(ann).create_group("Trip", [bob]).expect(201)["groupId"]
    for _ in range(10):
        answers = []
        threads = [threading.Thread(target=lambda u=user: answers.append(small.as_user(ann).add_group_members(group, u)))
                   for user in (cat, dan)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(a.status for a in answers) == [200, 409]
        third = set(roles(small.as_user(ann).fetch_group(group).expect(200))) - {ann.id, bob.id}
        assert len(third) == 1
        small.as_user(ann).remove_group_member(group, third.pop()).expect(204)


def test_many_members(api, stack, people, contract):
    """256 members, the default limit, in all shards: each gets a message, and one more member is refused. The server-sent
    event of a short message is no longer than in a small group."""
    ann = people[0]
    crowd = [api.make_user() for _ in range(255)]
    group = make_group(api, ann, *crowd)
    shown = api.as_user(ann).fetch_group(group).expect(200)
    assert shown["memberCount"] == 256
    assert [m["userId"] for m in shown["members"]] == sorted((u.id for u in (ann, *crowd)), key=int)[:100]
    api.as_user(ann).add_group_members(group, people[1]).expect(409, code="group-full")
    api.as_user(ann).create_group("More", crowd + [people[1]]).expect(409, code="group-full")
    wait_for_log(api, [crowd[0]], group, ["group-created"])
    listed, page = [], {"hasMore": True}
    while page["hasMore"]:
        page = api.as_user(ann).fetch_group_members(group, pageSize=100, after=listed[-1]["userId"] if listed else None).expect(200)
        listed += page["members"]
    assert [m["userId"] for m in listed] == sorted((u.id for u in (ann, *crowd)), key=int)
    assert [{k: m[k] for k in shown["members"][0]} for m in listed[:100]] == shown["members"]
    with Reader(stack, crowd[0], contract) as stream:
        sent = api.as_user(crowd[-1]).send_to(group, "hi").expect(201)["messageId"]
        assert stream.until(sent) == []
        assert stream.size < 1024
    wait_for_log(api, [ann, *crowd], group, ["group-created", "hi"])
    row = row_of(api, crowd[0], group)
    assert row["memberCount"] == 256 and row["participants"] == []
    page = api.as_user(ann).fetch_message_receipts(group, sent, pageSize=100).expect(200)
    everyone = sorted((u.id for u in (ann, *crowd[:-1])), key=int)
    assert page["hasMore"] and [r["userId"] for r in page["receipts"]] == everyone[:100]
    for user in crowd[:11]:
        api.as_user(user).add_reaction(group, sent, "+").expect(200)
    users = sorted((u.id for u in crowd[:11]), key=int)
    wait_until(lambda: api.as_user(ann).all_messages(group)[-1].get("reactions") ==
               [{"emoji": "+", "count": 11, "own": False, "userIds": users[:10]}], 10 * SLOWNESS, "ten of eleven")
    delta = api.as_user(crowd[1]).fetch_updates(lastUpdatedTimestamp=0, timeout=0).expect(200)
    assert [word(m) for m in delta["messages"]] == ["group-created", "hi"]


@pytest.mark.own_server
def test_the_largest_group(api, stack, contract):
    """1,024 members where the configuration allows it: creation, sends, changes and a stream."""
    server = Parleyd(stack, {"groups": {"max_members": 1024}}).start()
    large = Api(server.url, contract, stack.jwt_key)
    crowd = [api.make_user() for _ in range(1024)]
    owner, reader, last = crowd[0], crowd[1], crowd[-1]
    large.as_user(owner).post("/v1/groups", {"name": "x", "clientGroupId": "x", "memberIds": ["1"] * 1025}).expect(422)
    group = make_group(large, owner, *crowd[1:-1])
    large.as_user(owner).add_group_members(group, last).expect(200)
    large.as_user(owner).add_group_members(group, api.make_user()).expect(409, code="group-full")
    wait_for_log(large, [reader], group, ["group-created", "members-added"])
    with Reader(server, reader, contract) as stream:
        sent = large.as_user(last).send_to(group, "hello").expect(201)["messageId"]
        assert stream.until(sent) == []
        assert stream.size < 1024
        assert change(large, last, "PATCH", group, sent, {"messageContent": "edited"})[0] == 200
        _, delta = stream.event("delta")
        assert [word(m) for m in delta["messages"]] == ["edited"]
    for _ in range(3):
        large.as_user(owner).update_group(group, name=unique("name")).expect(200)

    def copies():
        return sum(stack.query(name, "SELECT count(*) FROM parley.message WHERE peer_id = %s AND content = 'edited'",
                               (group,))[0][0] for name in stack.databases)

    wait_until(lambda: copies() == 1024, 30 * SLOWNESS, "every member has it")
    wait_for_newest(large, [owner, reader, last, crowd[500]], group)
    row = row_of(large, last, group)
    assert row["memberCount"] == 1024 and row["participants"] == []
    large.close()
    server.close_and_judge()


def test_cookie_of_another_site(api, people, group):
    ann, bob, *_ = people
    path = f"/v1/groups/{group}"
    for method, target, body in (("POST", "/v1/groups", {"name": "x", "memberIds": [], "clientGroupId": "x"}),
                                 ("PATCH", path, {"name": "x"}), ("POST", f"{path}/members", {"userIds": [bob.id]}),
                                 ("DELETE", f"{path}/members/{bob.id}", None),
                                 ("PATCH", f"{path}/members/{bob.id}", {"role": "admin"})):
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
            api.as_user(None).request(method, target, {"cookie": f"__Host-parley={ann.token}", **headers},
                                      json_body=body).expect(403, code="cross-site-request")
