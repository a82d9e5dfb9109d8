"""Proves that a few accounts, or many from one address, cannot take all of what the process has for everybody: places of
long-polls and streams, watched users, and exports. The limits are small ones of the test."""

import asyncio
import contextlib

import pytest

from harness import metrics
from harness.client import unique
from harness.h2conn import H2Connection
from harness.stack import SLOWNESS, Parleyd, wait_until

PUSH = {"max_waiters": 24, "max_waiters_per_user": 4, "max_waiters_per_address": 10, "max_watched": 40,
        "max_watched_per_user": 6, "max_watched_per_address": 20}
HERE, THERE = "192.0.2.1", "192.0.2.2"


@contextlib.contextmanager
def serving(stack, **options):
    server = Parleyd(stack, {"server": {"workers": 1, "max_exports_per_address": 2, **options}, "push": PUSH}).start()
    try:
        yield server
    finally:
        server.close_and_judge()


@pytest.fixture
def crowd(api):
    return [api.make_user(unique("c")) for _ in range(6)]


def ask(connection, user, target, address):
    """As the edge passes it on."""
    return connection.start("GET", target, [("authorization", f"Bearer {user.token}"), ("x-forwarded-for", address)])


def refused(server, limit):
    return metrics.total(metrics.scrape(server.admin_url), "parley_http_refused_total", limit=limit)


async def refused_of(server, streams, waiting):
    """How many were refused, once so many others wait."""
    while metrics.waiters(server) < waiting or sum(stream.status is not None for stream in streams) < len(streams) - waiting:
        await asyncio.sleep(0.02)
    assert {stream.status for stream in streams} <= {None, 429}
    return sum(stream.status == 429 for stream in streams)


def test_places_of_waiters(stack, crowd):
    async def run(server):
        connection = await H2Connection.open(server.url)
        polls = [ask(connection, user, "/v1/updates?timeout=60", HERE) for user in crowd[:5] for _ in range(4)]
        assert await refused_of(server, polls, 10) == 10
        # Somebody elsewhere still gets a place, and so does the attackers' neighbour when they have left.
        other = await H2Connection.open(server.url)
        assert await ask(other, crowd[5], "/v1/updates/stream?lastUpdatedTimestamp=0", THERE).wait_headers() == 200
        assert await ask(other, crowd[5], "/v1/updates/stream?lastUpdatedTimestamp=0", HERE).wait_headers() == 429
        await connection.close()
        wait_until(lambda: metrics.waiters(server) == 1, 10 * SLOWNESS, "the polls are gone")
        assert await ask(other, crowd[5], "/v1/updates/stream?lastUpdatedTimestamp=0", HERE).wait_headers() == 200
        await other.close()

    with serving(stack) as server:
        asyncio.run(run(server))
        assert refused(server, "address-share") == 11


def test_watched_users(stack, crowd):
    watch = f"/v1/updates/stream?lastUpdatedTimestamp=0&presence={','.join(user.id for user in crowd[:3])}"

    async def run(server):
        connection = await H2Connection.open(server.url)
        mine = [await ask(connection, crowd[0], watch, HERE).wait_headers() for _ in range(3)]
        assert mine == [200, 200, 429], "a user watches 6"
        assert refused(server, "user-share") == 1
        others = [await ask(connection, user, watch, HERE).wait_headers() for user in crowd[1:4] for _ in range(2)]
        assert others == [200, 200, 200, 200, 429, 429], "an address watches 20"
        assert await ask(connection, crowd[4], watch, THERE).wait_headers() == 200
        await connection.close()

    with serving(stack) as server:
        asyncio.run(run(server))


def test_exports(stack, api, crowd):
    for user in crowd[:3]:
        for _ in range(10):
            api.as_user(user).send(crowd[5], "x" * 60000).expect(201)

    async def run(server):
        connection = await H2Connection.open(server.url, initial_window=1000)
        unread = [ask(connection, user, "/v1/users/me/export", HERE) for user in crowd[:3]]
        statuses = [await stream.wait_headers() for stream in unread]
        assert sorted(statuses) == [200, 200, 429]
        assert await ask(connection, crowd[4], "/v1/users/me/export", THERE).wait_headers() == 200
        await connection.close()

    with serving(stack) as server:
        asyncio.run(run(server))


@pytest.mark.parametrize("addresses, together", [
    ([f"2001:db8:0:1::{n}" for n in range(1, 5)], True),
    ([f"2001:db8:0:{n}::1" for n in range(1, 5)], False),
    (["::ffff:192.0.2.1" if n % 2 else "192.0.2.1" for n in range(4)], True),
], ids=["one-network", "four-networks", "one-in-two-forms"])
def test_addresses(stack, crowd, addresses, together):
    async def run(server):
        connection = await H2Connection.open(server.url)
        polls = [ask(connection, user, "/v1/updates?timeout=60", address)
                 for user, address in zip(crowd, addresses) for _ in range(4)]
        assert await refused_of(server, polls, 10 if together else 16) == (6 if together else 0)
        await connection.close()

    with serving(stack) as server:
        asyncio.run(run(server))


def test_a_header_that_is_not_trusted(stack, crowd):
    """Without an edge a client could name any address."""
    async def run(server):
        connection = await H2Connection.open(server.url)
        polls = [ask(connection, user, "/v1/updates?timeout=60", f"192.0.2.{n}") for n, user in enumerate(crowd[:4])
                 for _ in range(4)]
        assert await refused_of(server, polls, 10) == 6
        await connection.close()

    with serving(stack, trust_forwarded_for="false") as server:
        asyncio.run(run(server))
