"""Proves push over HTTP/1.1, h2c and the edge (TLS, ALPN h2): a waiting reader gets a commit at once, a stream resumes
from Last-Event-ID without losing or repeating events, heartbeats keep it alive, and the number of streams of a user is
limited."""

import asyncio
import json
import time

import httpx
import pytest

from harness import metrics
from harness.client import Api
from harness.h1conn import H1Connection
from harness.h2conn import H2Connection
from harness.readers import post
from harness.sse import Parser
from harness.stack import PROMPTLY, SLOWNESS, Parleyd



@pytest.fixture(params=["http1", "h2c", "edge"])
def transport(request, api, api_h2c, api_edge):
    return {"http1": api, "h2c": api_h2c, "edge": api_edge}[request.param]


class EventReader:
    """Reads a stream by httpx, on any transport, in the calling thread."""

    def __init__(self, api, user, last_event_id=None, **query):
        headers = {"authorization": f"Bearer {user.token}"}
        if last_event_id is not None:
            headers["last-event-id"] = str(last_event_id)
        self.api = api
        self.manager = api.http.stream("GET", "/v1/updates/stream", params=query or None, headers=headers,
                                       timeout=httpx.Timeout(30, read=40 * SLOWNESS))
        self.parser, self.pending = Parser(), []

    def __enter__(self):
        self.response = self.manager.__enter__()
        headers = {k.lower(): v for k, v in self.response.headers.items()}
        body = b"" if self.response.status_code == 200 else self.response.read()
        self.api.contract.check("GET", "/v1/updates/stream", self.response.status_code, headers, body)
        assert self.response.status_code == 200, body
        assert headers["content-type"].startswith("text/event-stream")
        assert "no-store" in headers["cache-control"] or "no-cache" in headers["cache-control"]
        self.chunks = self.response.iter_raw()
        return self

    def __exit__(self, *exc):
        return self.manager.__exit__(*exc)

    def event(self):
        """The next event, checked: (its data, its id)."""
        while not self.pending:
            self.pending += self.parser.feed(next(self.chunks))
        event = self.pending.pop(0)
        return self.api.contract.check_event(event), event.id

    def change(self):
        """The next event that has a change. Others have only a cursor."""
        while True:
            delta, event_id = self.event()
            if delta["messages"] or delta["conversations"]:
                return delta, event_id

    def messages(self, count):
        found = []
        while len(found) < count:
            found += self.event()[0]["messages"]
        return found

    def until_comment(self):
        start = self.parser.comments
        while self.parser.comments == start:
            self.pending += self.parser.feed(next(self.chunks))


def test_stream_gets_what_is_sent(transport, api, pair):
    sender, recipient = pair
    for reader, writer, peer in ((recipient, sender, recipient), (sender, sender, recipient)):
        with EventReader(transport, reader) as stream:
            for i in range(3):
                start = time.monotonic()
                sent = api.as_user(writer).send(peer, f"hello {i}").expect(201)
                delta, _ = stream.change()
                assert time.monotonic() - start < PROMPTLY
                (message,) = delta["messages"]
                assert message["messageId"] == sent["messageId"] and message["messageContent"] == f"hello {i}"
                (conversation,) = delta["conversations"]
                assert conversation["lastMessageId"] == sent["messageId"]
                assert conversation["unreadCount"] == (i + 1 if reader is recipient else 0)
            assert 500 <= stream.parser.retry <= 10000


def test_stream_from_now_begins_with_its_cursor(transport, api, alice, bob):
    """A client that is cut off before the first change can resume from this cursor."""
    api.as_user(alice).send(bob, "before").expect(201)
    now = api.as_user(bob).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
    with EventReader(transport, bob) as stream:
        delta, event_id = stream.event()
        assert delta["messages"] == [] and delta["conversations"] == [] and event_id == str(now)


def test_stream_from_now_has_all_messages_sent_after_its_start(api, stack, contract, alice, bob):
    """The response waits for the cursor, even if reading it takes long. Otherwise messages sent in between would be
    before the cursor."""
    with stack.mailboxes_held(bob) as hold, H1Connection(stack.url) as connection:
        connection.send(connection.encode("GET", "/v1/updates/stream", [("Authorization", f"Bearer {bob.token}")]))
        connection.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.read_head()
        hold.close()
        connection.socket.settimeout(20 * SLOWNESS)
        status, headers = connection.read_head()
        contract.check("GET", "/v1/updates/stream", status, headers, b"")
        (event,) = Parser().feed(connection.read_chunk())
        delta = contract.check_event(event)
        assert status == 200 and delta["messages"] == [] and event.id == str(delta["lastUpdatedTimestamp"])


