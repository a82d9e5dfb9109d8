"""Proves how push ends: the server notices a client that has left on every transport (also on HTTP/1.1, where libh2o does
not check), and closes a client that stops reading, which resumes from its cursor without loss."""

import asyncio
import contextlib
import socket
import struct
import time

import pytest

from harness import metrics
from harness.client import Api
from harness.h1conn import Closed, H1Connection
from harness.h2conn import ConnectionEnded, H2Connection, StreamReset
from harness.sse import Parser
from harness.stack import SLOWNESS, Parleyd

WAITERS = "parley_push_waiters"
NOTICED = 5 * SLOWNESS
TARGETS = {"stream": "/v1/updates/stream?lastUpdatedTimestamp=0", "long-poll": "/v1/updates?timeout=60"}


@pytest.fixture(scope="module")
def server(stack):
    """A separate server, so that only these tests change its number of waiters. The heartbeat is long, so that it does
    not detect clients that have left."""
    server = Parleyd(stack, {"push": {"heartbeat": 60, "stream_stall": 3}}).start()
    yield server
    server.check_log()
    server.close()


def waiters(server, expected, timeout=NOTICED):
    return metrics.wait_for(server.admin_url, WAITERS, lambda value: value == expected, timeout)


@pytest.mark.own_server
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("way", ["FIN", "RST"])
def test_vanished_http1_client_is_noticed(server, alice, target, way):
    waiters(server, 0)
    connections = []
    for _ in range(10):
        connection = H1Connection(server.url)
        connection.send(connection.encode("GET", target, [("Authorization", f"Bearer {alice.token}")]))
        connections.append(connection)
    waiters(server, 10)
    for connection in connections:
        if way == "RST":
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    waiters(server, 0)


@pytest.mark.own_server
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
@pytest.mark.parametrize("way", ["reset", "close"])
def test_vanished_h2_client_is_noticed(server, alice, target, way):
    async def main():
        connection = await H2Connection.open(server.url)
        headers = [("authorization", f"Bearer {alice.token}")]
        streams = [connection.start("GET", target, headers) for _ in range(10)]
        await asyncio.to_thread(waiters, server, 10)
        if way == "reset":
            for stream in streams:
                stream.reset()
            await asyncio.to_thread(waiters, server, 0)
        await connection.close()
        await asyncio.to_thread(waiters, server, 0)

    asyncio.run(main())


@pytest.mark.own_server
def test_client_that_vanishes_before_its_stream_has_begun(stack, alice, bob):
    """The client leaves while its cursor is read, over each protocol and in each way, and heartbeats pass."""
    server = Parleyd(stack, {"push": {"heartbeat": 1}, "lanes": {"request_deadline": 60}}).start()
    target = f"/v1/updates/stream?presence={bob.id}"
    headers = [("authorization", f"Bearer {alice.token}")]

    async def main():
        kept, closed = await H2Connection.open(server.url), await H2Connection.open(server.url)
        bare = [H1Connection(server.url) for _ in range(4)]
        with stack.mailboxes_held(alice):
            for connection in bare:
                connection.send(connection.encode("GET", target, headers))
            streams = [connection.start("GET", target, headers) for connection in (kept, closed) for _ in range(4)]
            await asyncio.to_thread(waiters, server, 12)
            await asyncio.sleep(1.5)
            bare[0].close()
            bare[1].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            bare[1].close()
            streams[0].reset()
            await closed.close()
            await asyncio.to_thread(waiters, server, 5)
            assert all(stream.status is None for stream in streams[1:4])
        for stream in streams[1:4]:
            assert await stream.wait_headers() == 200
        for connection in bare[2:]:
            assert connection.read_head()[0] == 200
            connection.close()
        await kept.close()
        await asyncio.to_thread(waiters, server, 0)

    asyncio.run(main())
    assert server.terminate()[0] == 0
    server.check_log()
    server.close()


@pytest.mark.own_server
def test_sending_to_vanished_clients_is_harmless(server, contract, stack, alice, bob):
    """Clients leave at the moment when something is committed for them, again and again."""
    api = Api(server.url, contract, stack.jwt_key)
    for i in range(30):
        connections = [H1Connection(server.url) for _ in range(4)]
        for j, connection in enumerate(connections):
            connection.send(connection.encode("GET", list(TARGETS.values())[j % 2],
                                              [("Authorization", f"Bearer {bob.token}")]))
        for connection in connections[:2]:
            connection.close()
        api.as_user(alice).send(bob, f"{i}").expect(201)
        for connection in connections[2:]:
            connection.close()
    waiters(server, 0)
    assert len(api.as_user(bob).all_messages(alice)) == 30
    api.close()


