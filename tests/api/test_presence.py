"""Proves fetchPresence, announcePresence and a stream's `presence`: a stream, a long-poll or an announcement makes a user
online, and after a time without them the user is offline; users who share no conversation are left out; watchers get the
present state and every change, on every worker, however slowly they read."""

import asyncio
import time
import urllib.parse

import pytest

from harness import metrics, tokens
from harness.client import Api, User
from harness.h1conn import H1Connection
from harness.h2conn import H2Connection
from harness.sse import Parser
from harness.stack import PROMPTLY, SLOWNESS, Parleyd

TIMEOUT = 2  # s
STREAM = "/v1/updates/stream"


@pytest.fixture(scope="module")
def server(stack):
    """A server with two workers and a short presence timeout. The heartbeat is long, so that no test passes because of it."""
    server = Parleyd(stack, {"server": {"workers": 2}, "push": {"presence_timeout": TIMEOUT, "heartbeat": 60}}).start()
    yield server
    server.check_log()
    server.close()


@pytest.fixture
def quick(server, contract, stack):
    api = Api(server.url, contract, stack.jwt_key)
    yield api
    api.close()


@pytest.fixture
def friends(api, alice, bob):
    """alice and bob have a conversation."""
    api.as_user(alice).send(bob, "hello").expect(201)
    return alice, bob


class Stream:
    """An open stream of a user over HTTP/1.1. Other events than presence are skipped."""

    def __init__(self, server, user, contract, watched=(), query_string=None, **query):
        self.contract, self.parser, self.pending = contract, Parser(), []
        if watched:
            query["presence"] = ",".join(u.id for u in watched)
        self.connection = H1Connection(server.url, timeout=40 * SLOWNESS)
        self.connection.send(self.connection.encode("GET", f"{STREAM}?{query_string or urllib.parse.urlencode(query)}", [("Authorization", f"Bearer {user.token}")]))
        status, headers = self.connection.read_head()
        contract.check("GET", STREAM, status, headers, b"")
        assert status == 200

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def events(self):
        """The events in the next chunk."""
        while not self.pending:
            chunk = self.connection.read_chunk()
            assert chunk, "the stream has ended"
            self.pending += self.parser.feed(chunk)
        events, self.pending = self.pending, []
        return [(event, self.contract.check_event(event)) for event in events]

    def presence(self, count=1):
        """The next presence events: {userId: data}."""
        found = {}
        while len(found) < count:
            for event, data in self.events():
                if event.name == "presence":
                    assert event.id is None and data["userId"] not in found
                    found[data["userId"]] = data
        return found

    def presence_of(self, user):
        (data,) = self.presence().values()
        assert data["userId"] == user.id
        return data

    def until(self, message_id):
        """The presence events before the message."""
        found = []
        while True:
            for event, data in self.events():
                if event.name == "presence":
                    found.append(data)
                elif any(m["messageId"] == message_id for m in data["messages"]):
                    return found


def presence_of(api, watcher, user):
    (found,) = api.as_user(watcher).fetch_presence(user).expect(200)["users"]
    assert found["userId"] == user.id
    return found


def wait_for(predicate, timeout, what):
    deadline = time.monotonic() + timeout
    while not predicate():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_never_seen_users_have_no_last_seen_time(api, friends):
    alice, bob = friends
    assert presence_of(api, alice, bob) == {"userId": bob.id, "online": False}


def test_announcement(api, friends):
    alice, bob = friends
    before = int(time.time() * 1e6)
    assert api.as_user(bob).announce_presence().expect(204) is None
    state = presence_of(api, alice, bob)
    assert state["online"] is True
    assert before < state["lastSeenTimestamp"] < time.time() * 1e6 + 1e6
    assert presence_of(api, bob, alice)["online"] is False, "fetching presence does not make a user online"


def test_stream_makes_online(stack, api, contract, friends):
    alice, bob = friends
    with Stream(stack, bob, contract):
        first = presence_of(api, alice, bob)
        assert first["online"] is True
        later = presence_of(api, alice, bob)
        assert later["lastSeenTimestamp"] > first["lastSeenTimestamp"], "while the stream is open, it is the present time"


