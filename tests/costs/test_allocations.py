"""Limits how often a request allocates memory, counted in parleyd and its libraries. The median over many requests of one
kind, one after the other, is the same number in every run. A change that saves an allocation lowers the limit here."""

import asyncio
import statistics

import pytest

from harness.client import conversation_id
from harness.h2conn import H2Connection
from sends import body, headers

REQUESTS = 100

SEND = {"same-shard": 27, "same-database": 27, "other-database": 38}
# The same, with one open stream that gets the event.
SEND_AND_EVENT = {"same-shard": 35, "same-database": 35, "other-database": 48}
CACHED_READ = 12


async def allocations(server, work):
    """The median number of allocations during `await work()`."""
    counts = []
    for _ in range(REQUESTS):
        before = server.allocations()
        await work()
        counts.append(server.allocations() - before)
    median = statistics.median(counts)
    assert median > 0, "allocations are not counted"
    return median


class Client:
    """One connection of one user."""

    def __init__(self, server, user):
        self.server, self.user, self.connection = server, user, None

    async def __aenter__(self):
        self.connection = await H2Connection.open(self.server.url)
        return self

    async def __aexit__(self, *_):
        await self.connection.close()

    async def send(self, recipient):
        response = await self.connection.request("POST", "/v1/messages", headers(self.user), body(recipient))
        assert response.status == 201

    async def get(self, target):
        response = await self.connection.request("GET", target, headers(self.user))
        assert response.status == 200

    async def stream(self):
        """An open stream, whose first events are already read."""
        stream = self.connection.start("GET", "/v1/updates/stream", headers(self.user))
        assert await stream.wait_headers() == 200
        await stream.read()
        return stream


def test_a_send(server, pair, request):
    place = request.node.callspec.params["pair"]
    sender, recipient = pair

    async def run():
        async with Client(server, sender) as mine, Client(server, recipient) as theirs:
            alone = await allocations(server, lambda: mine.send(recipient))
            stream = await theirs.stream()

            async def send_and_receive():
                await mine.send(recipient)
                assert b"event: delta" in await stream.read()

            return alone, await allocations(server, send_and_receive)

    alone, with_event = asyncio.run(run())
    assert alone <= SEND[place]
    assert with_event <= SEND_AND_EVENT[place]


@pytest.mark.parametrize("pair", ["same-shard"], indirect=True)
@pytest.mark.parametrize("target", ["/v1/conversations", "/v1/conversations/{}/messages"])
def test_a_cached_read(server, pair, target):
    one, two = pair

    async def run():
        async with Client(server, one) as mine:
            return await allocations(server, lambda: mine.get(target.format(conversation_id(one.id, two.id))))

    assert asyncio.run(run()) <= CACHED_READ
