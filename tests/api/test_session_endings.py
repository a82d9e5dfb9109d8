"""Proves what the end of a session does: its tokens are refused for every kind of request, its streams and long-polls end,
and other sessions go on; a cached page is refused at once also by another server, everything else at its next heartbeat;
a server that starts later refuses too; an administrator ends integrators' tokens with the sessions; a new password ends
the other sessions; and a stream of a session outlives the access token that opened it."""

import contextlib
import threading
import time

import pytest

from harness import metrics, tokens
from harness.client import Api, User, unique
from harness.h1conn import Closed, H1Connection
from harness.stack import PROMPTLY, SLOWNESS, Parleyd, wait_until

PASSWORD, OTHER = "correct horse battery", "a caucus race"


@pytest.fixture
def name(api):
    """Of a user with a password."""
    name = unique("ends")
    api.create_user(name, password=PASSWORD).expect(201)
    return name


@pytest.fixture
def pair(api, name):
    """Two sessions of one user."""
    return api.log_in(name, PASSWORD, "Phone"), api.log_in(name, PASSWORD, "Browser")


def integrated(stack, user, **claims):
    """The user with a token that an integrator signed."""
    return User(user.id, user.username, tokens.mint(stack.jwt_key, user.id, **claims))


@pytest.fixture
def second_server(stack, contract):
    """Starts another server on the same databases: (the server, its Api)."""
    started = []

    def start(**options):
        server = Parleyd(stack, {"server": {"workers": 1}, **options}).start()
        started.append((server, Api(server.url, contract, stack.jwt_key)))
        return started[-1]

    yield start
    for server, api in started:
        api.close()
        server.close_and_judge()


class Stream:
    """An open event stream."""

    def __init__(self, url, user):
        self.connection = H1Connection(url, timeout=30 * SLOWNESS)
        self.connection.send(self.connection.encode("GET", "/v1/updates/stream", [("Authorization", f"Bearer {user.token}")]))
        assert self.connection.read_head()[0] == 200
        while b"id: " not in self.connection.read_chunk():
            pass
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        """A stream that is cut off has not ended."""
        with contextlib.suppress(Closed, OSError):
            while self.connection.read_chunk():
                pass
            self.ended.set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.thread.is_alive():
            self.connection.socket.shutdown(2)
        self.thread.join(10)
        self.connection.close()


def long_poll(stack, url, user):
    """One that waits."""
    before = metrics.waiters(stack)
    connection = H1Connection(url, timeout=30 * SLOWNESS)
    connection.send(connection.encode("GET", "/v1/updates?timeout=60", [("Authorization", f"Bearer {user.token}")]))
    metrics.wait_for_more_waiters(stack, before, 1)
    return connection


def refusals(api, user, peer):
    """One request of each kind: the codes of their answers."""
    mine = api.as_user(user)
    answers = [mine.fetch_conversation(), mine.fetch_messages(peer), mine.send(peer, "x"), mine.fetch_updates(timeout=0),
               mine.get("/v1/updates/stream"), mine.fetch_me(), mine.fetch_sessions(), mine.create_user(unique("u"), password=PASSWORD),
               mine.request("HEAD", "/v1/conversations")]
    return {answer.code or answer.status for answer in answers}


def test_end_of_one_session(api, pair, bob):
    phone, browser = pair
    api.as_user(phone).send(bob, "hello").expect(201)
    for _ in range(2):
        api.as_user(phone).fetch_conversation().expect(200)
        api.as_user(phone).fetch_messages(bob).expect(200)
    assert api.as_user(browser).end_session(phone.session_id).expect(204) is None
    assert refusals(api, phone, bob) == {"session-ended", 401}
    api.refresh_session(phone.refresh_token).expect(401, code="session-ended")
    (left,) = api.as_user(browser).fetch_sessions().expect(200)["sessions"]
    assert left["sessionId"] == browser.session_id
    api.refresh_session(browser.refresh_token).expect(200)
    api.as_user(browser).end_session(phone.session_id).expect(204)


def test_sessions_of_others_are_not_found(api, pair, name):
    phone, browser = pair
    stranger = unique("stranger")
    api.create_user(stranger, password=PASSWORD).expect(201)
    mine = api.as_user(api.log_in(stranger, PASSWORD))
    for session in (phone.session_id, "1", str(2**63 - 1), "0", "x", "others", "01", "%20"):
        mine.end_session(session).expect(404, code="session-not-found")
    assert mine.fetch_sessions().expect(200)["sessions"][0]["isCurrent"]
    api.as_user(phone).fetch_me().expect(200)
    api.as_user(browser).fetch_me().expect(200)