def test_long_poll_makes_online(api, stack, friends):
    alice, bob = friends
    before = metrics.waiters(stack)
    api.as_user(bob).fetch_updates(timeout=0).expect(200)
    assert presence_of(api, alice, bob)["online"] is False, "a poll with timeout 0 does not count"

    async def main():
        loop = asyncio.get_running_loop()
        wait = loop.run_in_executor(None, lambda: api.as_user(bob).fetch_updates(timeout=30))
        await asyncio.to_thread(metrics.wait_for_more_waiters, stack, before)
        assert presence_of(api, alice, bob)["online"] is True
        await loop.run_in_executor(None, lambda: api.as_user(alice).send(bob, "x").expect(201))
        (await wait).expect(200)

    asyncio.run(main())
    assert presence_of(api, alice, bob)["online"] is True


def test_strangers_do_not_exist(api, friends):
    """Users who share no conversation are left out, as are unknown users, the caller and ids that are not users'."""
    alice, bob = friends
    carol = api.make_user()
    api.as_user(carol).announce_presence().expect(204)
    unknown, group = str(int(alice.id) ^ 0xff), str(int(alice.id) | 1 << 8)
    mine = api.as_user(alice)
    assert mine.fetch_presence(carol).expect(200) == {"users": []}
    users = mine.fetch_presence(carol, unknown, bob, alice, group, 1, 9223372036854775807).expect(200)["users"]
    assert [user["userId"] for user in users] == [bob.id]
    api.as_user(carol).send(alice, "hello").expect(201)
    assert presence_of(api, alice, carol)["online"] is True
    assert presence_of(api, carol, alice)["online"] is False


def test_order_and_pairs(api, pair):
    """Answers are in the order of the query, each user once, in each placement of the users."""
    one, other = pair
    third = api.make_user()
    api.as_user(one).send(other, "x").expect(201)
    api.as_user(third).send(one, "x").expect(201)
    for asked, expected in (((other, third), [other, third]), ((third, other, third, other), [third, other])):
        users = api.as_user(one).fetch_presence(*asked).expect(200)["users"]
        assert [user["userId"] for user in users] == [user.id for user in expected]
    wait_for(lambda: api.as_user(other).fetch_presence(one).expect(200)["users"], 5 * SLOWNESS, "they share it")


@pytest.mark.parametrize("value", ["", ",", "1,", ",1", "x", "1,x", "-1", "0", "01", "1 ", "1;2", "9223372036854775808",
                                   ",".join(str(i) for i in range(1, 102))])
def test_ids_are_checked(api, alice, value):
    for name, target in (("userIds", "/v1/presence"), ("presence", STREAM)):
        problem = api.as_user(alice).get(target, **{name: value}).expect(422, code="validation-failed")
        assert problem["errors"][0]["pointer"] == f"?{name}"


def query_of(name, ids, form):
    return f"{name}={form.join(str(i) for i in ids)}" if form in (",", "%2C") else "&".join(f"{name}={i}" for i in ids)


@pytest.mark.parametrize("form", [",", "%2C", "&"])
def test_lists_of_ids_come_in_each_form(stack, api, contract, friends, form):
    """As a,b and as one parameter for each, as generated clients send them; also mixed, and as a stream's list."""
    alice, bob = friends
    target = "/v1/presence?" + query_of("userIds", [7, bob.id, alice.id], form)
    assert [u["userId"] for u in api.as_user(alice).get(target).expect(200)["users"]] == [bob.id]
    mixed = api.as_user(alice).get(target + "&userIds=" + f"{bob.id},8").expect(200)
    assert [u["userId"] for u in mixed["users"]] == [bob.id]
    with Stream(stack, alice, contract, query_string=query_of("presence", [7, bob.id, 8], form)) as stream:
        assert stream.presence_of(bob)["online"] is False


def test_a_list_in_parts_is_checked_as_a_whole(api, alice):
    for name, target in (("userIds", "/v1/presence"), ("presence", STREAM)):
        for query in (f"{name}=1&{name}=", f"{name}=1&{name}=x", "&".join(f"{name}={i}" for i in range(1, 102))):
            problem = api.as_user(alice).get(f"{target}?{query}").expect(422, code="validation-failed")
            assert problem["errors"][0]["pointer"] == f"?{name}"
    api.as_user(alice).get("/v1/updates?timeout=0&timeout=0").expect(400, code="invalid-query")


