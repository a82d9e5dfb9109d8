"""Proves the drain: after SIGTERM, requests in flight finish, long-polls are answered, streams close after a `retry:`,
new work is refused, /readyz answers 503, and the process ends within ten seconds with status 0."""

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request

import pytest

from harness import metrics
from harness.client import Api
from harness.h1conn import H1Connection
from harness.h2conn import ConnectionEnded, H2Connection, StreamReset
from harness.readers import post
from harness.sse import Parser
from harness.stack import SLOWNESS, Parleyd, is_alive, is_ready, wait_until

LIMIT = 10 * SLOWNESS


@pytest.fixture
def server(stack):
    server = Parleyd(stack).start()
    yield server
    server.close()


def lock_mailbox(stack, user):
    """Holds the row lock that a send to the user needs; returns the session."""
    connection = stack.connect(stack.database_of(user.id), "SUPERUSER")
    connection.autocommit = False
    cursor = connection.cursor()
    cursor.execute(f"SELECT FROM {stack.schema_of(user.id)}.mailbox WHERE user_id = %s FOR UPDATE", (user.id,))
    return connection


@pytest.mark.own_server
def test_idle_server_stops_at_once(server):
    status, took = server.terminate()
    assert status == 0 and took < 2 * SLOWNESS
    server.check_log()


@pytest.mark.own_server
@pytest.mark.concurrent
def test_requests_and_streams_end_properly(server, stack, contract, pair):
    """A send that waits for a lock, long-polls and streams over both protocols, and a signal."""
    sender, recipient = pair
    idle = Api(server.url, contract, stack.jwt_key).make_user()

    async def main():
        loop = asyncio.get_running_loop()
        h2 = await H2Connection.open(server.url)
        poller = [("authorization", f"Bearer {idle.token}")]
        polls = [h2.start("GET", "/v1/updates?timeout=60", poller) for _ in range(5)]
        streams = [h2.start("GET", "/v1/updates/stream", poller) for _ in range(5)]
        for stream in streams:
            assert await stream.wait_headers() == 200
        h1_poll, h1_stream = H1Connection(server.url), H1Connection(server.url)
        headers = [("Authorization", f"Bearer {idle.token}")]
        h1_poll.send(h1_poll.encode("GET", "/v1/updates?timeout=60", headers))
        h1_stream.send(h1_stream.encode("GET", "/v1/updates/stream", headers))
        h1_stream.read_head()
        lock = lock_mailbox(stack, recipient)
        in_flight = post(h2, sender, recipient.id, "in flight", "c")
        await asyncio.to_thread(metrics.wait_for_waiters, server, len(polls) + len(streams) + 2)
        await asyncio.to_thread(stack.wait_until_blocked, recipient)
        start = time.monotonic()
        ending = loop.run_in_executor(None, server.terminate)
        # A send in flight keeps its connection open. Long-polls and streams end without waiting for it.
        for poll in polls:
            response = await poll.response(LIMIT)
            delta = contract.check("GET", "/v1/updates", response.status, response.headers, response.body)
            assert response.status == 200 and delta["messages"] == []
        status, response_headers, body = await loop.run_in_executor(None, h1_poll.read_response)
        assert status == 200 and contract.check("GET", "/v1/updates", status, response_headers, body)
        for stream in streams:
            parser, data = Parser(), b""
            while True:
                chunk = await stream.read(LIMIT)
                if not chunk:
                    break
                data += chunk
            parser.feed(data)
            assert parser.retry is not None
        h1_data = b""
        while True:
            chunk = await loop.run_in_executor(None, h1_stream.read_chunk)
            if not chunk:
                break
            h1_data += chunk
        assert h1_data.count(b"retry:") >= 1
        lock.rollback()
        lock.close()
        response = await in_flight.response(LIMIT)
        assert response.status == 201, response.body
        answer = json.loads(response.body)
        status, _ = await ending
        took = time.monotonic() - start
        await h2.close()
        return status, took, answer

    status, took, answer = asyncio.run(main())
    assert status == 0 and took < LIMIT, (status, took)
    server.check_log()
    again = Parleyd(stack).start()
    try:
        api = Api(again.url, contract, stack.jwt_key)
        messages = api.as_user(recipient).all_messages(sender)
        assert [m["messageId"] for m in messages] == [answer["messageId"]]
        api.close()
    finally:
        again.close()


@pytest.mark.own_server
def test_streams_that_have_not_begun_are_refused(server, stack, contract, alice):
    """A stream and a long-poll whose cursor is still being read."""
    targets = ("/v1/updates/stream", "/v1/updates?timeout=60")
    connections = [H1Connection(server.url) for _ in targets]
    with stack.mailboxes_held(alice):
        for connection, target in zip(connections, targets):
            connection.send(connection.encode("GET", target, [("Authorization", f"Bearer {alice.token}")]))
        metrics.wait_for(server.admin_url, "parley_push_waiters", lambda value: value == len(targets), 4 * SLOWNESS)
        assert server.terminate()[0] == 0
    for connection, target in zip(connections, targets):
        assert contract.check("GET", target, *connection.read_response())["code"] == "shutting-down"
    server.check_log()