def test_log_out(api, pair):
    phone, browser = pair
    answer = api.as_user(phone).end_current_session()
    answer.expect(204)
    assert answer.headers["set-cookie"].startswith("__Host-parley=;")
    api.as_user(phone).end_current_session().expect(401, code="session-ended")
    # The own session by its id is a logout too.
    answer = api.as_user(browser).end_session(browser.session_id)
    answer.expect(204)
    assert answer.headers["set-cookie"].startswith("__Host-parley=;")


def test_token_without_a_session_cannot_log_out(api, alice):
    api.as_user(alice).end_current_session().expect(404, code="session-not-found")
    api.as_user(alice).fetch_me().expect(200)


def test_end_of_the_others(api, stack, pair, name, bob):
    phone, browser = pair
    third, integrator = api.log_in(name, PASSWORD), integrated(stack, phone)
    mine = api.as_user(browser)
    assert mine.end_other_sessions().expect(204) is None
    for ended in (phone, third):
        assert refusals(api, ended, bob) == {"session-ended", 401}
        api.refresh_session(ended.refresh_token).expect(401, code="session-ended")
    assert [s["sessionId"] for s in mine.fetch_sessions().expect(200)["sessions"]] == [browser.session_id]
    mine.end_other_sessions().expect(204)
    later = api.log_in(name, PASSWORD)
    api.as_user(later).fetch_me().expect(200)
    mine.fetch_me().expect(200)
    api.as_user(integrator).fetch_me().expect(200)
    api.as_user(integrator).end_other_sessions().expect(204)
    for ended in (browser, later):
        api.as_user(ended).fetch_me().expect(401, code="session-ended")


@pytest.mark.parametrize("query", ["", "?others=false", "?others=", "?others=True"])
def test_others_must_be_asked_for(api, pair, query):
    """A client that leaves the id of a session empty ends nothing."""
    phone, browser = pair
    (error,) = api.as_user(phone).request("DELETE", f"/v1/sessions{query}").expect(422)["errors"]
    assert error["pointer"] == "?others"
    api.as_user(phone).request("DELETE", "/v1/sessions/").expect(404)
    api.as_user(browser).fetch_me().expect(200)


def test_new_password_ends_the_others(api, pair, name):
    phone, browser = pair
    api.as_user(phone).update_me(password=OTHER, currentPassword=PASSWORD).expect(200)
    api.as_user(phone).fetch_me().expect(200)
    api.refresh_session(phone.refresh_token).expect(200)
    api.as_user(browser).fetch_me().expect(401, code="session-ended")
    api.refresh_session(browser.refresh_token).expect(401, code="session-ended")
    api.as_user(api.log_in(name, OTHER)).fetch_me().expect(200)


@pytest.mark.concurrent
def test_login_with_the_old_password_does_not_outlive_the_new_one(api, stack, pair, name):
    """The password is verified before the session is made: one that was changed in between makes none."""
    phone, _ = pair
    results = []
    with stack.mailboxes_held(phone):
        login = threading.Thread(target=lambda: results.append(api.create_session(name, PASSWORD)))
        login.start()
        stack.wait_until_blocked(phone)
        stack.query(stack.database_of(phone.id), f"UPDATE {stack.schema_of(phone.id)}.account SET password_hash = 'x' WHERE user_id = %s",
                    (phone.id,))
    login.join(20)
    results[0].expect(401, code="invalid-credentials")


# Streams and long-polls

def test_streams_and_long_polls_end(api, stack, contract, pair):
    """Those of the session, and at once; the others stay."""
    phone, browser = pair
    with Stream(stack.url, phone) as ended, Stream(stack.url, browser) as stays:
        poll = long_poll(stack, stack.url, phone)
        start = time.monotonic()
        api.as_user(browser).end_session(phone.session_id).expect(204)
        status, headers, body = poll.read_response()
        assert contract.check("GET", "/v1/updates", status, headers, body)["code"] == "session-ended"
        assert ended.ended.wait(PROMPTLY) and time.monotonic() - start < PROMPTLY
        assert not stays.ended.is_set()
        api.as_user(browser).end_current_session().expect(204)
        assert stays.ended.wait(PROMPTLY)
        poll.close()


def test_reused_token_ends_the_stream(api, stack, pair):
    """The stream of the session ends, no other."""
    phone, browser = pair
    second = api.refresh_session(phone.refresh_token).expect(200)["refreshToken"]
    api.refresh_session(second).expect(200)
    stack.query(stack.database_of(phone.id), f"UPDATE {stack.schema_of(phone.id)}.session SET rotations = '{{1,1}}' "
                                             "WHERE user_id = %s AND session_id = %s", (phone.id, phone.session_id))
    with Stream(stack.url, phone) as ended, Stream(stack.url, browser) as stays:
        api.refresh_session(phone.refresh_token).expect(401, code="session-ended")
        assert ended.ended.wait(PROMPTLY) and not stays.ended.is_set()


