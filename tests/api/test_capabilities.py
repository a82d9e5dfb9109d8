"""Proves that fetchCapabilities needs no token and says what holds: its limits are those that the server enforces."""

import pytest


@pytest.fixture(name="limits")
def _limits(api):
    return api.get("/v1/capabilities").expect(200)["limits"]


def test_it_is_for_everybody(api, alice):
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
    mine.update_me(password="p" * (limits["passwordBytesMin"] - 1)).expect(422)
    mine.update_me(password="p" * (limits["passwordBytesMax"] + 1)).expect(422)


def test_limit_of_bodies(api, alice, limits):
    for size, status in ((limits["bodyBytes"], 422), (limits["bodyBytes"] + 1, 413)):
        body = b'{"messageContent":"' + b"x" * (size - 21) + b'"}'
        assert len(body) == size
        api.as_user(alice).request("POST", "/v1/messages", {"content-type": "application/json"}, content=body).expect(status)
