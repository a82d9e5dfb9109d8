"""Proves deleteMe: once it is answered, the user no longer exists for any operation, on any server, and open streams end;
other users keep their copies; and the content of the mailbox is erased for good."""

import json
import time

import pytest

from harness import metrics, tokens
from harness.client import Api, User, conversation_id, unique
from harness.h1conn import H1Connection
from harness.mailbox import insert_messages, wait_erased
from harness.stack import PROMPTLY, SLOWNESS, Parleyd
from operations import IDS, PUBLIC, request_of
from test_presence import Stream

PASSWORD = "correct horse battery"
# Operations that check only that the token is valid, and not that its user exists.
NO_CALLER = ["createUser", "fetchUser", "fetchUsers"]


def named_user(api, stack, name):
    value = api.create_user(name, "Carol", PASSWORD).expect(201)
    return User(value["userId"], value["username"], tokens.mint(stack.jwt_key, value["userId"]))


def test_user_is_gone(api, stack, alice):
    name = unique("carol")
    carol = named_user(api, stack, name)
    created = api.as_user(alice).fetch_user(carol.id).expect(200)["createdTimestamp"]
    before = time.time() * 1e6
    assert api.as_user(carol).delete_me(PASSWORD).expect(204) is None
    mine = api.as_user(alice)
    left = mine.fetch_user(carol.id).expect(200)
    assert before - 2e6 < left.pop("deletedTimestamp") < time.time() * 1e6 + 2e6
    assert abs(left.pop("createdTimestamp") - created) < 1e6
    assert left == {"userId": carol.id, "username": "", "displayName": ""}
    assert mine.fetch_users(alice, carol).expect(200)["users"] == [mine.fetch_user(u.id).expect(200) for u in (alice, carol)]
    assert mine.fetch_users(username=name).expect(200) == {"users": []}
    api.create_session(name, PASSWORD).expect(401)
    mine.send(carol, "too late").expect(404, code="recipient-not-found")
    again = named_user(api, stack, name)
    assert again.id != carol.id and mine.fetch_users(username=name).expect(200)["users"][0]["userId"] == again.id
    wait_erased(stack, carol)


def test_password_is_needed(api, stack):
    """A person who has found an unlocked phone cannot erase the account."""
    carol = named_user(api, stack, unique("carol"))
    mine = api.as_user(carol)
    (error,) = mine.delete_me().expect(422, code="validation-failed")["errors"]
    assert error["pointer"] == "/currentPassword"
    for body in (b"{}", b""):
        mine.request("DELETE", "/v1/users/me", {"content-type": "application/json"}, content=body).expect(422)
    mine.delete_me("not this password").expect(403, code="forbidden")
    mine.request("DELETE", "/v1/users/me", json_body={"password": PASSWORD}).expect(422, code="unknown-field")
    mine.request("DELETE", "/v1/users/me", json_body={"currentPassword": ""}).expect(422, code="validation-failed")
    mine.request("DELETE", "/v1/users/me", {"content-type": "application/json"}, content=b"{").expect(400, code="invalid-json")
    assert mine.fetch_me().expect(200)["userId"] == carol.id
    mine.delete_me(PASSWORD).expect(204)


@pytest.mark.parametrize("operation", [i for i in IDS if i not in PUBLIC + NO_CALLER])
def test_every_operation_with_the_old_token(api, operation):
    """Also on a server that knows the user and has cached pages of the user."""
    me, peer = api.make_user(), api.make_user()
    mine = api.as_user(me)
    mine.send(peer, "hello").expect(201)
    for _ in range(2):
        mine.fetch_conversation().expect(200)
        mine.fetch_messages(peer).expect(200)
    mine.delete_me().expect(204)
    method, target, body = request_of(operation, me, peer)
    assert mine.request(method, target, json_body=body).expect(401)["code"] == "invalid-token"


def test_stream_from_a_cursor_with_the_old_token(api, alice):
    """It begins without a read."""
    api.as_user(alice).delete_me().expect(204)
    api.as_user(alice).get("/v1/updates/stream", lastUpdatedTimestamp=0).expect(401, code="invalid-token")


def test_others_keep_what_they_have(api, stack, pair):
    """In each placement of the two users."""
    one, other = pair
    sent = [api.as_user(user).send(peer, f"{n}").expect(201)["messageId"]
            for n in range(3) for user, peer in ((one, other), (other, one))]
    deadline = time.monotonic() + 10 * SLOWNESS
    while len(kept := api.as_user(one).all_messages(other)) < 6:
        assert time.monotonic() < deadline
    api.as_user(other).delete_me().expect(204)
    wait_erased(stack, other)
    assert api.as_user(one).all_messages(other) == kept and [m["messageId"] for m in kept] == sent
    (conversation,) = api.as_user(one).fetch_conversation().expect(200)["conversations"]
    assert conversation["conversationId"] == conversation_id(one.id, other.id)
    assert {m["senderId"] for m in kept} == {one.id, other.id}