@pytest.mark.own_server
def test_stream_without_a_cursor_needs_the_database(stack, contract, api, alice, bob):
    """Without a cursor the client could not resume, so it gets 503; with a cursor the stream opens and waits for the
    database."""
    api.as_user(bob).send(alice, "hello").expect(201)
    server = Parleyd(stack, {"push": {"heartbeat": 1}, "lanes": {"request_deadline": 1}}, proxied=True).start()
    own = Api(server.url, contract, stack.jwt_key)
    try:
        own.as_user(alice).fetch_updates(timeout=0).expect(200)
        for mode in ("refuse", "stall"):
            server.set_proxies(mode)
            assert own.as_user(alice).get("/v1/updates/stream").expect(503)["code"] in ("unavailable", "deadline-exceeded")
        metrics.wait_for(server.admin_url, "parley_push_waiters", lambda value: value == 0, 5 * SLOWNESS)
        with EventReader(own, alice, lastUpdatedTimestamp=0) as stream:
            server.set_proxies("pass")
            assert [message["messageContent"] for message in stream.messages(1)] == ["hello"]
    finally:
        server.set_proxies("pass")
        own.close()
        server.close()


@pytest.mark.concurrent
def test_streams_from_now_start_during_sends(stack, api, alice, bob):
    """A commit during the read of a stream's cursor is either before the cursor or is delivered. So no message after a
    stream's first one is missing or comes twice."""
    sent, streams = [], []

    async def send_until(done):
        connection = await H2Connection.open(stack.url)
        while not done.is_set():
            answer = await post(connection, alice, bob.id, "x", f"{len(sent)}-{id(connection)}").response(30 * SLOWNESS)
            assert answer.status == 201
            sent.append(int(json.loads(answer.body)["messageId"]))
        await connection.close()

    async def follow(connection):
        stream = connection.start("GET", "/v1/updates/stream", [("authorization", f"Bearer {bob.token}")])
        assert await stream.wait_headers() == 200
        answer = await post(connection, alice, bob.id, "mark", f"mark-{id(stream)}-{time.monotonic_ns()}").response(30 * SLOWNESS)
        mark, ids, parser = int(json.loads(answer.body)["messageId"]), [], Parser()
        while mark not in ids:
            for event in parser.feed(await stream.read(30 * SLOWNESS)):
                ids += [int(message["messageId"]) for message in json.loads(event.data)["messages"]]
        stream.reset()
        streams.append(ids)

    async def main():
        done = asyncio.Event()
        connection = await H2Connection.open(stack.url)
        senders = [asyncio.ensure_future(send_until(done)) for _ in range(3)]
        for _ in range(6):
            await asyncio.gather(*[follow(connection) for _ in range(6)])
        done.set()
        await asyncio.gather(*senders)
        await connection.close()

    asyncio.run(main())
    stored = sorted(int(message["messageId"]) for message in api.as_user(bob).all_messages(alice))
    assert len(streams) == 36 and set(sent) <= set(stored)
    for ids in streams:
        assert ids == [one for one in stored if ids[0] <= one <= ids[-1]]


def test_event_equals_what_is_read(transport, api, pair):
    """An event built from the committed batch and one read from the database are equal."""
    sender, recipient = pair
    cursor = api.as_user(recipient).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
    with EventReader(transport, recipient, lastUpdatedTimestamp=cursor) as stream:
        for text in ("x", "\u2028 \"quoted\" \\ \n\r\n\t\x01 \U0001f600", "y" * 65535):
            api.as_user(sender).send(recipient, text).expect(201)
            pushed, event_id = stream.change()
            read = api.as_user(recipient).fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
            assert pushed == read
            cursor = int(event_id)


