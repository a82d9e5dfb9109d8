"""Proves metadata of messages, users and groups: an application's own object comes back as it was sent by every way of
reading, is part of what a retry must repeat, is replaced as a whole, is deleted with its message, user or group, and has limits."""

import json

import pytest

from harness.client import unique
from harness.stack import SLOWNESS, wait_until

DATA = {"kind": "poll", "options": ["\u00e9\n\"", {"deep": [None, True, 1.5]}], "a": {}}


def metadata(api, user, peer):
    return [m.get("metadata") for m in api.as_user(user).all_messages(peer)]


def test_it_comes_back(api, pair):
    one, other = pair
    since = api.as_user(other).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
    first = api.as_user(one).send(other, "x", metadata=DATA).expect(201)["messageId"]
    api.as_user(one).send(other, "y", metadata={}, replyTo=first).expect(201)
    api.as_user(one).send(other, "z").expect(201)
    for user, peer in ((one, other), (other, one)):
        wait_until(lambda user=user, peer=peer: metadata(api, user, peer) == [DATA, {}, None], 5 * SLOWNESS, "both copies have it")
    delta = api.as_user(other).fetch_updates(lastUpdatedTimestamp=since, timeout=0).expect(200)
    assert [m.get("metadata") for m in delta["messages"]] == [DATA, {}, None]
    assert b'"kind":"poll"' in api.as_user(other).export_me().body


def test_it_is_not_changed(api, pair):
    """Neither the numbers nor the order of members change; only white space between them is removed."""
    one, other = pair
    text = '{"z":1.0,"a":12345678901234567890123,"tiny":1e-300,"e":1E5}'
    body = (f'{{"recipientId":"{other.id}","clientMessageId":"c","messageContent":"x",\n "metadata" : '
            f'{text.replace(",", " ,{0}".format(chr(10)))} }}')
    api.as_user(one).request("POST", "/v1/messages", content=body.encode(), headers={"content-type": "application/json"}).expect(201)
    assert text.encode() in api.as_user(other).fetch_messages(one).body


def test_a_retry_repeats_it(api, pair):
    one, other = pair
    mine = api.as_user(one)
    sent = mine.send(other, "x", "key", metadata=DATA).expect(201)
    assert mine.send(other, "x", "key", metadata=DATA).expect(200)["messageId"] == sent["messageId"]
    for changed in (None, {}, {**DATA, "a": 1}):
        mine.send(other, "x", "key", metadata=changed).expect(409, code="client-message-id-reused")
    mine.send(other, "y", "plain").expect(201)
    mine.send(other, "y", "plain", metadata={}).expect(409, code="client-message-id-reused")
    api.as_user(one).edit_message(other, sent["messageId"], "edited").expect(200)
    assert metadata(api, other, one)[0] == DATA, "an edit does not change it"
    mine.send(other, "x", "key", metadata=DATA).expect(200)
    mine.send(other, "x", "key").expect(409, code="client-message-id-reused")


@pytest.mark.parametrize("scope", ["everyone", "me", "conversation"])
def test_deleted_with_its_message(api, stack, pair, scope):
    """A retry is still recognised."""
    one, other = pair
    sent = api.as_user(one).send(other, "x", "key", metadata={"secret": "s3cret"}).expect(201)["messageId"]
    # Like the content, it stays as long as the sender's copy may have to be written with it.
    wait_until(lambda: not any(stack.query(name, f"SELECT 1 FROM parley.outbox WHERE message_id = {sent}") for name in stack.databases),
               10 * SLOWNESS, "the sender's copy is settled")
    if scope == "everyone":
        api.as_user(one).delete_message(other, sent).expect(200)
    elif scope == "me":
        api.as_user(other).delete_message(one, sent, "me").expect(200)
    else:
        api.as_user(other).delete_conversation(one).expect(204)
    wait_until(lambda: not any(stack.query(name, f"SELECT 1 FROM parley.message WHERE user_id = {other.id} AND extra::text LIKE '%%s3cret%%'")
                               for name in stack.databases), 10 * SLOWNESS, "it is erased")
    assert metadata(api, other, one) in ([None], [])
    if scope != "everyone":
        assert metadata(api, one, other) == [{"secret": "s3cret"}]
    api.as_user(one).send(other, "x", "key", metadata={"secret": "s3cret"}).expect(200)
    api.as_user(one).send(other, "x", "key", metadata={"secret": "other"}).expect(409)


def test_in_a_group(api, pair):
    one, other = pair
    group = api.as_user(one).create_group("Group", [other]).expect(201)["groupId"]
    body = {"conversationId": group, "messageContent": "x", "clientMessageId": "k", "metadata": DATA}
    api.as_user(one).post("/v1/messages", body).expect(201)
    api.as_user(one).post("/v1/messages", body).expect(200)
    api.as_user(one).post("/v1/messages", {**body, "metadata": {}}).expect(409)
    for user in pair:
        wait_until(lambda user=user: metadata(api, user, group)[-1] == DATA, 5 * SLOWNESS, "every member has it")


@pytest.mark.parametrize("place", ["1:1", "group"])
def test_an_edit_replaces_it(api, pair, place):
    """Or leaves it. A retry of the send is still known by what was sent first."""
    one, other = pair
    mine = api.as_user(one)
    group = mine.create_group("Group", [other]).expect(201)["groupId"] if place == "group" else None
    if group:
        def send(**fields):
            return mine.send_to(group, "x", "key", **fields)
    else:
        def send(**fields):
            return mine.send(other, "x", "key", **fields)
    sent = send(metadata=DATA).expect(201)
    for new in ({"a": 1}, {}, DATA):
        mine.edit_message(group or other, sent["messageId"], "edited", metadata=new).expect(200)
        for user, peer in ((one, group or other), (other, group or one)):
            wait_until(lambda user=user, peer=peer, new=new: metadata(api, user, peer)[-1] == new, 5 * SLOWNESS, "both copies have it")
    mine.edit_message(group or other, sent["messageId"], "again").expect(200)
    assert metadata(api, one, group or other)[-1] == DATA
    assert send(metadata=DATA).expect(200)["messageId"] == sent["messageId"]
    send(metadata={"a": 1}).expect(409, code="client-message-id-reused")


