"""Proves createUser, fetchUser and fetchUsers: their answers, who may call them, that names are unique in the whole system
regardless of case, and that ids contain their shard."""

import random
import time

import pytest

from conftest import user_on
from harness import ids
from harness.client import Api, User, unique
from harness.stack import Parleyd

PASSWORD = "correct horse battery"


def test_account_with_password_needs_no_token(api):
    name = unique("Carol")
    before = time.time() * 1e6
    user = api.create_user(name, "Carol \U0001f600 Ü", PASSWORD).expect(201)
    assert user["username"] == name.lower()
    assert user["displayName"] == "Carol \U0001f600 Ü"
    assert before - 2e6 < user["createdTimestamp"] < time.time() * 1e6 + 2e6
    assert "password" not in str(user)


def test_id_names_shard_time_and_kind(api, stack):
    name = unique("dave")
    user = api.admin().create_user(name).expect(201)
    assert ids.shard_of(user["userId"]) == ids.username_shard(name, stack.shards)
    assert not ids.is_group(user["userId"])
    assert abs(ids.created_ms(user["userId"]) - user["createdTimestamp"] / 1000) < 2000


def test_display_name_defaults_to_the_username(api):
    name = unique("erin")
    assert api.admin().create_user(name).expect(201)["displayName"] == name


def test_account_without_password_is_for_admins(api, alice):
    assert api.create_user(unique("x")).status == 401
    assert api.as_user(alice).create_user(unique("x")).status == 403
    api.admin().create_user(unique("x")).expect(201)


@pytest.mark.parametrize("change", [str, str.upper, str.title])
def test_username_is_taken_whatever_its_case(api, change):
    name = unique("frank")
    api.admin().create_user(name).expect(201)
    api.admin().create_user(change(name)).expect(409, code="username-taken")
    api.create_user(change(name), password=PASSWORD).expect(409, code="username-taken")


@pytest.mark.concurrent
def test_one_of_many_at_once_gets_the_name(api):
    from concurrent.futures import ThreadPoolExecutor

    name = unique("grace")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: api.admin().create_user(name), range(16)))
    assert sorted(a.status for a in answers) == [201] + [409] * 15


@pytest.mark.parametrize("username", ["abc", "a" * 64, "a.b_c-9", "...", "0123"])
def test_usernames_that_are_allowed(api, username):
    # Fixed names may be left from another test of this stack: a name that is taken was accepted before.
    api.admin().create_user(username).expect(201, 409)
    assert [u["username"] for u in api.admin().fetch_users(username=username).expect(200)["users"]] == [username]


@pytest.mark.parametrize("username", ["", "ab", "a" * 65, "with space", "ümlaut", "a/b", "a\nb", "a@b"])
def test_usernames_that_are_refused(api, username):
    problem = api.admin().post("/v1/users", {"username": username}).expect(422)
    assert problem["errors"][0]["pointer"] == "/username"


@pytest.mark.parametrize("field, value", [
    ("displayName", ""), ("displayName", "x" * 101), ("displayName", 7), ("displayName", "a\u0000b"),
    ("password", "seven77"), ("password", "x" * 1025), ("password", ["a"]), ("username", None),
    ("username", 5), ("username", {"a": 1})])
def test_fields_out_of_range(api, field, value):
    body = {"username": unique("h"), "displayName": "H", "password": PASSWORD, field: value}
    answer = api.post("/v1/users", body)
    answer.expect(400 if value == "a\u0000b" else 422)
    if answer.status == 422:
        assert answer.json["errors"][0]["pointer"] == f"/{field}"


@pytest.mark.parametrize("display_name", ["x", "\U0001f469\u200d\U0001f680" * 33, "é" * 100])
def test_display_names_count_characters(api, display_name):
    assert api.admin().create_user(unique("i"), display_name).expect(201)["displayName"] == display_name


@pytest.mark.parametrize("password", ["8 bytes!", "x" * 1024, "é" * 8, "é" * 512])
def test_password_limits_are_inclusive(api, password):
    name = unique("j")
    api.create_user(name, password=password).expect(201)
    api.create_session(name, password).expect(201)


@pytest.mark.parametrize("password", ["é" * 7, "\U0001f469" * 7, "é" * 513])
def test_password_lengths_are_characters_and_bytes(api, password):
    """At least 8 characters, at most 1,024 bytes."""
    problem = api.create_user(unique("j"), password=password).expect(422, code="validation-failed")
    assert [error["pointer"] for error in problem["errors"]] == ["/password"]


@pytest.mark.parametrize("password", ["password", "PASSWORD", "1q2w3e4r", "sunshine"])
def test_common_passwords_are_refused(api, password):
    name = unique("j")
    for common in (password, name, name.upper()):
        api.create_user(name, password=common).expect(422, code="password-too-common")
    api.create_user(name, password=password + name).expect(201)


@pytest.mark.own_server
def test_longer_passwords_are_asked_for(stack, contract):
    """Who has a shorter password from before can still log in, and change it."""
    before = Api(stack.url, contract, stack.jwt_key)
    name, short, longer = unique("j"), "8 bytes!", "twelve bytes"
    user = User(before.create_user(name, password=short).expect(201)["userId"], name, None)
    before.close()
    server = Parleyd(stack, {"auth": {"password_min": 12}}).start()
    api = Api(server.url, contract, stack.jwt_key)
    assert api.get("/v1/capabilities").expect(200)["limits"]["passwordCharactersMin"] == 12
    api.create_user(unique("j"), password="eleven byte").expect(422, code="validation-failed")
    user.token = api.create_session(name, short).expect(201)["accessToken"]
    api.as_user(user).update_me(password="eleven byte", currentPassword=short).expect(422, code="validation-failed")
    api.as_user(user).update_me(password=longer, currentPassword=short).expect(200)
    api.close()
    server.close()


