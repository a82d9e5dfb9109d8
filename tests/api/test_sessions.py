"""Proves createSession and refreshSession: the right password gives tokens and cookies that work, a wrong password and an
unknown name get the same answer, and an account without a password has no login. Each use of a refresh token replaces it.
The same token has the same successor, for two tabs at once and after a lost answer, until the successor was used and for a
minute more; a later use ends the session. Only hashes are stored, and no token is logged."""

import base64
import concurrent.futures
import re
import statistics
import time

import pytest

from harness import logs
from harness.client import Api, User, unique
from harness.stack import Parleyd
from operations import refresh_token

PASSWORD = "correct horse battery"
# The cookies that createSession and refreshSession set.
COOKIES = re.compile(r"__Host-parley=([^;]+); Path=/; Max-Age=(\d+); HttpOnly; Secure; SameSite=Strict, "
                     r"__Secure-parley-refresh=([^;]+); Path=/v1/sessions; Max-Age=(\d+); HttpOnly; Secure; SameSite=Strict")
HERE = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def account(api):
    name = unique("login")
    value = api.create_user(name, password=PASSWORD).expect(201)
    return User(value["userId"], name, None)


@pytest.fixture
def user(api, account):
    """A new session of the account."""
    return api.log_in(account.username, PASSWORD, "Phone")


def test_token_works(api, account):
    session = api.create_session(account.username, PASSWORD).expect(201)
    assert session["userId"] == account.id
    assert session["tokenType"] == "Bearer"
    assert (session["expiresIn"], session["refreshExpiresIn"]) == (900, 60 * 86400)
    user = User(account.id, account.username, session["accessToken"])
    assert api.as_user(user).fetch_user(account.id).expect(200)["userId"] == account.id


def test_name_is_case_insensitive(api, account):
    api.create_session(account.username.upper(), PASSWORD).expect(201)


def test_cookie_works_and_has_its_attributes(api, account):
    answer = api.create_session(account.username, PASSWORD)
    answer.expect(201)
    access, access_s, refresh, refresh_s = COOKIES.fullmatch(answer.headers["set-cookie"]).groups()
    assert (access, refresh) == (answer.json["accessToken"], answer.json["refreshToken"])
    assert (int(access_s), int(refresh_s)) == (900, 60 * 86400)
    pair = f"__Host-parley={access}"
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
                                  {"username": None, "password": None}, {"username": "abc", "password": PASSWORD, "deviceName": ""},
                                  {"username": "abc", "password": PASSWORD, "deviceName": "x" * 101},
                                  {"username": "abc", "password": PASSWORD, "deviceName": 7}])
def test_fields_are_checked(api, body):
    assert api.post("/v1/sessions", body).expect(422)["errors"]


@pytest.mark.concurrent
def test_password_queue_is_bounded(api, account):
    """More logins at once than the queue holds: each gets 201, or 503 with Retry-After, and the hashing does not delay
    other requests."""
    session = api.create_session(account.username, PASSWORD).expect(201)
    reader = api.as_user(User(account.id, account.username, session["accessToken"]))
    with concurrent.futures.ThreadPoolExecutor(150) as pool:
        logins = [pool.submit(api.create_session, account.username, PASSWORD) for _ in range(150)]
        start = time.perf_counter()
        reader.fetch_user(account.id).expect(200)
        assert time.perf_counter() - start < 5
        statuses = [login.result().status for login in logins]
    assert set(statuses) <= {201, 503} and statuses.count(201) >= 20, statuses
    assert 503 in statuses, "150 logins fitted a queue of 64"


# Sessions

def sessions_of(api, user):
    return {s["sessionId"]: s for s in api.as_user(user).fetch_sessions().expect(200)["sessions"]}


def test_list(api):
    name = unique("lists")
    api.create_user(name, password=PASSWORD).expect(201)
    before = time.time() * 1e6
    phone, browser = api.log_in(name, PASSWORD, "Ph\u00f6ne \U0001f4f1"), api.log_in(name, PASSWORD)
    first, second = api.as_user(phone).fetch_sessions().expect(200)["sessions"]
    assert (first["sessionId"], second["sessionId"]) == (browser.session_id, phone.session_id)
    assert second["deviceName"] == "Ph\u00f6ne \U0001f4f1" and "deviceName" not in first
    assert (first["isCurrent"], second["isCurrent"]) == (False, True)
    assert before - 2e6 < second["createdTimestamp"] == second["lastSeenTimestamp"] < time.time() * 1e6 + 2e6
    assert second["expiresTimestamp"] == second["createdTimestamp"] + 60 * 86400 * 10**6
    assert first["address"] == "127.0.0.1"
    api.refresh_session(phone.refresh_token, {"x-forwarded-for": "203.0.113.9"}).expect(200)
    first, _ = api.as_user(phone).fetch_sessions().expect(200)["sessions"]
    assert (first["sessionId"], first["address"]) == (phone.session_id, "203.0.113.9")
    assert first["createdTimestamp"] == second["createdTimestamp"] < first["lastSeenTimestamp"]
    assert first["expiresTimestamp"] > second["expiresTimestamp"]