@pytest.mark.own_server
def test_requests_that_do_not_end_are_cut_off(server, stack, contract, pair):
    """The process ends within ten seconds even if a lock is never released or a request never completes. The outcome of a
    send that is cut off is unknown."""
    sender, recipient = pair
    half = H1Connection(server.url)
    half.send(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    lock = lock_mailbox(stack, recipient)
    try:
        connection = H1Connection(server.url)
        body = json.dumps({"recipientId": recipient.id, "messageContent": "x", "clientMessageId": "c"}).encode()
        connection.send(connection.encode("POST", "/v1/messages", [
            ("Authorization", f"Bearer {sender.token}"), ("Content-Type", "application/json")], body))
        stack.wait_until_blocked(recipient)
        _, took = server.terminate(15)
        print(f"gone after {took:.2f} s: {server.log()[-2000:]}")
        assert took < LIMIT
        status, headers, body = connection.read_response()
        assert status == 503
        assert contract.check("POST", "/v1/messages", status, headers, body)["code"] == "outcome-unknown"
    finally:
        lock.close()


@pytest.mark.own_server
def test_readiness_goes_and_new_work_is_refused(server, stack, contract, pair):
    sender, recipient = pair
    lock = lock_mailbox(stack, recipient)

    async def main():
        h2 = await H2Connection.open(server.url)
        in_flight = post(h2, sender, recipient.id, "x", "c")
        await asyncio.to_thread(stack.wait_until_blocked, recipient)
        ending = threading.Thread(target=server.terminate)
        ending.start()
        await asyncio.to_thread(wait_until, lambda: not is_ready(server.admin_url), 20 * SLOWNESS, "it is no longer ready")
        if is_alive(server.process.pid):
            with pytest.raises((urllib.error.URLError, OSError)) as refused:
                urllib.request.urlopen(server.admin_url + "/readyz", timeout=5)
            if isinstance(refused.value, urllib.error.HTTPError):
                assert refused.value.code == 503
            # Nothing new is begun on the connection that is still open for its request.
            for target in ("/v1/updates/stream", "/v1/updates?timeout=1"):
                try:
                    response = await h2.request("GET", target, [("authorization", f"Bearer {sender.token}")], timeout=2)
                    contract.check("GET", target, response.status, response.headers, response.body)
                    assert response.status == 503, response.body
                except (StreamReset, ConnectionEnded, asyncio.TimeoutError):
                    pass
            with pytest.raises((OSError, ConnectionEnded, asyncio.TimeoutError)):
                late = await asyncio.wait_for(H2Connection.open(server.url), 2)
                try:
                    response = await late.request("GET", "/v1/conversations",
                                                  [("authorization", f"Bearer {sender.token}")], timeout=2)
                    if response.status == 503:
                        raise ConnectionEnded("refused by 503")
                finally:
                    await late.close()
        lock.rollback()
        try:
            assert (await in_flight.response(LIMIT)).status == 201
        finally:
            await asyncio.to_thread(ending.join)
            await h2.close()

    try:
        asyncio.run(main())
    finally:
        lock.close()


@pytest.mark.own_server
@pytest.mark.concurrent
def test_nothing_is_lost_under_load(server, stack, contract, pair):
    """SIGTERM during a series of sends: acknowledged messages are stored, the others can be sent again to another server,
    and the order is kept."""
    sender, recipient = pair
    other = Parleyd(stack).start()

    async def main():
        h2 = await H2Connection.open(server.url)
        streams, ending = [], None
        for i in range(400):
            if h2.closed or h2.goaway is not None:
                break
            streams.append((i, post(h2, sender, recipient.id, f"{i}", f"c{i}")))
            if i == 150:
                ending = asyncio.get_running_loop().run_in_executor(None, server.terminate)
            while len(h2.streams) > 50:
                await asyncio.sleep(0.001)
        acknowledged = {}
        for i, stream in streams:
            try:
                response = await stream.response(LIMIT)
            except (ConnectionEnded, StreamReset):
                continue
            contract.check("POST", "/v1/messages", response.status, response.headers, response.body)
            if response.status == 201:
                acknowledged[i] = json.loads(response.body)["messageId"]
            else:
                assert response.status == 503
        status, took = await ending
        await h2.close()
        assert status == 0 and took < LIMIT
        return acknowledged

    try:
        acknowledged = asyncio.run(main())
        assert len(acknowledged) >= 100
        api = Api(other.url, contract, stack.jwt_key)
        for i in range(400):
            answer = api.as_user(sender).send(recipient, f"{i}", f"c{i}")
            answer.expect(200, 201)
            if i in acknowledged:
                assert answer.status == 200 and answer.json["messageId"] == acknowledged[i]
        assert len(api.as_user(recipient).all_messages(sender)) == 400
        wait_until(lambda: len(api.as_user(sender).all_messages(recipient)) == 400, 10 * SLOWNESS, "all copies")
        api.close()
        server.check_log()
    finally:
        other.close()