def test_long_poll_answers_at_once(transport, api, stack, pair):
    sender, recipient = pair
    before = metrics.waiters(stack)
    cursor = api.as_user(recipient).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]

    async def main():
        loop = asyncio.get_running_loop()
        wait = loop.run_in_executor(None, lambda: transport.as_user(recipient).fetch_updates(
            lastUpdatedTimestamp=cursor, timeout=30))
        await asyncio.to_thread(metrics.wait_for_more_waiters, stack, before)
        assert not wait.done()
        start = time.monotonic()
        sent = await loop.run_in_executor(None, lambda: api.as_user(sender).send(recipient, "wake up").expect(201))
        delta = (await wait).expect(200)
        assert time.monotonic() - start < PROMPTLY
        return sent, delta

    sent, delta = asyncio.run(main())
    assert [m["messageId"] for m in delta["messages"]] == [sent["messageId"]]
    assert delta["isDeltaUpdate"] is True and delta["lastUpdatedTimestamp"] > cursor


def test_long_poll_without_a_cursor_waits(api, stack, alice, bob):
    """Without a cursor it starts now: earlier messages are not in it."""
    api.as_user(alice).send(bob, "before").expect(201)
    before = metrics.waiters(stack)

    async def main():
        loop = asyncio.get_running_loop()
        wait = loop.run_in_executor(None, lambda: api.as_user(bob).fetch_updates(timeout=30))
        await asyncio.to_thread(metrics.wait_for_more_waiters, stack, before)
        await loop.run_in_executor(None, lambda: api.as_user(alice).send(bob, "after").expect(201))
        return (await wait).expect(200)

    assert [m["messageContent"] for m in asyncio.run(main())["messages"]] == ["after"]


@pytest.mark.parametrize("timeout", [0, 1, 2])
def test_long_poll_times_out_with_empty_lists(transport, alice, timeout):
    start = time.monotonic()
    delta = transport.as_user(alice).fetch_updates(timeout=timeout).expect(200)
    waited = time.monotonic() - start
    assert timeout - 0.1 <= waited < timeout + PROMPTLY
    assert delta["messages"] == [] and delta["conversations"] == [] and delta["isDeltaUpdate"] is True


def test_resume_with_last_event_id(transport, api, pair):
    sender, recipient = pair
    with EventReader(transport, recipient) as stream:
        first = api.as_user(sender).send(recipient, "first").expect(201)
        assert stream.messages(1)[0]["messageId"] == first["messageId"]
        cursor = stream.parser.last_id
    missed = [api.as_user(sender).send(recipient, f"missed {i}").expect(201)["messageId"] for i in range(5)]
    with EventReader(transport, recipient, last_event_id=cursor, lastUpdatedTimestamp=0) as stream:
        assert [m["messageId"] for m in stream.messages(5)] == missed, "Last-Event-ID prevails"
        live = api.as_user(sender).send(recipient, "live").expect(201)
        assert [m["messageId"] for m in stream.messages(1)] == [live["messageId"]]


def test_stream_from_the_beginning(transport, api, pair):
    sender, recipient = pair
    sent = [api.as_user(sender).send(recipient, "x" * 1000 + str(i)).expect(201)["messageId"] for i in range(120)]
    with EventReader(transport, recipient, lastUpdatedTimestamp=0) as stream:
        assert [m["messageId"] for m in stream.messages(120)] == sent


def test_stream_with_a_cursor_that_needs_a_first_page(transport, api, pair):
    sender, recipient = pair
    sent = api.as_user(sender).send(recipient, "hello").expect(201)
    future = 9007199254740991
    with EventReader(transport, recipient, last_event_id=future) as stream:
        delta, event_id = stream.event()
        assert delta["isDeltaUpdate"] is False and int(event_id) < future
        assert [m["messageId"] for m in delta["messages"]] == [sent["messageId"]]
        following = api.as_user(sender).send(recipient, "next").expect(201)
        delta, _ = stream.event()
        assert delta["isDeltaUpdate"] is True
        assert [m["messageId"] for m in delta["messages"]] == [following["messageId"]]


@pytest.mark.parametrize("value", ["abc", "-1", "1.5", "9007199254740992", "99999999999999999999", "1 2", "0x1"])
def test_last_event_id_is_checked(api, alice, value):
    api.as_user(alice).get("/v1/updates/stream", headers={"last-event-id": value}).expect(400, 422)
    api.as_user(alice).get("/v1/updates/stream", lastUpdatedTimestamp=value).expect(422)