def test_none(api, alice):
    assert api.as_user(alice).fetch_sessions().expect(200) == {"sessions": []}


def test_address_by_the_edge(api_edge, account):
    """The edge gives the client's address, and no client gives another one."""
    user = api_edge.log_in(account.username, PASSWORD)
    api_edge.refresh_session(user.refresh_token, {"x-forwarded-for": "203.0.113.9"}).expect(200)
    assert sessions_of(api_edge, user)[user.session_id]["address"] == "127.0.0.1"


@pytest.mark.own_server
def test_too_many_sessions(stack, contract):
    """The session that was not seen for the longest time ends."""
    server = Parleyd(stack, {"auth": {"max_sessions": 3}}).start()
    api = Api(server.url, contract, stack.jwt_key)
    name = unique("many")
    api.create_user(name, password=PASSWORD).expect(201)
    first, second, third = (api.log_in(name, PASSWORD) for _ in range(3))
    api.refresh_session(first.refresh_token).expect(200)
    fourth = api.log_in(name, PASSWORD)
    assert set(sessions_of(api, fourth)) == {first.session_id, third.session_id, fourth.session_id}
    api.as_user(second).fetch_me().expect(401, code="session-ended")
    api.refresh_session(second.refresh_token).expect(401, code="session-ended")
    api.as_user(first).fetch_me().expect(200)
    api.close()
    server.close_and_judge()


# Refreshing

def refreshed(api, token):
    return api.refresh_session(token).expect(200)["refreshToken"]


def age(stack, user, seconds):
    """Makes the rotations of the user's sessions that much older."""
    stack.query(stack.database_of(user.id), f"""UPDATE {stack.schema_of(user.id)}.session SET rotations =
                ARRAY(SELECT r - %s::bigint * 1000000 FROM unnest(rotations) WITH ORDINALITY AS u (r, n) ORDER BY n)
                WHERE user_id = %s""", (seconds, user.id))


def test_refresh(api, user):
    answer = api.refresh_session(user.refresh_token)
    value = answer.expect(200)
    assert value["sessionId"] == user.session_id and value["userId"] == user.id and value["tokenType"] == "Bearer"
    assert value["refreshToken"] != user.refresh_token
    assert COOKIES.fullmatch(answer.headers["set-cookie"]).group(1, 3) == (value["accessToken"], value["refreshToken"])
    mine = api.as_user(User(user.id, user.username, value["accessToken"]))
    assert mine.fetch_me().expect(200)["userId"] == user.id
    token = value["refreshToken"]
    for _ in range(12):
        token = refreshed(api, token)
    assert len(sessions_of(api, user)) >= 1 and sessions_of(api, user)[user.session_id]["isCurrent"]


def test_lost_answer(api, stack, user):
    """The phone that did not get the answer asks again, also after a long sleep, and goes on."""
    second = refreshed(api, user.refresh_token)
    age(stack, user, 30 * 86400)
    assert refreshed(api, user.refresh_token) == second
    third = refreshed(api, second)
    assert refreshed(api, user.refresh_token) == second and refreshed(api, second) == third
    age(stack, user, 55)
    assert refreshed(api, user.refresh_token) == second
    assert refreshed(api, third) != third


def test_reuse_ends_the_session(api, stack, account, user):
    """If the successor of a token was used over a minute ago, the token has been copied."""
    other = api.log_in(account.username, PASSWORD)
    second = refreshed(api, user.refresh_token)
    third = refreshed(api, second)
    age(stack, user, 61)
    answer = api.refresh_session(user.refresh_token)
    answer.expect(401, code="session-ended")
    assert "set-cookie" not in answer.headers
    for token in (user.refresh_token, second, third):
        api.refresh_session(token).expect(401, code="session-ended")
    api.as_user(user).fetch_me().expect(401, code="session-ended")
    api.as_user(other).fetch_me().expect(200)
    assert user.session_id not in sessions_of(api, other)


def test_much_older_token_ends_the_session(api, stack, user):
    token = user.refresh_token
    for _ in range(12):
        token = refreshed(api, token)
    age(stack, user, 61)
    api.refresh_session(user.refresh_token).expect(401, code="session-ended")
    api.refresh_session(token).expect(401, code="session-ended")


@pytest.mark.concurrent
def test_two_tabs_at_once(api, user):
    """They all get the same token."""
    token = user.refresh_token
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for _ in range(8):
            answers = [answer.result().expect(200) for answer in [pool.submit(api.refresh_session, token) for _ in range(12)]]
            tokens = {answer["refreshToken"] for answer in answers}
            assert len(tokens) == 1 and token not in tokens
            token = tokens.pop()
        ((generation,),) = {(int.from_bytes(base64.urlsafe_b64decode(token + "==")[16:20], "big"),)}
        assert generation == 8, "twelve requests at once are one rotation"


