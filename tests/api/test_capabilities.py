"""Proves that fetchCapabilities needs no token, and that its limits are those that the server enforces."""

import pytest

from harness.client import unique


@pytest.fixture(name="limits")
def _limits(api):
    return api.get("/v1/capabilities").expect(200)["limits"]


def test_it_needs_no_token(api, alice):
    anonymous = api.get("/v1/capabilities")
    assert anonymous.expect(200) == api.as_user(alice).get("/v1/capabilities").expect(200)
    assert anonymous.json["features"] == sorted(anonymous.json["features"])
    assert "no-cache" in anonymous.headers["cache-control"]
    api.get("/v1/capabilities", version="1").expect(400)


def test_limits_of_messages(api, alice, bob, limits):
    mine = api.as_user(alice)
    mine.send(bob, "x" * limits["messageContentBytes"]).expect(201)
    mine.send(bob, "x" * (limits["messageContentBytes"] + 1)).expect(413)
    mine.send(bob, "x", clientMessageId="c" * limits["clientMessageIdCharacters"]).expect(201)
    mine.send(bob, "x", clientMessageId="c" * (limits["clientMessageIdCharacters"] + 1)).expect(422)
    mine.fetch_messages(bob, pageSize=limits["pageSize"]).expect(200)
    mine.fetch_messages(bob, pageSize=limits["pageSize"] + 1).expect(422)


def test_limits_of_accounts(api, alice, limits):
    mine = api.as_user(alice)
    mine.update_me(displayName="é" * limits["displayNameCharacters"]).expect(200)
    mine.update_me(displayName="é" * (limits["displayNameCharacters"] + 1)).expect(422)
    mine.update_me(password="p" * (limits["passwordCharactersMin"] - 1)).expect(422)
    mine.update_me(password="p" * (limits["passwordBytesMax"] + 1)).expect(422)
    shortest, longest = limits["usernameCharactersMin"], limits["usernameCharactersMax"]
    mine.create_user("u" * (shortest - 1), password="long enough").expect(422)
    mine.create_user(unique("u").ljust(longest, "u")[:longest], password="long enough").expect(201)
    mine.create_user(unique("u").ljust(longest + 1, "u"), password="long enough").expect(422)


def test_limits_of_groups(api, alice, bob, limits):
    mine = api.as_user(alice)
    name, topic, key = (limits[field] for field in ("groupNameCharacters", "groupTopicCharacters", "clientGroupIdCharacters"))
    group = mine.create_group("é" * name, [bob], unique("g").ljust(key, "g"), topic="é" * topic).expect(201)["groupId"]
    mine.update_group(group, name="é" * (name + 1)).expect(422)
    mine.update_group(group, topic="é" * (topic + 1)).expect(422)
    mine.create_group("Trip", [bob], "g" * (key + 1)).expect(422)
    mine.create_group("Trip", range(1, limits["groupMembers"] + 1)).expect(409, 422)


def test_limits_of_lists_and_waiting(api, alice, limits):
    mine = api.as_user(alice)
    cursor = mine.settled_cursor()
    ids = [str(n) for n in range(1, limits["userIds"] + 2)]
    for target, name in (("/v1/users", "userIds"), ("/v1/presence", "userIds")):
        mine.get(target, **{name: ",".join(ids[:-1])}).expect(200)
        mine.get(target, **{name: ",".join(ids)}).expect(422)
    mine.get("/v1/updates/stream", presence=",".join(ids)).expect(422)
    mine.fetch_updates(lastUpdatedTimestamp=0, timeout=limits["longPollSeconds"]).expect(200)
    mine.fetch_updates(lastUpdatedTimestamp=cursor, timeout=limits["longPollSeconds"] + 1).expect(422)


def test_limit_of_bodies(api, alice, limits):
    for size, status in ((limits["bodyBytes"], 422), (limits["bodyBytes"] + 1, 413)):
        body = b'{"messageContent":"' + b"x" * (size - 21) + b'"}'
        assert len(body) == size
        api.as_user(alice).request("POST", "/v1/messages", {"content-type": "application/json"}, content=body).expect(status)
