"""Proves promise 9 for what clients have not read yet, and for requests in flight: each user, each connection and the
process have a budget of bytes and of requests; over it the answer is 429 or 503 with Retry-After, others are not affected,
and the budget is free again when the client has read or left."""

import asyncio
import contextlib

import pytest

from harness import metrics
from harness.client import Api, conversation_id
from harness.h2conn import H2Connection
from harness.stack import SLOWNESS, Parleyd, wait_until

pytestmark = pytest.mark.own_server
MB = 1 << 20
PAGES = 2  # fit into a budget of 2 MB


@contextlib.contextmanager
def serving(stack, **limits):
    server = Parleyd(stack, {"server": {"workers": 1, **limits}}).start()
    try:
        yield server
    finally:
        server.close_and_judge()


@pytest.fixture
def talk(api, alice, bob):
    """A conversation of alice's and bob's whose page has 900 KB."""
    for _ in range(45):
        api.as_user(alice).send(bob, "x" * 20000).expect(201)
    return f"/v1/conversations/{conversation_id(alice.id, bob.id)}/messages?pageSize=45"


def ask(connection, user, target):
    return connection.start("GET", target, [("authorization", f"Bearer {user.token}")])


async def statuses(streams):
    return [await stream.wait_headers() for stream in streams]


async def opened(url, count=1):
    """Connections that take no more than one window of each answer."""
    return [await H2Connection.open(url, windows=False) for _ in range(count)]


async def close(*connections):
    for connection in connections:
        await connection.close()


def refused(server, limit):
    return metrics.total(metrics.scrape(server.admin_url), "parley_http_refused_total", limit=limit)


def unsent(server):
    return metrics.total(metrics.scrape(server.admin_url), "parley_http_unsent_body_bytes")


def test_unread_answers_of_a_user(stack, alice, bob, talk):
    async def run(server):
        first, second = await opened(server.url, 2)
        mine = [ask(connection, alice, talk) for connection in (first, second, first, second)]
        assert sorted(await statuses(mine)) == [200] * PAGES + [429] * 2
        over = next(stream for stream in mine if stream.status == 429)
        assert over.headers["retry-after"] == "1" and over.headers["content-type"] == "application/problem+json"
        assert await ask(second, bob, talk).wait_headers() == 200, "another user is not affected"
        assert await ask(second, alice, "/v1/conversations").wait_headers() == 200, "a small answer is not counted"
        await close(first, second)

    with serving(stack, max_unsent_per_user=2 * MB) as server:
        asyncio.run(run(server))
        assert refused(server, "user-unsent") == 2
        wait_until(lambda: unsent(server) == 0, 10 * SLOWNESS, "all budgets are free again")


def test_what_was_read_counts_no_more(stack, alice, talk):
    async def run(server):
        connection = await H2Connection.open(server.url)
        for _ in range(3 * PAGES):
            response = await ask(connection, alice, talk).response()
            assert response.status == 200 and len(response.body) > 900_000
        await connection.close()

    with serving(stack, max_unsent_per_user=2 * MB, max_unsent_per_connection=2 * MB, max_unsent=2 * MB) as server:
        asyncio.run(run(server))
        assert unsent(server) == 0


def test_unread_answers_of_a_connection(stack, alice, bob, talk):
    async def run(server):
        first, second = await opened(server.url, 2)
        assert await statuses([ask(first, user, talk) for user in (alice, bob)]) == [200, 200]
        assert await ask(first, alice, talk).wait_headers() == 429
        assert await ask(second, alice, talk).wait_headers() == 200, "another connection is not affected"
        await close(first, second)

    with serving(stack, max_unsent_per_connection=2 * MB) as server:
        asyncio.run(run(server))
        assert refused(server, "connection-unsent") == 1


def test_unread_answers_of_the_process(stack, alice, bob, talk):
    async def run(server):
        connections = await opened(server.url, 3)
        assert await statuses([ask(connections[0], alice, talk), ask(connections[1], bob, talk)]) == [200, 200]
        over = ask(connections[2], bob, talk)
        assert await over.wait_headers() == 503
        assert over.headers["retry-after"] == "1" and b"overloaded" in (await over.response()).body
        await close(*connections[:2])
        wait_until(lambda: unsent(server) == 0, 10 * SLOWNESS, "those who have left are not counted")
        assert await ask(connections[2], bob, talk).wait_headers() == 200
        await close(connections[2])

    with serving(stack, max_unsent=2 * MB) as server:
        asyncio.run(run(server))
        assert refused(server, "process-unsent") == 1


def test_requests_in_flight_of_a_user(stack, contract, alice, bob):
    """Long-polls are requests too. A token with scope admin is not limited."""
    async def run(server):
        first, second = [await H2Connection.open(server.url) for _ in range(2)]
        polls = [ask(connection, alice, "/v1/updates?timeout=60") for connection in (first, second, first)]
        await metrics_show_waiters(server, 3)
        over = ask(second, alice, "/v1/conversations")
        assert await over.wait_headers() == 429
        assert over.headers["retry-after"] == "1"
        api = Api(server.url, contract, stack.jwt_key)
        assert api.as_user(bob).fetch_conversation().status == 200, "another user is not affected"
        assert api.admin().send(bob, "hello", senderId=alice.id).status == 201
        api.as_user(bob).send(alice, "wake up").expect(201)
        assert await statuses(polls) == [200] * 3
        for stream in polls:
            await stream.response()
        assert await ask(second, alice, "/v1/conversations").wait_headers() == 200
        api.close()
        await close(first, second)

    with serving(stack, max_requests_in_flight_per_user=3) as server:
        asyncio.run(run(server))
        assert refused(server, "user-requests") == 1


async def metrics_show_waiters(server, count):
    while metrics.waiters(server) < count:
        await asyncio.sleep(0.02)