def test_forged_token_does_no_harm(api, user):
    """The ids are no secret. A client that knows only them cannot end the session."""
    second = refreshed(api, user.refresh_token)
    for generation in (0, 1, 2, 3, 2**31 - 1):
        api.refresh_session(refresh_token(user, user.session_id, generation)).expect(401, code="invalid-token")
    for token in ("", "x", second[:-1], second + "A", second[:-2] + "..", "A" * 1000, user.token):
        api.refresh_session(token).expect(401, code="invalid-token")
    for target in (User("1", "", None), User(str(2**63 - 1), "", None), User(str(int(user.id) | 256), "", None)):
        api.refresh_session(refresh_token(target, 1)).expect(401)
    api.refresh_session(refresh_token(user, 1)).expect(401, code="session-ended")
    assert refreshed(api, second)


@pytest.mark.parametrize("body", [{}, {"refreshToken": 7}, {"refreshToken": None}, {"refreshToken": "x", "more": 1}])
def test_fields_of_a_refresh_are_checked(api, body):
    assert api.post("/v1/sessions/refresh", body).expect(422)["errors"]


def test_expired_session(api, stack, user):
    stack.query(stack.database_of(user.id), f"UPDATE {stack.schema_of(user.id)}.session SET expires_timestamp = 1 "
                                            "WHERE user_id = %s AND session_id = %s", (user.id, user.session_id))
    api.refresh_session(user.refresh_token).expect(401, code="session-ended")
    assert user.session_id not in sessions_of(api, user)


def test_refresh_by_cookie(api, user):
    cookie = {"cookie": f"a=b; __Secure-parley-refresh={user.refresh_token}", **HERE}
    value = api.refresh_session(headers=cookie).expect(200)
    assert value["sessionId"] == user.session_id
    for site in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {}):
        api.refresh_session(headers={"cookie": cookie["cookie"], **site}).expect(403, code="cross-site-request")
    api.refresh_session(headers={"cookie": "__Secure-parley-refresh=x", **HERE}).expect(401, code="invalid-token")
    api.refresh_session(headers=HERE).expect(401, code="unauthenticated")
    api.refresh_session(headers={"cookie": f"__Host-parley={user.token}", **HERE}).expect(401, code="unauthenticated")
    # The token in the body prevails, and a cookie of another site does not matter then.
    api.refresh_session(value["refreshToken"], {"cookie": "__Secure-parley-refresh=x"}).expect(200)


def test_browser_through_the_edge(api_edge, account):
    """Log in, read, refresh and log out with nothing but the cookies that the browser keeps."""
    def cookies(answer):
        access, _, refresh, _ = COOKIES.fullmatch(answer.headers["set-cookie"]).groups()
        return {"cookie": f"__Host-parley={access}", **HERE}, {"cookie": f"__Secure-parley-refresh={refresh}", **HERE}

    anonymous = api_edge.as_user(None)
    login = anonymous.create_session(account.username, PASSWORD)
    access, refresh = cookies(login)
    assert anonymous.get("/v1/users/me", access).expect(200)["userId"] == account.id
    access, _ = cookies(anonymous.refresh_session(headers=refresh))
    assert anonymous.get("/v1/users/me", access).expect(200)["userId"] == account.id
    logout = anonymous.end_current_session(access)
    assert logout.expect(204) is None
    assert logout.headers["set-cookie"] == (
        "__Host-parley=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict, "
        "__Secure-parley-refresh=; Path=/v1/sessions; Max-Age=0; HttpOnly; Secure; SameSite=Strict")
    anonymous.get("/v1/users/me", access).expect(401, code="session-ended")
    anonymous.refresh_session(headers=refresh).expect(401, code="session-ended")


def test_only_hashes_are_stored(api, stack, user):
    """Neither the secrets of the tokens nor the tokens are in the database."""
    tokens = [user.refresh_token, refreshed(api, user.refresh_token)]
    (row,), = stack.query(stack.database_of(user.id), f"SELECT s::text FROM {stack.schema_of(user.id)}.session s "
                                                      "WHERE user_id = %s AND session_id = %s", (user.id, user.session_id))
    for token in tokens:
        secret = base64.urlsafe_b64decode(token + "==")[20:]
        assert secret.hex() not in row and token not in row


def test_no_token_is_logged(api, stack, user):
    reader = logs.LogReader(stack.parleyd_log)
    reader.skip()
    second = refreshed(api, user.refresh_token)
    third = refreshed(api, second)
    age(stack, user, 61)
    api.refresh_session(user.refresh_token).expect(401)
    lines = reader.take()
    assert [line for line in lines if "refresh-token-reused" in line and user.session_id in line], lines
    assert not logs.leaks(lines, (user.refresh_token, second, third, user.token))
