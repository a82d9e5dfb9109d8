"""Proves that steps of the server's clock, forwards and back, also over a restart, break no promise: both users of a
conversation see one ascending order, deltas lose nothing, long-polls last as long as they should, and streams keep their
heartbeats and wake-ups.

Only parleyd sees the stepped clock (libfaketime). The databases and the clients have the true time."""

import glob
import os
import threading
import time
from unittest import mock

import httpx
import pytest

from harness import stack as harness_stack
from harness import metrics, tokens
from harness.client import Api
from harness.h1conn import H1Connection
from harness.sse import Parser
from harness.stack import REPOSITORY, SLOWNESS, Parleyd

LIBRARY = (glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") or [None])[0]
RELEASE = os.path.join(REPOSITORY, "build", "release", "src", "parleyd")
TRUE, BACK, AHEAD = "+0", "-1h", "+2h"


class Clock:
    """The wall clock of parleyd, as an offset to the true time. The monotonic clock does not change."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "clock")
        self.set(TRUE)

    def set(self, offset):
        with open(self.path + ".new", "w", encoding="ascii") as stream:
            stream.write(f"{offset}\n")
        os.replace(self.path + ".new", self.path)

    def environment(self):
        # libc comes first, for its malloc: jemalloc reads the time before libfaketime is initialised.
        return {"LD_PRELOAD": f"{LIBRARY} libc.so.6", "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                # Otherwise waits for a condition on the monotonic clock end at once.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0"}


class SteppedParleyd(Parleyd):
    def __init__(self, stack, clock, overrides):
        super().__init__(stack, overrides)
        self.clock = clock

    def spawn(self):
        with mock.patch.dict(os.environ, self.clock.environment()):
            return super().spawn()


@pytest.fixture
def clock(stack):
    """Where the user of parleyd can read it."""
    return Clock(stack.directory)


@pytest.fixture
def server(stack, clock, monkeypatch):
    if LIBRARY is None:
        pytest.skip("libfaketime is not installed (Debian package faketime)")
    if any(word in harness_stack.BUILD_DIR for word in ("asan", "tsan")):
        # A sanitizer's own library must come first in the process.
        if not os.path.exists(RELEASE):
            pytest.skip("libfaketime cannot be preloaded into a sanitizer's build, and there is no build/release")
        monkeypatch.setattr(harness_stack, "PARLEYD", RELEASE)
    server = SteppedParleyd(stack, clock, {"push": {"heartbeat": 1}}).start()
    yield server
    server.close_and_judge()


@pytest.fixture
def single_use(api):
    """A connection for each request. A step forwards makes a waiting connection look idle for hours, and the server may
    close it just when the next request is sent on it."""
    http = httpx.Client(base_url=api.base_url, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))
    yield Api(api.base_url, api.contract, api.key, http=http)
    http.close()


def with_lasting_tokens(stack, users):
    """Tokens that are valid at any clock offset: without `iat`, and for many days."""
    for user in users:
        user.token = tokens.mint(stack.jwt_key, user.id, lifetime=10 * 86400, iat=None)
    return users


@pytest.fixture
def users(pair, stack):
    return with_lasting_tokens(stack, pair)


@pytest.fixture
def far_users(far_pair, stack):
    return with_lasting_tokens(stack, far_pair)


def seconds_ahead(message_id):
    return message_id / 2e6 - time.time()


class Side:
    """One participant, who follows the mailbox by deltas and keeps the messages."""

    def __init__(self, api, user, peer):
        self.api, self.user, self.peer = api.as_user(user), user, peer
        self.cursor = 0
        self.received = []

    def catch_up(self):
        delta = self.api.fetch_updates(lastUpdatedTimestamp=self.cursor, timeout=0).expect(200)
        assert delta["isDeltaUpdate"] is True or self.cursor == 0
        assert delta["lastUpdatedTimestamp"] >= self.cursor
        assert all(m["lastUpdatedTimestamp"] > self.cursor for m in delta["messages"])
        self.received += delta["messages"]
        self.cursor = delta["lastUpdatedTimestamp"]

    def newest(self):
        page = self.api.fetch_messages(self.peer, pageSize=1).expect(200)["messages"]
        return page[0]["messageContent"] if page else None

    def check(self, contents, ids):
        for messages in (self.received, self.api.all_messages(self.peer)):
            assert [m["messageContent"] for m in messages] == contents
            assert [int(m["messageId"]) for m in messages] == ids


def talk(sides, contents, ids, count=6):
    """Each user reads the other's message before answering. Each new message sorts last."""
    for i in range(count):
        writer = sides[i % 2]
        assert writer.newest() == (contents[-1] if contents else None)
        content = f"{len(contents)}"
        sent = writer.api.send(writer.peer, content).expect(201)
        assert sent["senderCopy"] == "stored"
        ids.append(int(sent["messageId"]))
        contents.append(content)
        assert sent["sentTimestamp"] == ids[-1] // 2
        assert ids == sorted(set(ids)), f"{content} sorts before what was there: {ids}"
        for side in sides:
            side.catch_up()


@pytest.mark.timeout(120 * SLOWNESS)
def test_one_order_over_steps_and_restarts(server, clock, single_use, users):
    sides = [Side(single_use, user, peer) for user, peer in (users, users[::-1])]
    contents, ids = [], []
    for offset in (TRUE, BACK, AHEAD, TRUE, BACK):
        clock.set(offset)
        talk(sides, contents, ids)
        if offset == AHEAD:
            assert seconds_ahead(ids[-1]) > 7000  # The server has seen the step.
    for end, offset in ((server.kill, BACK), (server.terminate, AHEAD), (server.kill, TRUE)):
        end()
        clock.set(offset)
        server.start()
        talk(sides, contents, ids)
    assert len(contents) == 48
    for side in sides:
        side.check(contents, ids)


@pytest.mark.timeout(120 * SLOWNESS)
def test_first_message_after_a_restart_sorts_last(server, clock, single_use, users):
    """The restarted server has read nothing yet, and its clock is behind everything that is stored."""
    sides = [Side(single_use, user, peer) for user, peer in (users, users[::-1])]
    contents, ids = [], []
    clock.set(AHEAD)
    talk(sides, contents, ids, 3)
    assert seconds_ahead(ids[-1]) > 7000
    server.kill()
    clock.set(BACK)
    server.start()
    for i in range(3):  # First the sender of the last message sends, then the other user.
        writer = sides[i % 2]
        sent = writer.api.send(writer.peer, f"late {i}").expect(201)
        contents.append(f"late {i}")
        ids.append(int(sent["messageId"]))
        assert ids == sorted(set(ids))
    for side in sides:
        side.catch_up()
        side.check(contents, ids)


def poll(server, contract, user, timeout):
    """The seconds that an empty long-poll took."""
    target = f"/v1/updates?timeout={timeout}"
    with H1Connection(server.url, timeout=60) as connection:
        start = time.monotonic()
        connection.send(connection.encode("GET", target, [("Authorization", f"Bearer {user.token}")]))
        status, headers, body = connection.read_response()
        took = time.monotonic() - start
    delta = contract.check("GET", target, status, headers, body)
    assert status == 200 and delta["messages"] == []
    return took


class Polling(threading.Thread):
    def __init__(self, *arguments):
        super().__init__(daemon=True)
        self.arguments, self.took = arguments, None
        self.start()

    def run(self):
        self.took = poll(*self.arguments)

    def check(self):
        self.join(30 * SLOWNESS)
        assert self.took is not None and 1.95 <= self.took < 8 * SLOWNESS, self.took


class Stream:
    def __init__(self, server, contract, user):
        self.contract = contract
        self.connection = H1Connection(server.url, timeout=20 * SLOWNESS)
        self.connection.send(self.connection.encode("GET", "/v1/updates/stream",
                                                    [("Authorization", f"Bearer {user.token}")]))
        assert self.connection.read_head()[0] == 200
        self.parser, self.messages = Parser(), []

    def feed(self):
        for event in self.parser.feed(self.connection.read_chunk()):
            self.messages += self.contract.check_event(event)["messages"]

    def until(self, predicate, limit):
        """The seconds until then."""
        start = time.monotonic()
        while not predicate():
            self.feed()
        took = time.monotonic() - start
        assert took < limit * SLOWNESS, took
        return took

    def check_alive(self, writer, recipient, content):
        """Checks that three heartbeats come, one each second, and that a message comes at once."""
        took = 0
        while took < 0.3:  # Reads earlier messages first.
            start = time.monotonic()
            self.feed()
            took = time.monotonic() - start
        start, comments = time.monotonic(), self.parser.comments
        self.until(lambda: self.parser.comments >= comments + 3, 5)
        assert time.monotonic() - start > 1.5
        sent = writer.send(recipient, content).expect(201)
        self.until(lambda: any(m["messageId"] == sent["messageId"] for m in self.messages), 3)


@pytest.mark.slow
@pytest.mark.timeout(120 * SLOWNESS)
def test_waiting_is_by_the_monotonic_clock(server, clock, api, contract, far_users):
    sender, recipient = far_users
    writer = api.as_user(sender)
    stream = Stream(server, contract, recipient)
    stream.check_alive(writer, recipient, "true")
    for offset in (BACK, AHEAD, TRUE):
        over_the_step = Polling(server, contract, recipient, 2)
        metrics.wait_for_waiters(server, 2)
        clock.set(offset)
        within = Polling(server, contract, recipient, 2)
        over_the_step.check()
        within.check()
        stream.check_alive(writer, recipient, offset)
    assert [m["messageContent"] for m in stream.messages] == ["true", BACK, AHEAD, TRUE]
    stream.connection.close()


@pytest.mark.slow
@pytest.mark.timeout(120 * SLOWNESS)
@pytest.mark.parametrize("http2", [False, True], ids=["http1", "h2c"])
def test_no_answer_is_stuck_by_a_step_back(server, clock, stack, contract, far_users, http2):
    """Four clients work while the clock repeatedly steps back one minute. No answer may wait in the loop for a time of
    the wall clock."""
    sender, recipient = far_users
    slowest, failures, stop = [], [], threading.Event()

    def work(number):
        api = Api(server.url, contract, stack.jwt_key, http2=http2).as_user(sender)
        worst = 0
        try:
            for i in range(1_000_000):
                if stop.is_set():
                    break
                start = time.monotonic()
                if i % 2:
                    api.fetch_conversation(pageSize=1).expect(200)
                else:
                    api.send(recipient, "hello", f"{number}-{i}").expect(201)
                worst = max(worst, time.monotonic() - start)
        except Exception as error:  # pylint: disable=broad-except
            failures.append(repr(error))
        finally:
            slowest.append(worst)
            api.close()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    # 2,000 steps, or fewer on a machine that is too busy for so many in 40 s.
    begin, step = time.monotonic(), 0
    while step < 2000 and (step < 200 or time.monotonic() - begin < 40):
        step += 1
        clock.set(f"-{step * 60}s")
        time.sleep(0.002)
    stop.set()
    for thread in threads:
        thread.join(10 * SLOWNESS)
    assert not any(thread.is_alive() for thread in threads), "an answer never came"
    assert not failures and max(slowest) < 5 * SLOWNESS, (failures, slowest)