def test_many_streams_of_one_user_agree(api, stack, contract, alice, bob):
    """Twenty devices: each gets every message once, in the same order."""
    async def main():
        connection = await H2Connection.open(stack.url)
        headers = [("authorization", f"Bearer {bob.token}")]
        streams = [connection.start("GET", "/v1/updates/stream", headers) for _ in range(20)]
        for stream in streams:
            assert await stream.wait_headers() == 200
        writer = await H2Connection.open(stack.url)
        sends = [post(writer, alice, bob.id, f"{i}", f"c{i}") for i in range(50)]
        for send in sends:
            assert (await send.response()).status == 201
        views = []
        for stream in streams:
            parser, messages = Parser(), []
            while len(messages) < 50:
                for event in parser.feed(await stream.read(10 * SLOWNESS)):
                    messages += contract.check_event(event)["messages"]
            views.append([m["messageContent"] for m in messages])
        await connection.close()
        await writer.close()
        return views

    assert asyncio.run(main()) == [[f"{i}" for i in range(50)]] * 20


def test_streams_of_one_user_are_bounded(api, stack, contract, alice):
    """The 51st waiter of a user gets 429. After one has ended there is room again."""
    async def main():
        connection = await H2Connection.open(stack.url)
        headers = [("authorization", f"Bearer {alice.token}")]
        streams = [connection.start("GET", "/v1/updates/stream", headers) for _ in range(50)]
        for stream in streams:
            assert await stream.wait_headers() == 200
        for target in ("/v1/updates/stream", "/v1/updates?timeout=5"):
            response = await connection.request("GET", target, headers)
            contract.check("GET", target, response.status, response.headers, response.body)
            assert response.status == 429
        streams[0].reset()
        for _ in range(200):
            stream = connection.start("GET", "/v1/updates/stream", headers)
            if await stream.wait_headers() == 200:
                break
            await asyncio.sleep(0.1)
        assert stream.status == 200
        await connection.close()

    asyncio.run(main())


@pytest.fixture(scope="module")
def brisk(stack):
    """A server whose heartbeat is a second."""
    server = Parleyd(stack, {"push": {"heartbeat": 1}}).start()
    yield server
    server.close()


@pytest.mark.own_server
def test_heartbeat(brisk, stack, contract, alice):
    api = Api(brisk.url, contract, stack.jwt_key)
    start = time.monotonic()
    with EventReader(api, alice) as stream:
        for _ in range(4):
            stream.until_comment()
        # The first one may come early. A client that was held up reads several at once, but none before it was sent.
        assert 2.5 < time.monotonic() - start < 4 + 5 * SLOWNESS
    api.close()


@pytest.mark.own_server
def test_what_another_server_commits_arrives_by_the_heartbeat(brisk, stack, contract, api, pair):
    """Promise 7: a lost wake-up delays a client by one heartbeat and loses nothing."""
    sender, recipient = pair
    other = Api(brisk.url, contract, stack.jwt_key)
    with EventReader(other, recipient) as stream:
        stream.until_comment()
        sent = [api.as_user(sender).send(recipient, f"{i}").expect(201)["messageId"] for i in range(3)]
        assert [m["messageId"] for m in stream.messages(3)] == sent
    other.close()


def test_edge_speaks_http1_and_h2(stack, alice):
    """ALPN offers both. The answer over HTTP/1.1 is the same."""
    for http2, version in ((True, "HTTP/2"), (False, "HTTP/1.1")):
        with httpx.Client(http2=http2, verify=False, timeout=20) as client:
            response = client.get(f"{stack.edge_url}/v1/users/{alice.id}",
                                  headers={"authorization": f"Bearer {alice.token}"})
            assert response.status_code == 200 and response.http_version == version
            assert json.loads(response.text)["userId"] == alice.id


def test_stream_over_bare_http1(stack, contract, api, alice, bob):
    """What curl -N shows: chunks that are whole events."""
    with H1Connection(stack.url) as connection:
        connection.send(connection.encode("GET", "/v1/updates/stream", [("Authorization", f"Bearer {bob.token}")]))
        status, headers = connection.read_head()
        contract.check("GET", "/v1/updates/stream", status, headers, b"")
        assert status == 200 and headers["transfer-encoding"] == "chunked"
        parser = Parser()
        parser.feed(connection.read_chunk())
        api.as_user(alice).send(bob, "hello").expect(201)
        contents = []
        while not contents:
            contents = [message["messageContent"] for event in parser.feed(connection.read_chunk())
                        for message in contract.check_event(event)["messages"]]
        assert contents == ["hello"]
