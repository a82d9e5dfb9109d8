"""Proves fetchMe and updateMe: absent fields stay, a change is visible at once and on every server, a wrong current
password changes nothing; and a user who hides their presence is shown as hidden to watchers, also by servers that did not
get the change."""

import pytest

from harness import tokens
from harness.client import Api, User, unique
from harness.stack import Parleyd
from test_presence import Stream

PASSWORD, OTHER = "correct horse battery", "a caucus race"
DEFAULTS = {"readReceipts": True, "showPresence": True, "groupInvites": "everyone"}


@pytest.fixture
def carol(api, stack):
    """A user with a password."""
    value = api.create_user(unique("carol"), "Carol", PASSWORD).expect(201)
    return User(value["userId"], value["username"], tokens.mint(stack.jwt_key, value["userId"]))


def test_own_account(api, carol):
    mine = api.as_user(carol)
    others = mine.fetch_user(carol.id).expect(200)
    assert mine.fetch_me().expect(200) == {**others, **DEFAULTS}


@pytest.mark.parametrize("fields", [{"displayName": "Karl \U0001f600"}, {"readReceipts": False}, {"showPresence": False},
                                    {"displayName": "x" * 100, "readReceipts": False, "showPresence": False},
                                    {"displayName": "Carol"}, DEFAULTS])
def test_what_is_absent_stays(api, carol, fields):
    mine = api.as_user(carol)
    before = mine.fetch_me().expect(200)
    assert mine.update_me(**fields).expect(200) == {**before, **fields}
    assert mine.fetch_me().expect(200) == {**before, **fields}
    (seen,) = api.as_user(carol).fetch_users(username=carol.username).expect(200)["users"]
    assert seen == {k: v for k, v in {**before, **fields}.items() if k not in DEFAULTS}
    api.create_session(carol.username, PASSWORD).expect(201)


def test_new_password(api, carol):
    api.as_user(carol).update_me(password=OTHER, displayName="C", currentPassword=PASSWORD).expect(200)
    api.create_session(carol.username, PASSWORD).expect(401)
    api.create_session(carol.username, OTHER).expect(201)
    assert api.as_user(carol).fetch_me().expect(200)["displayName"] == "C"


def test_new_password_needs_the_old_one(api, carol):
    """A person who has found an unlocked phone cannot take the account over."""
    mine = api.as_user(carol)
    (error,) = mine.update_me(password=OTHER, displayName="C").expect(422, code="validation-failed")["errors"]
    assert error["pointer"] == "/currentPassword"
    assert mine.fetch_me().expect(200)["displayName"] == "Carol"
    api.create_session(carol.username, PASSWORD).expect(201)


def test_wrong_current_password_changes_nothing(api, carol):
    mine = api.as_user(carol)
    for fields in ({"password": OTHER}, {"displayName": "C"}):
        mine.update_me(currentPassword=OTHER, **fields).expect(403, code="forbidden")
    assert mine.fetch_me().expect(200)["displayName"] == "Carol"
    api.create_session(carol.username, PASSWORD).expect(201)


def test_first_password(api, alice):
    """A user whom an integrator signs in has no password, so none can match."""
    mine = api.as_user(alice)
    mine.update_me(password=OTHER, currentPassword=OTHER).expect(403)
    mine.update_me(password=OTHER).expect(200)
    api.create_session(alice.username, OTHER).expect(201)


@pytest.mark.parametrize("password", ["12345678", "PassWord", "Football"])
def test_common_passwords_are_refused(api, carol, password):
    """In either case of letters, and so is the username. Nothing has changed."""
    mine = api.as_user(carol)
    for common in (password, carol.username, carol.username.upper()):
        mine.update_me(password=common, displayName="C", currentPassword=PASSWORD).expect(422, code="password-too-common")
    assert mine.fetch_me().expect(200)["displayName"] == "Carol"
    api.create_session(carol.username, PASSWORD).expect(201)
    mine.update_me(password=password + " and more", currentPassword=PASSWORD).expect(200)


def test_common_first_password(api, alice):
    api.as_user(alice).update_me(password=alice.username).expect(422, code="password-too-common")
    api.as_user(alice).update_me(password="iloveyou").expect(422, code="password-too-common")


@pytest.mark.parametrize("field, value", [
    ("displayName", ""), ("displayName", "x" * 101), ("displayName", None), ("displayName", 7), ("password", "seven77"),
    ("password", "x" * 1025), ("password", False), ("currentPassword", ""), ("currentPassword", {}),
    ("readReceipts", "true"), ("readReceipts", None), ("showPresence", 1), ("showPresence", [True])])
def test_fields_out_of_range(api, carol, field, value):
    body = {"displayName": "C", field: value}
    problem = api.as_user(carol).update_me(**body).expect(422, code="validation-failed")
    assert [error["pointer"] for error in problem["errors"]] == [f"/{field}"]
    assert api.as_user(carol).fetch_me().expect(200)["displayName"] == "Carol"