def test_ids_are_required(api, alice):
    api.as_user(alice).get("/v1/presence").expect(422, code="validation-failed")


def test_a_hundred_ids(stack, api, contract, friends):
    alice, bob = friends
    ids = [*range(1, 100), bob.id]
    assert [u["userId"] for u in api.as_user(alice).fetch_presence(*ids).expect(200)["users"]] == [bob.id]
    many = [User(str(i), "", "") for i in range(1, 100)] + [bob]
    with Stream(stack, alice, contract, many) as stream:
        assert stream.presence_of(bob)["online"] is False


def test_token_of_unknown_user(api, stack, alice):
    unknown = str(int(alice.id) ^ 0xff)
    mine = api.as_user(User(unknown, "unknown", tokens.mint(stack.jwt_key, unknown)))
    mine.fetch_presence(alice).expect(401, code="invalid-token")
    mine.announce_presence().expect(401, code="invalid-token")


def test_cookie_of_another_site(api, alice):
    cookie = {"cookie": f"__Host-parley={alice.token}"}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
        api.as_user(None).announce_presence({**cookie, **headers}).expect(403, code="cross-site-request")
    api.as_user(None).announce_presence({**cookie, "sec-fetch-site": "same-origin"}).expect(204)


def test_watch_begins_with_the_present_state(stack, api, contract, friends):
    alice, bob = friends
    carol = api.make_user()
    api.as_user(carol).send(alice, "hello").expect(201)
    api.as_user(carol).announce_presence().expect(204)
    with Stream(stack, alice, contract, [bob, carol, bob]) as stream:
        states = stream.presence(2)
        assert states[bob.id] == {"userId": bob.id, "online": False}
        assert states[carol.id]["online"] is True and states[carol.id]["lastSeenTimestamp"] > 0


@pytest.mark.own_server
def test_offline_after_the_timeout(server, quick, contract, friends):
    """After an announcement and after the end of a stream; by watching and by fetching."""
    alice, bob = friends
    with Stream(server, alice, contract, [bob]) as stream:
        assert stream.presence_of(bob)["online"] is False
        for come in ("announcement", "stream"):
            start = time.monotonic()
            if come == "announcement":
                quick.as_user(bob).announce_presence().expect(204)
            else:
                with Stream(server, bob, contract):
                    assert stream.presence_of(bob)["online"] is True
                    time.sleep(TIMEOUT + 1.5)
                    assert presence_of(quick, alice, bob)["online"] is True
                start = time.monotonic()
            if come == "announcement":
                assert stream.presence_of(bob)["online"] is True
                assert time.monotonic() - start < PROMPTLY
            seen = presence_of(quick, alice, bob)["lastSeenTimestamp"]
            state = stream.presence_of(bob)
            assert state["online"] is False and state["lastSeenTimestamp"] == pytest.approx(seen, abs=5e6 * SLOWNESS)
            assert TIMEOUT - 0.1 <= time.monotonic() - start < TIMEOUT + 1.5 + PROMPTLY
            assert presence_of(quick, alice, bob) == state


@pytest.mark.own_server
def test_announcements_keep_online(server, quick, contract, friends):
    alice, bob = friends
    with Stream(server, alice, contract, [bob]) as stream:
        stream.presence_of(bob)
        for _ in range(9):
            quick.as_user(bob).announce_presence().expect(204)
            time.sleep(TIMEOUT / 4)
            assert presence_of(quick, alice, bob)["online"] is True
        sent = quick.as_user(bob).send(alice, "x").expect(201)["messageId"]
        assert [state["online"] for state in stream.until(sent)] == [True], "only a change gives an event"


@pytest.mark.own_server
def test_reconnect_is_no_change(server, quick, contract, friends):
    alice, bob = friends
    with Stream(server, alice, contract, [bob]) as stream:
        stream.presence_of(bob)
        for _ in range(5):
            with Stream(server, bob, contract):
                pass
        with Stream(server, bob, contract):
            time.sleep(TIMEOUT + 1.5)
            sent = quick.as_user(bob).send(alice, "x").expect(201)["messageId"]
            assert [state["online"] for state in stream.until(sent)] == [True]