def test_an_edit_adds_it(api, pair):
    one, other = pair
    mine = api.as_user(one)
    sent = mine.send(other, "x", "key").expect(201)
    mine.edit_message(other, sent["messageId"], "x", metadata=DATA).expect(200)
    wait_until(lambda: metadata(api, one, other) == metadata(api, other, one) == [DATA], 5 * SLOWNESS, "both copies have it")
    mine.send(other, "x", "key").expect(200)
    mine.send(other, "x", "key", metadata=DATA).expect(409, code="client-message-id-reused")


TEXT = '{"z":1.0,"a":12345678901234567890123,"tiny":1e-300}'


def raw_patch(client, path):
    return client.request("PATCH", path, content=f'{{"metadata" : {TEXT} }}'.encode(), headers={"content-type": "application/json"})


def test_of_a_user(api, pair):
    """Everyone sees it; its text is not changed; a change replaces all of it, and other changes leave it."""
    one, other = pair
    mine = api.as_user(one)
    assert "metadata" not in mine.fetch_me().expect(200)
    raw_patch(mine, "/v1/users/me").expect(200)
    theirs = api.as_user(other)
    for answer in (mine.get("/v1/users/me"), theirs.get(f"/v1/users/{one.id}"), theirs.get("/v1/users", userIds=one.id),
                   theirs.get("/v1/users", username=one.username), mine.export_me()):
        assert f'"metadata":{TEXT}'.encode() in answer.body
    mine.update_me(displayName="New").expect(200)
    assert mine.update_me(metadata=DATA).expect(200)["metadata"] == DATA
    assert mine.update_me(metadata={}).expect(200)["metadata"] == {}
    mine.delete_me().expect(204)
    assert "metadata" not in theirs.get(f"/v1/users/{one.id}").expect(200)


def test_of_a_new_user(api):
    made = api.admin().create_user(metadata=DATA).expect(201)
    assert made["metadata"] == DATA
    assert api.admin().get(f"/v1/users/{made['userId']}").expect(200)["metadata"] == DATA


def test_of_a_group(api, pair):
    """Members see it, and learn of a change by a system message; it belongs to what a retry of the creation repeats."""
    one, other = pair
    mine, theirs = api.as_user(one), api.as_user(other)
    made = mine.create_group("Group", [other], "key", metadata=DATA).expect(201)
    group = made["groupId"]
    assert made["metadata"] == DATA == theirs.fetch_group(group).expect(200)["metadata"]
    assert mine.create_group("Group", [other], "key", metadata=DATA).expect(200)["groupId"] == group
    for changed in ({}, {"metadata": {}}):
        mine.create_group("Group", [other], "key", **changed).expect(409, code="client-group-id-reused")
    raw_patch(mine, f"/v1/groups/{group}").expect(200)
    assert f'"metadata":{TEXT}'.encode() in theirs.fetch_group(group).body
    raw_patch(mine, f"/v1/groups/{group}").expect(200)
    raw_patch(theirs, f"/v1/groups/{group}").expect(403, code="forbidden")
    mine.update_group(group, name="Club", metadata={"a": 1}).expect(200)
    wait_until(lambda: [m["systemEvent"] for m in theirs.all_messages(group)][1:] ==
               [{"type": "metadata-changed"}, {"type": "group-renamed", "name": "Club"}], 5 * SLOWNESS, "one message for each change")
    assert theirs.fetch_group(group).expect(200)["metadata"] == {"a": 1}
    assert "metadata" not in mine.create_group("Plain", [other]).expect(201)


def writers(api, one, other):
    """All requests that take metadata: each a method and a path, and the fields that it takes beside."""
    mine = api.as_user(one)
    sent = mine.send(other, "x").expect(201)
    group = mine.create_group("Group", [other]).expect(201)["groupId"]
    yield "POST", "/v1/messages", lambda: {"recipientId": other.id, "messageContent": "x", "clientMessageId": unique("m")}, 201
    yield "PATCH", mine.message_path(other, sent["messageId"]), lambda: {"messageContent": "y"}, 200
    yield "PATCH", "/v1/users/me", dict, 200
    yield "POST", "/v1/users", lambda: {"username": unique("u"), "password": "correct horse"}, 201
    yield "POST", "/v1/groups", lambda: {"name": "Group", "memberIds": [], "clientGroupId": unique("g")}, 201
    yield "PATCH", f"/v1/groups/{group}", dict, 200


def test_limits(api, pair):
    one, other = pair
    mine, room = api.as_user(one), 4096 - len('{"a":""}')
    for method, path, fields, status in writers(api, one, other):
        mine.request(method, path, json_body={**fields(), "metadata": {"a": "x" * room}}).expect(status)
        for wrong in ({"a": "x" * (room + 1)}, [], "x", 1, True, None):
            problem = mine.request(method, path, json_body={**fields(), "metadata": wrong}).expect(422, code="validation-failed")
            assert [error["pointer"] for error in problem["errors"]] == ["/metadata"]
    body = {"recipientId": other.id, "messageContent": "x", "clientMessageId": "n"}
    escaped = json.dumps({**body, "metadata": {}}).replace("metadata", "m\\u0065tadata").encode()
    mine.request("POST", "/v1/messages", content=escaped, headers={"content-type": "application/json"}).expect(422)
