"""Proves createSession: the right password gives a token and a cookie that work, a wrong password and an unknown name get
the same answer, and an account without a password has no login."""

import statistics
import time

import pytest

from harness.client import User, unique

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def account(api):
    name = unique("login")
    value = api.create_user(name, password=PASSWORD).expect(201)
    return User(value["userId"], name, None)


def test_token_works(api, account):
    session = api.create_session(account.username, PASSWORD).expect(201)
    assert session["userId"] == account.id
    assert session["tokenType"] == "Bearer"
    assert 60 <= session["expiresIn"] <= 86400
    user = User(account.id, account.username, session["accessToken"])
    assert api.as_user(user).fetch_user(account.id).expect(200)["userId"] == account.id


def test_name_is_case_insensitive(api, account):
    api.create_session(account.username.upper(), PASSWORD).expect(201)


def test_cookie_works_and_has_its_attributes(api, account):
    answer = api.create_session(account.username, PASSWORD)
    answer.expect(201)
    cookie = answer.headers["set-cookie"]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "secure", "samesite=strict"} <= attributes
    pair = cookie.split(";")[0]
    fetched = api.request("GET", f"/v1/users/{account.id}", headers={"cookie": f"a=b; {pair}; c=d"})
    assert fetched.expect(200)["userId"] == account.id
    api.request("GET", f"/v1/users/{account.id}", headers={"cookie": pair + "x"}).expect(401)


def test_cookie_is_not_taken_from_other_sites(api, account, bob):
    """A browser sends the cookie to any target of a form. So a change by cookie must come from the same site."""
    pair = api.create_session(account.username, PASSWORD).headers["set-cookie"].split(";")[0]
    here = api.base_url.split("://")[1]

    def send(**headers):
        body = {"recipientId": bob.id, "messageContent": "x", "clientMessageId": unique("m")}
        return api.post("/v1/messages", body, headers={"cookie": pair, **headers})

    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"},
                    {"sec-fetch-site": "same-site"}):
        send(**headers).expect(403, code="cross-site-request")
    for headers in ({"origin": f"http://{here}"}, {"sec-fetch-site": "same-origin"}):
        send(**headers).expect(201)


def test_bearer_wins_over_cookie(api, account):
    pair = api.create_session(account.username, PASSWORD).headers["set-cookie"].split(";")[0]
    api.request("GET", f"/v1/users/{account.id}",
                headers={"cookie": pair, "authorization": "Bearer nonsense"}).expect(401)


def test_wrong_password_and_unknown_name_look_alike(api, account):
    wrong = api.create_session(account.username, "wrong password").expect(401)
    unknown = api.create_session(unique("nobody"), "wrong password").expect(401)
    for problem in (wrong, unknown):
        del problem["requestId"]
    assert wrong == unknown


def test_unknown_name_takes_as_long_as_a_wrong_password(api, account):
    def seconds(name):
        start = time.perf_counter()
        api.create_session(name, "wrong password").expect(401)
        return time.perf_counter() - start

    wrong = statistics.median(seconds(account.username) for _ in range(5))
    unknown = statistics.median(seconds(unique("nobody")) for _ in range(5))
    assert unknown > wrong / 3, f"unknown name {unknown:.4f} s, wrong password {wrong:.4f} s"


def test_account_without_password_has_no_login(api, alice):
    for password in ("", "x" * 8, "null"):
        api.create_session(alice.username, password).expect(401, 422)


@pytest.mark.parametrize("body", [{}, {"username": "abc"}, {"password": PASSWORD},
                                  {"username": 1, "password": PASSWORD},
                                  {"username": "abc", "password": 12345678},
                                  {"username": None, "password": None}])
def test_fields_are_checked(api, body):
    assert api.post("/v1/sessions", body).expect(422)["errors"]


@pytest.mark.concurrent
def test_password_queue_is_bounded(api, account):
    """More logins at once than the queue holds: each gets 201, or 503 with Retry-After, and the hashing does not delay
    other requests."""
    from concurrent.futures import ThreadPoolExecutor

    session = api.create_session(account.username, PASSWORD).expect(201)
    reader = api.as_user(User(account.id, account.username, session["accessToken"]))
    with ThreadPoolExecutor(150) as pool:
        logins = [pool.submit(api.create_session, account.username, PASSWORD) for _ in range(150)]
        start = time.perf_counter()
        reader.fetch_user(account.id).expect(200)
        assert time.perf_counter() - start < 5
        statuses = [login.result().status for login in logins]
    assert set(statuses) <= {201, 503} and statuses.count(201) >= 20, statuses
    assert 503 in statuses, "150 logins fitted a queue of 64"