@pytest.mark.own_server
def test_stream_and_its_token(stack, second_server, api, pair):
    """A stream without a session ends when its token does; one of a session goes on."""
    phone, _ = pair
    server, _ = second_server(push={"heartbeat": 1})
    lifetime = 4 * SLOWNESS
    of_session = User(phone.id, phone.username, tokens.mint(stack.jwt_key, phone.id, lifetime, sid=phone.session_id))
    without = integrated(stack, phone, exp=int(time.time()) + lifetime)
    with Stream(server.url, of_session) as stays, Stream(server.url, without) as ends:
        assert ends.ended.wait(lifetime + 5 * SLOWNESS)
        assert not stays.ended.wait(2)
        api.as_user(phone).end_current_session().expect(204)
        assert stays.ended.wait(10 * SLOWNESS)


@pytest.mark.own_server
def test_stream_of_an_expired_session(stack, second_server, pair):
    """A session that is not refreshed expires, is deleted, and its stream ends."""
    phone, browser = pair
    server, _ = second_server(push={"heartbeat": 1})
    database = stack.database_of(phone.id)
    with Stream(server.url, phone) as ends, Stream(server.url, browser) as stays:
        stack.query(database, f"UPDATE {stack.schema_of(phone.id)}.session SET expires_timestamp = 1, expires_hour = 0 "
                              "WHERE user_id = %s AND session_id = %s", (phone.id, phone.session_id))
        stack.query(database, "SELECT parley.expire_sessions(86400000000, 86400000000, 1000)")
        assert ends.ended.wait(10 * SLOWNESS) and not stays.ended.is_set()
    rows = stack.query(database, f"SELECT session_id FROM {stack.schema_of(phone.id)}.session WHERE user_id = %s", (phone.id,))
    assert rows == [(int(browser.session_id),)]


# Other servers

def prime(api, user, peer):
    """Has the server keep pages of the user; returns the version of the conversations."""
    for _ in range(2):
        api.as_user(user).fetch_messages(peer).expect(200)
        answer = api.as_user(user).fetch_conversation()
        answer.expect(200)
    return {"if-none-match": answer.headers["etag"]}


@pytest.mark.own_server
def test_cached_pages_on_another_server(api, stack, second_server, pair, bob):
    """Refused with the answer of the ending, long before the heartbeat, and then all else is refused too. The tokens of the
    other session and of an integrator, which are as old, go on."""
    phone, browser = pair
    _, other = second_server(push={"heartbeat": 60})
    integrator = integrated(stack, phone)
    api.as_user(phone).send(bob, "hello").expect(201)
    versions = {user: prime(other, user, bob) for user in (phone, browser, integrator)}
    api.as_user(browser).end_session(phone.session_id).expect(204)
    for user in (browser, integrator):
        for _ in range(3):
            other.as_user(user).fetch_conversation().expect(200)
            other.as_user(user).fetch_conversation(versions[user]).expect(304)
            other.as_user(user).fetch_messages(bob).expect(200)
    other.as_user(phone).fetch_conversation(versions[phone]).expect(401, code="session-ended")
    assert refusals(other, phone, bob) == {"session-ended", 401}
    for user in (browser, integrator):
        other.as_user(user).send(bob, "x").expect(201)


@pytest.mark.own_server
@pytest.mark.parametrize("request_name", ["fetch_conversation", "fetch_messages"])
def test_each_cached_page_is_refused_first(api, second_server, pair, bob, request_name):
    phone, browser = pair
    _, other = second_server(push={"heartbeat": 60})
    api.as_user(phone).send(bob, "hello").expect(201)
    prime(other, phone, bob)
    api.as_user(browser).end_other_sessions().expect(204)
    arguments = (bob,) if request_name == "fetch_messages" else ()
    getattr(other.as_user(phone), request_name)(*arguments).expect(401, code="session-ended")


@pytest.mark.own_server
def test_sends_and_streams_on_another_server(api, contract, second_server, pair, bob):
    """Within a heartbeat."""
    phone, browser = pair
    server, other = second_server(push={"heartbeat": 1})
    other.as_user(phone).send(bob, "hello").expect(201)
    with Stream(server.url, phone) as ends, Stream(server.url, browser) as stays:
        poll = H1Connection(server.url, timeout=30 * SLOWNESS)
        poll.send(poll.encode("GET", "/v1/updates?timeout=60", [("Authorization", f"Bearer {phone.token}")]))
        api.as_user(browser).end_session(phone.session_id).expect(204)
        wait_until(lambda: other.as_user(phone).fetch_me().code == "session-ended", 10 * SLOWNESS, "reads are refused")
        other.as_user(phone).send(bob, "x").expect(401, code="session-ended")
        assert ends.ended.wait(10 * SLOWNESS)
        status, headers, body = poll.read_response()
        assert contract.check("GET", "/v1/updates", status, headers, body)["code"] == "session-ended"
        poll.close()
        other.as_user(browser).send(bob, "x").expect(201)
        assert not stays.ended.is_set()


