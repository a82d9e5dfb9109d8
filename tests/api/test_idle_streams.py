"""Proves that 10,000 idle streams of 200 users stay open, half over h2c and half over HTTP/1.1. While they are open, a
message reaches its readers at once, other requests are served as before, and the memory per stream is small. After the
clients leave, the server has freed everything of theirs."""

import asyncio
import time

import pytest

from harness import metrics
from harness.client import Api
from harness.h2conn import H2Connection
from harness.stack import SLOWNESS, Parleyd, cpu_seconds

STREAMS = 10_000 if SLOWNESS == 1 else 4_000
USERS = 200
PER_USER = STREAMS // USERS


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS:"))


class H1Stream(asyncio.Protocol):
    """As small as possible: sends the request and remembers what was received."""

    def __init__(self, request, arrived):
        self.request, self.arrived, self.data = request, arrived, b""

    def connection_made(self, transport):
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data):
        if not self.data:
            self.arrived()
        self.data += data

    def connection_lost(self, exc):
        self.transport = None


@pytest.mark.own_server
@pytest.mark.slow
@pytest.mark.concurrent
@pytest.mark.timeout(180 * SLOWNESS)
def test_ten_thousand_idle_streams(stack, contract):
    server = Parleyd(stack, {"server": {"max_connections": 30000}, "push": {"heartbeat": 5, "max_waiters_per_address": STREAMS}}).start()
    api = Api(server.url, contract, stack.jwt_key)
    users = [api.make_user() for _ in range(USERS)]
    writer = api.make_user()
    before = resident_kib(server.process.pid)

    async def main():
        loop = asyncio.get_running_loop()
        arrived = asyncio.Semaphore(0)
        h1_streams, h2_streams, connections = [], [], []
        for i in range(STREAMS // 2):
            user = users[i % USERS]
            request = (f"GET /v1/updates/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {user.token}\r\n\r\n"
                       .encode())
            _, protocol = await loop.create_connection(lambda r=request: H1Stream(r, arrived.release),
                                                       "127.0.0.1", server.port)
            h1_streams.append((user, protocol))
        for _ in h1_streams:
            await asyncio.wait_for(arrived.acquire(), 30 * SLOWNESS)
        assert all(p.data.startswith(b"HTTP/1.1 200") for _, p in h1_streams)
        while len(h2_streams) < STREAMS // 2:
            connection = await H2Connection.open(server.url)
            connections.append(connection)
            for _ in range(min(100, connection.max_streams, STREAMS // 2 - len(h2_streams))):
                user = users[len(h2_streams) % USERS]
                h2_streams.append((user, connection.start(
                    "GET", "/v1/updates/stream", [("authorization", f"Bearer {user.token}")], flush=False)))
            connection.flush()
        for _, stream in h2_streams:
            assert await stream.wait_headers(30 * SLOWNESS) == 200
        await asyncio.to_thread(metrics.wait_for, server.admin_url, "parley_push_waiters",
                                lambda value: value == STREAMS, 20 * SLOWNESS)
        per_stream = (resident_kib(server.process.pid) - before) / STREAMS

        latencies, used = [], cpu_seconds(server.process.pid)
        for user in users[:20]:
            mine_h1 = [p for u, p in h1_streams if u is user]
            mine_h2 = [s for u, s in h2_streams if u is user]
            marks = [len(p.data) for p in mine_h1]
            start = time.monotonic()
            answer = await asyncio.to_thread(api.as_user(writer).send, user, "to all devices")
            answer.expect(201)
            for stream in mine_h2:
                data = b""
                while b"to all devices" not in data:
                    data += await stream.read(60 * SLOWNESS)
            while not all(b"to all devices" in p.data[mark:] for p, mark in zip(mine_h1, marks)):
                await asyncio.sleep(0.002)
                assert time.monotonic() - start < 60 * SLOWNESS
            latencies.append(time.monotonic() - start)
        used = cpu_seconds(server.process.pid) - used
        took = sum(latencies)
        # Waits until a heartbeat has reached each stream: all of them are still open.
        marks = [len(p.data) for _, p in h1_streams]
        for _, stream in h2_streams:
            await stream.read(60 * SLOWNESS)
        while not all(len(p.data) > mark for (_, p), mark in zip(h1_streams, marks)):
            await asyncio.sleep(0.1)
        assert all(p.transport is not None for _, p in h1_streams)
        assert not any(connection.closed for connection in connections)
        value = metrics.total(await asyncio.to_thread(metrics.scrape, server.admin_url), "parley_push_waiters")
        assert value == STREAMS
        for _, protocol in h1_streams:
            protocol.transport.abort()
        for connection in connections:
            await connection.close()
        await asyncio.to_thread(metrics.wait_for, server.admin_url, "parley_push_waiters",
                                lambda value: value == 0, 30 * SLOWNESS)
        return per_stream, latencies, used, took

    try:
        per_stream, latencies, used, took = asyncio.run(main())
        print(f"{per_stream:.1f} KiB a stream, slowest of {len(latencies)} deliveries "
              f"to {PER_USER} devices {max(latencies):.3f} s, {used:.2f} s of processor time in {took:.2f} s")
        # The server's cost, with the heartbeats of all streams. How long it takes depends on this client, which reads
        # 10,000 streams on a busy machine.
        assert used < (1 + took / 5) * SLOWNESS
        assert per_stream < 24 * SLOWNESS
        server.check_log()
    finally:
        api.close()
        server.close()