def test_open_stream_and_long_poll_end(stack, api, contract, alice):
    before = metrics.waiters(stack)
    stream = H1Connection(stack.url, timeout=10 * SLOWNESS)
    stream.send(stream.encode("GET", "/v1/updates/stream", [("Authorization", f"Bearer {alice.token}")]))
    assert stream.read_head()[0] == 200
    while b"id: " not in stream.read_chunk():
        pass
    poll = H1Connection(stack.url, timeout=10 * SLOWNESS)
    poll.send(poll.encode("GET", "/v1/updates?timeout=60", [("Authorization", f"Bearer {alice.token}")]))
    metrics.wait_for_more_waiters(stack, before, 2)
    start = time.monotonic()
    api.as_user(alice).delete_me().expect(204)
    status, headers, body = poll.read_response()
    contract.check("GET", "/v1/updates", status, headers, body)
    assert status == 401
    while stream.read_chunk():
        pass
    assert time.monotonic() - start < PROMPTLY
    stream.close()
    poll.close()


def test_watchers_see_the_user_go_offline(stack, api, contract, alice, bob):
    api.as_user(alice).send(bob, "hello").expect(201)
    api.as_user(bob).announce_presence().expect(204)
    with Stream(stack, alice, contract, [bob]) as stream:
        assert stream.presence_of(bob)["online"] is True
        api.as_user(bob).delete_me().expect(204)
        assert stream.presence_of(bob) == {"userId": bob.id, "online": False}
    assert api.as_user(alice).fetch_presence(bob).expect(200) == {"users": []}


def test_erasure_cuts_off_an_export(api, stack, alice, bob):
    """An export that has begun is cut off."""
    insert_messages(stack, alice, bob, 400, 60000)
    with H1Connection(stack.url, timeout=20 * SLOWNESS) as connection:
        connection.send(connection.encode("GET", "/v1/users/me/export", [("Authorization", f"Bearer {alice.token}")]))
        assert connection.read_head()[0] == 200
        first = json.loads(connection.read_chunk().splitlines()[0])
        assert first["type"] == "account"
        api.as_user(alice).delete_me().expect(204)
        with pytest.raises(Exception) as broken:
            while connection.read_chunk():
                pass
        assert not isinstance(broken.value, AssertionError)
    wait_erased(stack, alice)


def test_cookie_of_another_site(api, alice):
    cookie = {"cookie": f"__Host-parley={alice.token}"}
    for headers in ({"origin": "https://evil.example"}, {}):
        api.request("DELETE", "/v1/users/me", {**cookie, **headers}).expect(403, code="cross-site-request")
    api.request("DELETE", "/v1/users/me", {**cookie, "sec-fetch-site": "same-origin"}).expect(204)


@pytest.mark.own_server
def test_other_servers_learn_of_the_erasure(stack, api, contract, alice, bob):
    """Another server knows the user and has cached pages: it answers reads with 401 and sends to the user with 404, and
    refuses the user's own sends and ends streams at the heartbeat."""
    server = Parleyd(stack, {"server": {"workers": 1}, "push": {"heartbeat": 1}}).start()
    other = Api(server.url, contract, stack.jwt_key)
    other.as_user(alice).send(bob, "hello").expect(201)
    other.as_user(bob).send(alice, "hello").expect(201)
    mine = other.as_user(alice)
    for _ in range(2):
        mine.fetch_conversation().expect(200)
        mine.fetch_messages(bob).expect(200)
    etag = mine.fetch_conversation().headers["etag"]
    stream = H1Connection(server.url, timeout=10 * SLOWNESS)
    stream.send(stream.encode("GET", "/v1/updates/stream", [("Authorization", f"Bearer {alice.token}")]))
    assert stream.read_head()[0] == 200
    api.as_user(alice).delete_me().expect(204)
    mine.fetch_conversation().expect(401)
    mine.fetch_conversation({"if-none-match": etag}).expect(401)
    mine.fetch_messages(bob).expect(401)
    mine.fetch_updates(timeout=0).expect(401)
    mine.delete_me().expect(401)
    deadline = time.monotonic() + 10 * SLOWNESS
    while mine.send(bob, "an old token").status == 201:
        assert time.monotonic() < deadline, "sends are refused at the heartbeat"
    other.as_user(bob).send(alice, "too late").expect(404, code="recipient-not-found")
    while stream.read_chunk():
        pass
    stream.close()
    other.close()
    server.close_and_judge()
