"""Proves metadata of messages: an application's own object comes back as it was sent on every way of reading, belongs to what a
retry repeats, goes with the message when it is deleted, and has its limits."""

import json

import pytest

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
    """Neither numbers nor the order of members; only white space between them goes."""
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
    assert metadata(api, other, one)[0] == DATA, "an edit leaves it"
    mine.send(other, "x", "key", metadata=DATA).expect(200)
    mine.send(other, "x", "key").expect(409, code="client-message-id-reused")


@pytest.mark.parametrize("scope", ["everyone", "me", "conversation"])
def test_deleted_with_its_message(api, stack, pair, scope):
    """And a retry is known all the same."""
    one, other = pair
    sent = api.as_user(one).send(other, "x", "key", metadata={"secret": "s3cret"}).expect(201)["messageId"]
    # As its content, it stays as long as the sender's copy may have to be made of it.
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


def test_limits(api, pair):
    one, other = pair
    mine, room = api.as_user(one), 4096 - len('{"a":""}')
    mine.send(other, "x", metadata={"a": "x" * room}).expect(201)
    for wrong in ({"a": "x" * (room + 1)}, [], "x", 1, True):
        problem = mine.send(other, "x", metadata=wrong).expect(422, code="validation-failed")
        assert [error["pointer"] for error in problem["errors"]] == ["/metadata"]
    body = {"recipientId": other.id, "messageContent": "x", "clientMessageId": "n", "metadata": None}
    mine.post("/v1/messages", body).expect(422, code="validation-failed")
    escaped = json.dumps({**body, "metadata": {}}).replace("metadata", "m\\u0065tadata").encode()
    mine.request("POST", "/v1/messages", content=escaped, headers={"content-type": "application/json"}).expect(422)