LARGE = "x" * 60000


@pytest.mark.own_server
def test_slow_h2_reader_is_closed(server, contract, stack, alice, bob):
    """A stream whose window is never opened: 64 KiB are queued, then it is reset. Its connection and the other stream on
    it stay open."""
    api = Api(server.url, contract, stack.jwt_key)
    cursor = api.as_user(bob).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]

    async def main():
        connection = await H2Connection.open(server.url, windows=False)
        stream = connection.start("GET", "/v1/updates/stream", [("authorization", f"Bearer {bob.token}")])
        assert await stream.wait_headers() == 200
        start, sent = time.monotonic(), 0
        received = b""
        ended = False
        while not ended and sent < 20:
            await asyncio.to_thread(lambda: api.as_user(alice).send(bob, LARGE).expect(201))
            sent += 1
            with contextlib.suppress(asyncio.TimeoutError):
                while True:
                    try:
                        chunk = await stream.read(0.05)
                    except (StreamReset, ConnectionEnded):
                        ended = True
                        break
                    if not chunk:
                        ended = True
                        break
                    received += chunk
        # A stream that stops reading is closed at once because of its queue, or after a time.
        while not ended and time.monotonic() - start < 15 * SLOWNESS:
            try:
                ended = not await stream.read(1)
            except (StreamReset, ConnectionEnded):
                ended = True
            except asyncio.TimeoutError:
                pass
        assert ended, "a reader that does not read is still there"
        await connection.close()
        return received, sent

    received, sent = asyncio.run(main())
    waiters(server, 0)
    for event in Parser().feed(received):
        cursor = contract.check_event(event)["lastUpdatedTimestamp"]
    rest, _, _ = api.as_user(bob).all_updates(cursor)
    assert len(rest) >= sent - 2 and all(m["messageContent"] == LARGE for m in rest)
    api.close()


@pytest.mark.own_server
def test_slow_http1_reader_is_closed(server, contract, stack, alice, bob):
    """A socket that is not read: once the kernel's buffers are full, the stream is closed. The client that resumes from
    the last whole event gets everything once."""
    api = Api(server.url, contract, stack.jwt_key)
    connection = H1Connection(server.url, receive_buffer=4096)
    connection.send(connection.encode("GET", "/v1/updates/stream?lastUpdatedTimestamp=0",
                                      [("Authorization", f"Bearer {bob.token}")]))
    waiters(server, 1)
    sent, deadline = [], time.monotonic() + 40 * SLOWNESS
    while metrics.total(metrics.scrape(server.admin_url), WAITERS) > 0:
        assert time.monotonic() < deadline, "a reader that does not read is still there"
        if len(sent) < 150:
            sent.append(api.as_user(alice).send(bob, LARGE).expect(201)["messageId"])
        else:
            time.sleep(0.2)
    parser, got, cursor = Parser(), [], 0
    connection.socket.settimeout(10)
    with contextlib.suppress(Closed, OSError, TimeoutError, ValueError):
        connection.read_head()
        while True:
            chunk = connection.read_chunk()
            if not chunk:
                break
            for event in parser.feed(chunk):
                delta = contract.check_event(event)
                got += [m["messageId"] for m in delta["messages"]]
                cursor = delta["lastUpdatedTimestamp"]
    connection.close()
    rest, _, _ = api.as_user(bob).all_updates(cursor)
    assert got + [m["messageId"] for m in rest] == sent
    assert rest, "everything had been delivered before the stream was closed"
    api.close()


@pytest.mark.own_server
def test_slow_reader_does_not_delay_others(server, contract, stack, alice, bob):
    """While one stream of bob stalls, his other stream gets each message at once."""
    api = Api(server.url, contract, stack.jwt_key)
    stalled = H1Connection(server.url, receive_buffer=4096)
    stalled.send(stalled.encode("GET", "/v1/updates/stream", [("Authorization", f"Bearer {bob.token}")]))
    with H1Connection(server.url) as healthy:
        healthy.send(healthy.encode("GET", "/v1/updates/stream", [("Authorization", f"Bearer {bob.token}")]))
        healthy.read_head()
        waiters(server, 2)
        parser = Parser()
        for _ in range(60):
            sent = api.as_user(alice).send(bob, LARGE).expect(201)
            start, got = time.monotonic(), []
            while not got:
                got = [message["messageId"] for event in parser.feed(healthy.read_chunk())
                       for message in contract.check_event(event)["messages"]]
            assert got == [sent["messageId"]]
            assert time.monotonic() - start < 2.5 * SLOWNESS, "as if it waited for the other to be closed, after 3 s"
    stalled.close()
    waiters(server, 0)
    api.close()
