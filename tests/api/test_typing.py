"""Proves sendTyping: all open streams of the peer get the event at once, on every worker, and no other stream does; at
most one event per second is passed on; nothing is stored; and it does no harm to a slow, vanished or ending stream."""

import asyncio
import time

import pytest

from harness import metrics, tokens
from harness.client import Api, User, conversation_id
from harness.h1conn import H1Connection
from harness.h2conn import H2Connection
from harness.ids import username_shard
from harness.sse import Parser
from harness.stack import PROMPTLY, SLOWNESS, Parleyd

SHOWN_US = 6_000_000


class Reader:
    """One stream of a user over HTTP/1.1, which is read when a test asks for it."""

    def __init__(self, server, user, contract, query=""):
        self.contract, self.parser, self.pending = contract, Parser(), []
        self.has_cursor = bool(query)
        self.connection = H1Connection(server.url, timeout=40 * SLOWNESS)
        self.connection.send(self.connection.encode("GET", "/v1/updates/stream" + query,
                                                    [("Authorization", f"Bearer {user.token}")]))
        status, headers = self.connection.read_head()
        contract.check("GET", "/v1/updates/stream", status, headers, b"")
        assert status == 200

    def __enter__(self):
        if not self.has_cursor:
            self.event("delta")  # With the cursor: from now on the stream gets all events.
        return self

    def __exit__(self, *_):
        self.connection.close()

    def event(self, name=None):
        """(name, data) of the next event, or of the next with this name. `size` is its length in bytes."""
        while True:
            while not self.pending:
                chunk = self.connection.read_chunk()
                assert chunk, "the stream has ended"
                self.pending += self.parser.feed(chunk)
            event = self.pending.pop(0)
            self.size = len(f"event: {event.name}\nid: {event.id}\ndata: {event.data}\n\n".encode())
            data = self.contract.check_event(event)
            if name in (None, event.name):
                return event.name, data

    def until(self, message_id):
        """The typing events before the message."""
        typing = []
        while True:
            name, data = self.event()
            if name == "typing":
                typing.append(data)
            elif any(m["messageId"] == message_id for m in data["messages"]):
                return typing


def test_the_peer_gets_the_event(stack, api, contract, pair):
    one, other = pair
    with Reader(stack, other, contract) as first, Reader(stack, other, contract) as second:
        for reader in (first, second):
            assert reader.parser.last_id is not None
        cursor = first.parser.last_id
        start, before = time.monotonic(), int(time.time() * 1e6)
        assert api.as_user(one).send_typing(other).expect(204) is None
        for reader in (first, second):
            name, data = reader.event()
            assert name == "typing" and data["userId"] == one.id
            assert data["conversationId"] == conversation_id(one.id, other.id)
            assert before < data["expiresTimestamp"] - SHOWN_US < before + (PROMPTLY + 1) * 1e6
            assert reader.parser.last_id == cursor, "a typing event has no id"
        assert time.monotonic() - start < PROMPTLY


def test_no_other_stream_gets_the_event(stack, api, contract, pair):
    """The event does not reach the typing user's other devices, a third user, or a peer without a conversation."""
    one, other = pair
    third = api.make_user()
    with Reader(stack, one, contract) as own, Reader(stack, third, contract) as foreign:
        api.as_user(one).send_typing(other).expect(204)
        sent = api.as_user(one).send(other, "x").expect(201)["messageId"]
        assert own.until(sent) == []
        sent = api.as_user(other).send(third, "y").expect(201)["messageId"]
        assert foreign.until(sent) == []


def test_one_event_per_second_is_passed_on(stack, api, contract, alice, bob):
    """For each user and conversation. All other requests are accepted without an event, on any connection."""
    carol = api.make_user()
    with Reader(stack, bob, contract) as reader, Reader(stack, carol, contract) as other:
        start = time.monotonic()
        for _ in range(20):
            api.as_user(alice).send_typing(bob).expect(204)
        api.as_user(alice).send_typing(carol).expect(204)
        api.as_user(carol).send_typing(bob).expect(204)
        sent = api.as_user(alice).send(bob, "x").expect(201)["messageId"]
        typing = reader.until(sent)
        took = time.monotonic() - start
        assert 1 <= sum(event["userId"] == alice.id for event in typing) <= 1 + int(took)
        assert sum(event["userId"] == carol.id for event in typing) == 1
        assert other.event()[1]["userId"] == alice.id
        time.sleep(1.05)
        api.as_user(alice).send_typing(bob).expect(204)
        assert reader.event("typing")[1]["userId"] == alice.id


def test_stopped_is_passed_on_at_once(stack, api, contract, pair):
    """It does not wait for the end of the start's second, and has a limit of one per second of its own."""
    one, other = pair
    with Reader(stack, other, contract) as reader:
        for state in ("started", "stopped", "stopped"):
            api.as_user(one).send_typing(other, state=state).expect(204)
        sent = api.as_user(one).send(other, "x").expect(201)["messageId"]
        events = reader.until(sent)
    assert [event["state"] for event in events] == ["started", "stopped"]
    assert events[1]["expiresTimestamp"] < events[0]["expiresTimestamp"]