@pytest.mark.own_server
def test_server_that_starts_later(api, stack, second_server, pair, name, bob):
    """It has read what has ended before its first request."""
    phone, browser = pair
    api.as_user(browser).end_session(phone.session_id).expect(204)
    revoked = integrated(stack, bob)
    api.admin().revoke_user_sessions(bob).expect(204)
    _, other = second_server(push={"heartbeat": 60})
    other.as_user(phone).send(bob, "x").expect(401, code="session-ended")
    other.as_user(revoked).send(phone, "x").expect(401, code="session-ended")
    other.as_user(browser).send(bob, "x").expect(201)


@pytest.mark.own_server
def test_restart(api, stack, second_server, pair, bob):
    """A server that was killed forgets nothing."""
    phone, browser = pair
    server, other = second_server(push={"heartbeat": 60})
    other.as_user(browser).end_session(phone.session_id).expect(204)
    other.as_user(phone).send(bob, "x").expect(401, code="session-ended")
    server.kill()
    server.start()
    other.as_user(phone).send(bob, "x").expect(401, code="session-ended")
    other.as_user(browser).send(bob, "x").expect(201)


# Administrators

def test_revocation(api, stack, pair, name, bob):
    """All sessions of the user, and the tokens that have none."""
    phone, browser = pair
    tokens_without = [integrated(stack, phone), integrated(stack, phone, iat=None), integrated(stack, phone, iat=1)]
    with Stream(stack.url, phone) as first, Stream(stack.url, tokens_without[0]) as second:
        assert api.admin().revoke_user_sessions(phone).expect(204) is None
        assert first.ended.wait(PROMPTLY) and second.ended.wait(PROMPTLY)
    for user in (phone, browser, *tokens_without):
        assert refusals(api, user, bob) == {"session-ended", 401}
    for user in (phone, browser):
        api.refresh_session(user.refresh_token).expect(401, code="session-ended")
    again = api.log_in(name, PASSWORD)
    assert len(api.as_user(again).fetch_sessions().expect(200)["sessions"]) == 1
    api.as_user(bob).fetch_me().expect(200)


@pytest.mark.own_server
def test_new_token_after_the_revocation(api, stack, second_server, alice):
    """Without leeway, so that the test need not wait for it."""
    _, other = second_server(auth={"clock_leeway": 0}, push={"heartbeat": 60})
    old = integrated(stack, alice)
    other.admin().revoke_user_sessions(alice).expect(204)
    other.as_user(old).fetch_me().expect(401, code="session-ended")
    wait_until(lambda: other.as_user(integrated(stack, alice)).fetch_me().status == 200, 5 * SLOWNESS, "a new token is good")
    other.as_user(old).fetch_me().expect(401, code="session-ended")


@pytest.mark.own_server
def test_revoked_token_and_cached_pages_on_another_server(api, stack, second_server, alice, bob):
    _, other = second_server(push={"heartbeat": 60})
    api.as_user(alice).send(bob, "hello").expect(201)
    prime(other, alice, bob)
    api.admin().revoke_user_sessions(alice).expect(204)
    other.as_user(alice).fetch_conversation().expect(401, code="session-ended")
    other.as_user(alice).send(bob, "x").expect(401, code="session-ended")


def test_only_administrators_revoke(api, pair, bob):
    phone, _ = pair
    for caller in (phone, bob):
        api.as_user(caller).revoke_user_sessions(phone).expect(403, code="forbidden")
    for user in ("1", "x", "0", str(2**63 - 1), str(int(phone.id) | 256)):
        api.admin().revoke_user_sessions(user).expect(404, code="user-not-found")
    api.as_user(phone).fetch_me().expect(200)


# What is left

def test_erasure_deletes_the_sessions(api, stack, pair):
    phone, browser = pair
    with Stream(stack.url, browser) as stream:
        api.as_user(phone).delete_me(PASSWORD).expect(204)
        assert stream.ended.wait(PROMPTLY)
    for user in pair:
        api.refresh_session(user.refresh_token).expect(401, code="session-ended")
        api.as_user(user).fetch_me().expect(401, code="invalid-token")
    assert stack.query(stack.database_of(phone.id), f"SELECT count(*) FROM {stack.schema_of(phone.id)}.session WHERE user_id = %s",
                       (phone.id,)) == [(0,)]


def test_export_has_the_sessions(api, pair):
    phone, browser = pair
    export = api.as_user(browser).export_me().expect(200)
    found = [line["session"] for line in export if line["type"] == "session"]
    listed = api.as_user(browser).fetch_sessions().expect(200)["sessions"]
    assert found == [{k: v for k, v in session.items() if k != "isCurrent"} for session in listed] and len(found) == 2
    assert export[-1]["end"]["sessions"] == 2
