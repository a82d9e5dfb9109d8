"""Proves createUser and fetchUser: their answers, who may call them, that names are unique in the whole system regardless
of case, and that ids contain their shard."""

import time

import pytest

from harness import ids
from harness.client import unique

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
    # Fixed names may be left from another test of this stack: taken is as good as created.
    api.admin().create_user(username).expect(201, 409)
    assert api.admin().find_user(username).expect(200)["username"] == username


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


@pytest.mark.parametrize("password", ["8 bytes!", "x" * 1024])
def test_password_limits_are_inclusive(api, password):
    name = unique("j")
    api.create_user(name, password=password).expect(201)
    api.create_session(name, password).expect(201)


def test_fetch_by_id_and_by_name_agree(api, alice, bob):
    mine = api.as_user(alice)
    by_id = mine.fetch_user(bob.id).expect(200)
    assert by_id["userId"] == bob.id and by_id["username"] == bob.username
    assert mine.find_user(bob.username).expect(200) == by_id
    assert mine.find_user(bob.username.upper()).expect(200) == by_id
    assert mine.fetch_user(alice.id).expect(200)["userId"] == alice.id


def test_fetch_of_nobody(api, alice):
    mine = api.as_user(alice)
    mine.find_user(unique("nobody")).expect(404)
    mine.fetch_user(int(alice.id) + (1 << 20)).expect(404)
    mine.fetch_user((1 << 63) - 1).expect(404)
    mine.fetch_user("1").expect(404)


@pytest.mark.parametrize("user_id", ["abc", "-1", "0", "01", "9223372036854775808", "1e3", "1.0",
                                     "18446744073709551617", "%31%00", "1%2f2", "٣"])
def test_ids_that_are_none(api, alice, user_id):
    api.as_user(alice).fetch_user(user_id).expect(400, 404, 422)


def test_fetch_needs_a_token(api, bob):
    api.fetch_user(bob.id).expect(401)
    api.find_user(bob.username).expect(401)


def test_fetch_query_is_checked(api, alice):
    mine = api.as_user(alice)
    mine.get("/v1/users").expect(400, 422)
    mine.get("/v1/users", username="ab").expect(400, 404, 422)
    mine.get("/v1/users", username=alice.username, shoeSize=44).expect(400)
    mine.request("GET", f"/v1/users?username={alice.username}&username=b").expect(400)
