"""Proves that a request whose client leaves at any moment costs nothing afterwards: for every operation, at every step
and while its database does not answer, the server goes on, forgets the request, and ends in order."""

import asyncio
import contextlib
import json
import random

import pytest

from operations import IDS, STATIC, prepare, request_of
from harness import metrics
from harness.client import Api
from harness.h2conn import ConnectionEnded, H2Connection
from harness.stack import SLOWNESS, Parleyd

OPERATIONS = [operation for operation in IDS if operation not in STATIC]
ROUNDS = 4
CONNECTIONS = 3


@pytest.fixture
def server(stack):
    server = Parleyd(stack, proxied=True).start()
    yield server
    server.close()


def encoded(operation, me, peer, message_id):
    """The arguments of H2Connection.start."""
    method, path, body = request_of(operation, me, peer, message_id)
    headers = [("authorization", f"Bearer {me.token}")]
    if body is None:
        return method, path, headers, None
    return method, path, [*headers, ("content-type", "application/json")], json.dumps(body).encode()


async def send_and_leave(server, requests, chance):
    """Sends each request on a stream of its own, which is reset 0 to 20 ms later."""
    connection = await H2Connection.open(server.url)

    async def one(request):
        stream = connection.start(*request)
        await asyncio.sleep(chance.uniform(0, 0.02))
        connection.reset(stream.id)

    with contextlib.suppress(ConnectionEnded):
        await asyncio.gather(*map(one, requests))
    await connection.close()


async def storm(server, requests, chance):
    """Few resets on each connection: the server takes too many at once for a flood and ends the connection."""
    await asyncio.gather(*(send_and_leave(server, requests[at::CONNECTIONS], chance) for at in range(CONNECTIONS)))


@pytest.mark.own_server
@pytest.mark.parametrize("mode", ["pass", "stall"])
def test_every_operation(server, stack, contract, mode):
    """With `stall` the databases answer nothing until all clients have left."""
    api = Api(server.url, contract, stack.jwt_key)
    chance = random.Random(7)
    for _ in range(ROUNDS):
        me, peer = api.make_user(), api.make_user()
        message_id = prepare(api, me, peer)
        requests = [encoded(operation, me, peer, message_id) for operation in OPERATIONS]
        chance.shuffle(requests)
        server.set_proxies(mode)
        asyncio.run(storm(server, requests, chance))
        server.set_proxies("pass")
    metrics.wait_for(server.admin_url, "parley_lane_operations", lambda value: value == 0, 20 * SLOWNESS)
    # A request that is still referenced counts. The scrape itself is one.
    metrics.wait_for(server.admin_url, "parley_http_requests_in_flight", lambda value: value == 1, 20 * SLOWNESS)
    me, peer = api.make_user(), api.make_user()
    api.as_user(me).send(peer, "still here").expect(201)
    api.close()
    status, took = server.terminate()
    assert status == 0 and took < 2 * SLOWNESS
    server.check_log()