@pytest.mark.own_server
def test_a_stranger_is_shown_from_the_first_message_on(server, quick, api, contract, friends):
    """A watcher gets no event of a user without a conversation. The first message, by either user, makes the presence
    visible."""
    alice, bob = friends
    for writer_is_stranger in (True, False):
        carol = api.make_user()
        with Stream(server, alice, contract, [carol]) as stream:
            quick.as_user(carol).announce_presence().expect(204)
            sent = quick.as_user(bob).send(alice, "x").expect(201)["messageId"]
            assert stream.until(sent) == [], "a change of the mailbox does not show a stranger"
            if writer_is_stranger:
                quick.as_user(carol).send(alice, "x").expect(201)
            else:
                quick.as_user(alice).send(carol, "x").expect(201)
            assert stream.presence_of(carol)["online"] is True


@pytest.mark.own_server
@pytest.mark.concurrent
def test_watchers_on_all_workers(server, quick, contract, friends):
    """Sixteen watchers on connections of their own, while the watched user comes and goes on many others. All end with
    the same state, and none gets the same state twice in a row."""
    alice, bob = friends

    async def main():
        target = f"{STREAM}?presence={bob.id}"
        connections = [await H2Connection.open(server.url) for _ in range(16)]
        streams = [connection.start("GET", target, [("authorization", f"Bearer {alice.token}")])
                   for connection in connections]
        views = [[] for _ in streams]
        has_last = [asyncio.Event() for _ in streams]
        parsers = [Parser() for _ in streams]

        async def watch(i):
            while True:
                for event in parsers[i].feed(await streams[i].read(60 * SLOWNESS)):
                    data = contract.check_event(event)
                    if event.name == "presence":
                        views[i].append(data["online"])
                    elif any(message["messageContent"] == "the last" for message in data["messages"]):
                        has_last[i].set()

        for stream in streams:
            assert await stream.wait_headers() == 200
        tasks = [asyncio.create_task(watch(i)) for i in range(len(streams))]
        async def until_all_have(count):
            deadline = time.monotonic() + 30 * SLOWNESS
            while not all(len(view) >= count for view in views):
                assert time.monotonic() < deadline, views
                await asyncio.sleep(0.02)

        for turn in range(3):
            guests = [await H2Connection.open(server.url) for _ in range(8)]
            for guest in guests:
                guest.start("GET", STREAM, [("authorization", f"Bearer {bob.token}")])
                guest.start("PUT", "/v1/presence", [("authorization", f"Bearer {bob.token}")])
            await until_all_have(2 * turn + 2)
            for guest in guests:
                await guest.close()
            await until_all_have(2 * turn + 3)
        # A message comes after all earlier presence events.
        await asyncio.to_thread(lambda: quick.as_user(bob).send(alice, "the last").expect(201))
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in has_last)), 30 * SLOWNESS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in connections:
            await connection.close()
        return views

    for view in asyncio.run(main()):
        assert view == [False] + [True, False] * 3
    wait_for(lambda: metrics.total(metrics.scrape(server.admin_url), "parley_presence_watched") == 0,
             5 * SLOWNESS, "the watchers have left")


@pytest.mark.own_server
@pytest.mark.concurrent
def test_vanished_clients_are_forgotten(server, quick, contract, friends):
    """Watchers and watched users leave at any moment. Afterwards the server remembers only when they were last seen."""
    alice, bob = friends
    for i in range(20):
        connections = []
        for user, query in ((alice, f"?presence={bob.id}"), (bob, f"?presence={alice.id}"), (bob, "")):
            connection = H1Connection(server.url)
            connection.send(connection.encode("GET", STREAM + query, [("Authorization", f"Bearer {user.token}")]))
            connections.append(connection)
        if i % 2:
            connections[0].read_head()
        quick.as_user(bob).announce_presence().expect(204)
        for connection in connections[:: 1 if i % 3 else -1]:
            connection.close()
    metrics.wait_for(server.admin_url, "parley_push_waiters", lambda value: value == 0, 30)
    metrics.wait_for(server.admin_url, "parley_presence_watched", lambda value: value == 0, 30)
    metrics.wait_for(server.admin_url, "parley_presence_users", lambda value: value == 0, 30, state="online")