def test_invalid_states(api, pair):
    one, other = pair
    for state in ("", "typing", 5, None):
        answer = api.as_user(one).post(f"/v1/conversations/{conversation_id(one.id, other.id)}/typing", {"state": state})
        assert [e["pointer"] for e in answer.expect(422)["errors"]] == ["/state"]
    api.as_user(one).send_typing(other, {"content-type": "text/plain"}, state="stopped").expect(415)


def test_it_leaves_no_trace(stack, api, contract, pair):
    """Nothing is written: versions stay the same, and a stream that opens or resumes later does not get the event."""
    one, other = pair
    before = api.as_user(other).fetch_updates(timeout=0).expect(200)
    with Reader(stack, other, contract) as reader:
        api.as_user(one).send_typing(other).expect(204)
        reader.event("typing")
    with Reader(stack, other, contract, f"?lastUpdatedTimestamp={before['lastUpdatedTimestamp']}") as reader:
        sent = api.as_user(one).send(other, "x").expect(201)["messageId"]
        assert reader.until(sent) == []
    assert api.as_user(other).fetch_updates(lastUpdatedTimestamp=before["lastUpdatedTimestamp"],
                                            timeout=0).expect(200)["conversations"] != []
    assert api.as_user(one).fetch_conversation().expect(200)["conversations"][0]["unreadCount"] == 0


def test_long_poll_is_not_woken(api, stack, alice, bob):
    """It answers with the message that comes after the event. If the event had ended it, its answer would be empty."""
    before = metrics.waiters(stack)

    async def main():
        loop = asyncio.get_running_loop()
        wait = loop.run_in_executor(None, lambda: api.as_user(bob).fetch_updates(timeout=30))
        await asyncio.to_thread(metrics.wait_for_more_waiters, stack, before)
        await loop.run_in_executor(None, lambda: api.as_user(alice).send_typing(bob).expect(204))
        await loop.run_in_executor(None, lambda: api.as_user(alice).send(bob, "x").expect(201))
        return (await wait).expect(200)

    assert [message["messageContent"] for message in asyncio.run(main())["messages"]] == ["x"]


def test_unknown_conversations(api, alice, bob):
    carol = api.make_user()
    group = str(int(alice.id) | 1 << 8)
    mine = api.as_user(alice)
    unknown = str(int(bob.id) ^ 0xff)
    for conversation in (conversation_id(bob.id, carol.id), conversation_id(alice.id, unknown),
                         conversation_id(bob.id, bob.id), f"{alice.id}-1", "-".join(sorted(
                             (alice.id, bob.id), key=int, reverse=True)), group, alice.id, "x", "1-2-3",
                         conversation_id(alice.id, 9223372036854775807)):
        mine.send_typing(conversation).expect(404, code="conversation-not-found")


def test_token_of_unknown_user(api, stack, alice):
    unknown = str(int(alice.id) ^ 0xff)
    user = User(unknown, "unknown", tokens.mint(stack.jwt_key, unknown))
    api.as_user(user).send_typing(alice).expect(401, code="invalid-token")


def test_cookie_of_another_site(api, stack, alice, bob):
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
        api.as_user(None).send_typing(conversation_id(alice.id, bob.id), headers={
            "cookie": f"__Host-parley={alice.token}", **headers}).expect(403, code="cross-site-request")
    api.as_user(None).send_typing(conversation_id(alice.id, bob.id), headers={
        "cookie": f"__Host-parley={alice.token}", "sec-fetch-site": "same-origin"}).expect(204)


@pytest.fixture(scope="module")
def server(stack):
    """A server of two workers, whose counters only these tests change."""
    server = Parleyd(stack, {"server": {"workers": 2}, "push": {"heartbeat": 60}}).start()
    yield server
    server.check_log()
    server.close()


def counted(server, result, name="parley_typing_total"):
    return metrics.total(metrics.scrape(server.admin_url), name, result=result)


@pytest.mark.own_server
def test_counters(server, contract, stack, alice, bob):
    mine = Api(server.url, contract, stack.jwt_key).as_user(alice)
    before = {result: counted(server, result) for result in ("sent", "limited", "no_stream")}
    mine.send_typing(bob).expect(204)
    assert counted(server, "no_stream") == before["no_stream"] + 1
    with Reader(server, bob, contract):
        for _ in range(2):
            mine.send_typing(bob).expect(204)
        assert counted(server, "sent") == before["sent"] + 1
        assert counted(server, "limited") in (before["limited"] + 1, before["limited"])
    mine.close()