def test_fetch_by_id_and_by_name_agree(api, alice, bob):
    mine = api.as_user(alice)
    by_id = mine.fetch_user(bob.id).expect(200)
    assert by_id["userId"] == bob.id and by_id["username"] == bob.username
    assert mine.fetch_users(username=bob.username).expect(200) == {"users": [by_id]}
    assert mine.fetch_users(username=bob.username.upper()).expect(200) == {"users": [by_id]}
    assert mine.fetch_users(bob).expect(200) == {"users": [by_id]}
    assert mine.fetch_user(alice.id).expect(200)["userId"] == alice.id


def test_fetch_of_unknown_users(api, alice):
    mine = api.as_user(alice)
    assert mine.fetch_users(username=unique("nobody")).expect(200) == {"users": []}
    mine.fetch_user(int(alice.id) + (1 << 20)).expect(404)
    mine.fetch_user((1 << 63) - 1).expect(404)
    mine.fetch_user("1").expect(404)


@pytest.mark.parametrize("user_id", ["abc", "-1", "0", "01", "9223372036854775808", "1e3", "1.0",
                                     "18446744073709551617", "%31%00", "1%2f2", "٣"])
def test_malformed_ids(api, alice, user_id):
    api.as_user(alice).fetch_user(user_id).expect(400, 404, 422)


def test_fetch_needs_a_token(api, bob):
    api.fetch_user(bob.id).expect(401)
    api.fetch_users(username=bob.username).expect(401)
    api.fetch_users(bob).expect(401)


@pytest.fixture(scope="module")
def crowd(api, stack):
    """100 users, in every shard of every database."""
    users = []
    for shard in list(range(stack.shards)) * 100:
        if len(users) == 100:
            return users
        users.append(user_on(api, stack, {shard}))
    return users


@pytest.mark.parametrize("count", [1, 2, 99, 100])
def test_many_users_in_the_order_asked(api, crowd, count):
    """Each is shown as fetchUser shows it, from all databases."""
    mine = api.as_user(crowd[0])
    asked = random.Random(count).sample(crowd, count)
    assert mine.fetch_users(*asked).expect(200)["users"] == [mine.fetch_user(user.id).expect(200) for user in asked]


def test_users_of_one_shard(api, stack, alice):
    users = [user_on(api, stack, {0}) for _ in range(3)]
    assert [u["userId"] for u in api.as_user(alice).fetch_users(*users).expect(200)["users"]] == [u.id for u in users]


def test_unknown_users_are_left_out(api, crowd, alice, bob):
    """Also ids that no user can have: of an unknown shard, and a group's."""
    mine = api.as_user(alice)
    group = mine.create_group("Group", [bob]).expect(201)["groupId"]
    unknown = [int(alice.id) + (1 << 20), (1 << 63) - 1, 1, group]
    assert mine.fetch_users(*unknown).expect(200) == {"users": []}
    users = mine.fetch_users(bob, *unknown, alice, bob).expect(200)["users"]
    assert [user["userId"] for user in users] == [bob.id, alice.id]


def test_changed_user_is_seen_at_once(api, crowd):
    mine = api.as_user(crowd[0])
    for n in range(3):
        mine.update_me(displayName=f"name {n}").expect(200)
        assert mine.fetch_users(*crowd[:2]).expect(200)["users"][0]["displayName"] == f"name {n}"


def test_answers_are_not_stored(api, alice):
    mine = api.as_user(alice)
    for answer in (mine.fetch_user(alice.id), mine.fetch_users(alice), mine.fetch_users(username=alice.username)):
        assert "no-store" in answer.headers["cache-control"] and "etag" not in answer.headers


@pytest.mark.parametrize("query, pointer", [
    ("", "?userIds"), ("userIds=", "?userIds"), ("userIds=x", "?userIds"), ("userIds=1,", "?userIds"), ("userIds=0", "?userIds"),
    ("userIds=" + ",".join(str(n) for n in range(1, 102)), "?userIds"), ("username=ab", "?username"), ("username=", "?username"),
    ("userIds=1&username=abc", "?username")])
def test_fetch_query_is_checked(api, alice, query, pointer):
    problem = api.as_user(alice).request("GET", f"/v1/users?{query}").expect(422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_ids_as_repeated_parameters(api, crowd):
    mine = api.as_user(crowd[0])
    ids = [user.id for user in crowd[:3]]
    users = mine.request("GET", f"/v1/users?userIds={ids[2]}&userIds={ids[0]},{ids[1]}").expect(200)["users"]
    assert [user["userId"] for user in users] == [ids[2], ids[0], ids[1]]


def test_unknown_and_repeated_parameters(api, alice):
    mine = api.as_user(alice)
    mine.get("/v1/users", username=alice.username, shoeSize=44).expect(400)
    mine.request("GET", f"/v1/users?username={alice.username}&username=b").expect(400)