@pytest.mark.own_server
def test_slow_reader_gets_the_last_state(server, quick, contract, friends):
    """A stream that has not yet read earlier data gets the last state after it has."""
    alice, bob = friends

    async def main():
        connection = await H2Connection.open(server.url, windows=False)
        stream = connection.start("GET", f"{STREAM}?presence={bob.id}", [("authorization", f"Bearer {alice.token}")])
        assert await stream.wait_headers() == 200
        received = b""
        while b"event: presence" not in received:
            received += await stream.read(10 * SLOWNESS)
        for _ in range(2):  # more than the window of 65,535 bytes
            await asyncio.to_thread(lambda: quick.as_user(bob).send(alice, "x" * 60000).expect(201))
        while len(received) < 65535:  # From now on the window is full.
            received += await stream.read(10 * SLOWNESS)
        await asyncio.to_thread(lambda: quick.as_user(bob).announce_presence().expect(204))
        connection.h2.increment_flow_control_window(1 << 20)
        connection.h2.increment_flow_control_window(1 << 20, stream.id)
        connection.flush()
        parser, states = Parser(), []
        parsed = parser.feed(received)
        while True:
            states += [contract.check_event(event) for event in parsed if event.name == "presence"]
            if states and states[-1]["online"]:
                break
            parsed = parser.feed(await stream.read(10 * SLOWNESS))
        await connection.close()
        return [state["online"] for state in states]

    assert asyncio.run(main()) == [False, True]


@pytest.mark.own_server
def test_announcement_needs_no_statement(server, quick, friends):
    """Once the server knows the user."""
    def operations():
        return metrics.total(metrics.scrape(server.admin_url), "parley_batch_operations_sum")

    def has_settled():
        seen = operations()
        time.sleep(1.2)  # Outbox entries and delivered cursors of earlier tests are written within a second.
        return operations() == seen

    _, bob = friends
    quick.as_user(bob).announce_presence().expect(204)
    wait_for(has_settled, 30 * SLOWNESS, "the server still writes for earlier tests")
    before = operations()
    for _ in range(20):
        quick.as_user(bob).announce_presence().expect(204)
    assert operations() <= before + 1


@pytest.mark.own_server
def test_tables_are_bounded(stack, contract, api, friends):
    """When the table is full of online users, an announcement is refused, and a stream works without making its user
    online. Offline users are forgotten. Streams watch at most the configured number of users."""
    alice, bob = friends
    server = Parleyd(stack, {"push": {"presence_timeout": 1, "presence_users": 2, "max_watched": 3}}).start()
    own = Api(server.url, contract, stack.jwt_key)
    carol, dave = api.make_user(), api.make_user()
    api.as_user(carol).send(alice, "x").expect(201)
    try:
        with Stream(server, alice, contract), Stream(server, bob, contract, [alice]):
            own.as_user(carol).announce_presence().expect(503, code="overloaded")
            own.as_user(alice).announce_presence().expect(204)
            with Stream(server, carol, contract):
                assert presence_of(own, alice, carol) == {"userId": carol.id, "online": False}
            assert metrics.total(metrics.scrape(server.admin_url), "parley_presence_refused_total") == 2
            assert own.as_user(dave).get(f"{STREAM}?presence=1,2,3").expect(429, code="too-many-requests")
            with Stream(server, dave, contract, [alice, bob]):
                pass
        metrics.wait_for(server.admin_url, "parley_presence_users", lambda value: value == 0, 5 * SLOWNESS,
                         state="online")
        own.as_user(carol).announce_presence().expect(204)
        assert presence_of(own, alice, carol)["online"] is True
        server.check_log()
    finally:
        own.close()
        server.close()


@pytest.mark.own_server
def test_watch_outlives_an_outage(stack, contract, api, friends):
    """While the databases are unreachable, a stream with a cursor starts all the same, and asks later which users it may
    watch."""
    alice, bob = friends
    server = Parleyd(stack, {"push": {"heartbeat": 1}, "lanes": {"request_deadline": 1}}, proxied=True).start()
    own = Api(server.url, contract, stack.jwt_key)
    try:
        own.as_user(bob).announce_presence().expect(204)
        server.set_proxies("refuse")
        with Stream(server, alice, contract, [bob], lastUpdatedTimestamp=0) as stream:
            own.as_user(alice).fetch_presence(bob).expect(503)
            server.set_proxies("pass")
            assert stream.presence_of(bob)["online"] is True
    finally:
        server.set_proxies("pass")
        own.close()
        server.close()