@pytest.mark.own_server
@pytest.mark.concurrent
def test_streams_on_all_workers(server, contract, stack, alice, bob):
    """Many devices, so that each worker has some, and many users who type at once, again and again, while streams open
    and close."""
    api = Api(server.url, contract, stack.jwt_key)
    writers = [api.make_user() for _ in range(20)]

    async def main():
        headers = [("authorization", f"Bearer {bob.token}")]
        connections = [await H2Connection.open(server.url) for _ in range(16)]
        streams = [connection.start("GET", "/v1/updates/stream", headers) for connection in connections]
        parsers = [Parser() for _ in streams]
        for stream, parser in zip(streams, parsers):
            assert await stream.wait_headers() == 200
            while parser.last_id is None:
                parser.feed(await stream.read())
        passing = await H2Connection.open(server.url)
        typists = [await H2Connection.open(server.url) for _ in range(4)]
        for i, writer in enumerate(writers):
            target = f"/v1/conversations/{conversation_id(writer.id, bob.id)}/typing"
            begun = [connection.start("POST", target, [("authorization", f"Bearer {writer.token}")])
                     for connection in typists]
            guest = passing.start("GET", "/v1/updates/stream", headers)
            for request in begun:
                assert (await request.response()).status == 204
            if i % 2:
                guest.reset()
        heard = []
        for stream, parser in zip(streams, parsers):
            mine = []
            # The last event may arrive while the previous one is still on its way.
            while not mine or mine[-1]["userId"] != writers[-1].id:
                for event in parser.feed(await stream.read(10 * SLOWNESS)):
                    mine.append(contract.check_event(event))
            heard.append([event["userId"] for event in mine])
        for connection in connections + typists + [passing]:
            await connection.close()
        return heard

    for heard in asyncio.run(main()):
        assert len(heard) == len(set(heard)), "one of four at once is passed on"
        assert set(heard) <= {writer.id for writer in writers}
        assert len(heard) > 10
    api.close()


@pytest.mark.own_server
@pytest.mark.concurrent
def test_typing_to_vanished_clients_is_harmless(server, contract, stack, alice, bob):
    api = Api(server.url, contract, stack.jwt_key)
    for _ in range(30):
        typist = api.make_user()
        connections = [H1Connection(server.url) for _ in range(4)]
        for connection in connections:
            connection.send(connection.encode("GET", "/v1/updates/stream",
                                              [("Authorization", f"Bearer {bob.token}")]))
        for connection in connections[:2]:
            connection.close()
        api.as_user(typist).send_typing(bob).expect(204)
        for connection in connections[2:]:
            connection.close()
    metrics.wait_for(server.admin_url, "parley_push_waiters", lambda value: value == 0, 5 * SLOWNESS)
    api.close()


@pytest.mark.own_server
def test_slow_reader_gets_none(server, contract, stack, alice, bob):
    """A stream that has not yet read earlier data gets no further events, which are only hints, and is not closed because
    of them."""
    api = Api(server.url, contract, stack.jwt_key)

    async def main():
        connection = await H2Connection.open(server.url, windows=False)
        stream = connection.start("GET", "/v1/updates/stream", [("authorization", f"Bearer {bob.token}")])
        assert await stream.wait_headers() == 200
        for _ in range(3):  # more than the window of 65,535 bytes
            await asyncio.to_thread(lambda: api.as_user(alice).send(bob, "x" * 60000).expect(201))
        received = b""
        while len(received) < 65535:  # From now on the window is full.
            received += await stream.read(10 * SLOWNESS)
        before = counted(server, "dropped", "parley_push_events_total")
        for i in range(5):
            typist = await asyncio.to_thread(api.make_user)
            await asyncio.to_thread(lambda t=typist: api.as_user(t).send_typing(bob).expect(204))
        await asyncio.to_thread(metrics.wait_for, server.admin_url, "parley_push_events_total",
                                lambda value: value == before + 5, 10 * SLOWNESS, result="dropped")
        # The last message comes last: if a typing event had been kept, it would come before it.
        await asyncio.to_thread(lambda: api.as_user(alice).send(bob, "the last").expect(201))
        connection.h2.increment_flow_control_window(1 << 20)
        connection.h2.increment_flow_control_window(1 << 20, stream.id)
        connection.flush()
        while b"the last" not in received:
            received += await stream.read(10 * SLOWNESS)
        assert b"event: typing" not in received
        await connection.close()

    asyncio.run(main())
    api.close()


@pytest.mark.own_server
def test_users_whom_the_server_does_not_know(server, contract, stack, api):
    """The first typing event between two users of other shards is passed on like any other."""
    shards = {}
    while len(shards) < 2:
        user = api.make_user()
        shards.setdefault(username_shard(user.username, stack.shards), user)
    one, other = shards.values()
    mine = Api(server.url, contract, stack.jwt_key).as_user(one)
    with Reader(server, other, contract) as reader:
        mine.send_typing(other).expect(204)
        assert reader.event("typing")[1]["userId"] == one.id
    mine.close()