@pytest.mark.parametrize("body", [{}, {"currentPassword": PASSWORD}])
def test_nothing_to_change(api, carol, body):
    api.as_user(carol).update_me(**body).expect(422, code="validation-failed")


def test_token_of_unknown_user(api, stack, alice):
    unknown = str(int(alice.id) ^ 0xff)
    mine = api.as_user(User(unknown, "unknown", tokens.mint(stack.jwt_key, unknown)))
    mine.fetch_me().expect(401, code="invalid-token")
    for fields in ({"displayName": "N"}, {"password": OTHER}, {"displayName": "N", "currentPassword": OTHER}):
        mine.update_me(**fields).expect(401, code="invalid-token")


def test_cookie_of_another_site(api, carol):
    cookie = {"cookie": f"__Host-parley={carol.token}"}
    change = {"json_body": {"displayName": "C"}}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
        api.request("PATCH", "/v1/users/me", {**cookie, **headers}, **change).expect(403, code="cross-site-request")
    api.request("PATCH", "/v1/users/me", {**cookie, "sec-fetch-site": "same-origin"}, **change).expect(200)


# Hidden presence.

@pytest.fixture
def friends(api, alice, bob):
    """alice and bob have a conversation."""
    api.as_user(alice).send(bob, "hello").expect(201)
    return alice, bob


def test_hidden_users_are_left_out(api, pair):
    """In each placement of the two users; and the presence is shown again as soon as the user shows it."""
    one, other = pair
    api.as_user(one).send(other, "hello").expect(201)
    api.as_user(other).announce_presence().expect(204)
    mine = api.as_user(one)
    for shown in (True, False, True):
        api.as_user(other).update_me(showPresence=shown).expect(200)
        users = mine.fetch_presence(other).expect(200)["users"]
        assert [user["online"] for user in users] == [True] * shown
    api.as_user(one).update_me(showPresence=False).expect(200)
    assert mine.fetch_presence(other).expect(200)["users"], "a hidden user still sees others"


def test_many_at_once(api, alice):
    """The users who show their presence, in the order of the query, from all databases."""
    mine = api.as_user(alice)
    friends = [api.make_user() for _ in range(12)]
    for friend in friends:
        mine.send(friend, "hello").expect(201)
    for friend in friends[::3]:
        api.as_user(friend).update_me(showPresence=False).expect(200)
    users = mine.fetch_presence(*friends[::-1]).expect(200)["users"]
    assert [user["userId"] for user in users] == [f.id for i, f in enumerate(friends) if i % 3][::-1]


def test_watchers_see_a_hiding_user_go_offline(stack, api, contract, friends):
    alice, bob = friends
    api.as_user(bob).announce_presence().expect(204)
    with Stream(stack, alice, contract, [bob]) as stream:
        assert stream.presence_of(bob)["online"] is True
        api.as_user(bob).update_me(showPresence=False).expect(200)
        assert stream.presence_of(bob) == {"userId": bob.id, "online": False}, "there is no last seen time"
        with Stream(stack, bob, contract):
            sent = api.as_user(bob).send(alice, "x").expect(201)["messageId"]
            assert stream.until(sent) == [], "a hidden user's coming and going gives no event"
            api.as_user(bob).update_me(showPresence=True).expect(200)
            assert stream.presence_of(bob)["online"] is True


def test_watching_a_hidden_user_gives_no_events(stack, api, contract, friends):
    alice, bob = friends
    api.as_user(bob).update_me(showPresence=False).expect(200)
    api.as_user(bob).announce_presence().expect(204)
    with Stream(stack, alice, contract, [bob]) as stream:
        sent = api.as_user(bob).send(alice, "x").expect(201)["messageId"]
        assert stream.until(sent) == []


@pytest.mark.own_server
def test_setting_changed_on_another_server(stack, api, contract, friends):
    """Watchers learn by the heartbeat of a setting that another server took, and a server that starts later knows it."""
    alice, bob = friends
    settings = {"server": {"workers": 2}, "push": {"heartbeat": 1}}
    server = Parleyd(stack, settings).start()
    other = Api(server.url, contract, stack.jwt_key)
    other.as_user(bob).announce_presence().expect(204)
    with Stream(server, alice, contract, [bob]) as stream:
        assert stream.presence_of(bob)["online"] is True
        api.as_user(bob).update_me(showPresence=False).expect(200)
        assert stream.presence_of(bob) == {"userId": bob.id, "online": False}
    other.close()
    server.close_and_judge()
    server = Parleyd(stack, settings).start()
    other = Api(server.url, contract, stack.jwt_key)
    other.as_user(bob).announce_presence().expect(204)
    assert other.as_user(alice).fetch_presence(bob).expect(200) == {"users": []}
    other.close()
    server.close_and_judge()
