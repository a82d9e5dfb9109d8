"""Proves promise 4, order: a thousand sends that are pipelined on one connection are stored in order on both sides, over
h2c and HTTP/1.1; a send after an acknowledgement sorts after that message, on any server."""

import asyncio
import json

import pytest

from harness.client import Api
from harness.h1conn import H1Connection
from harness.h2conn import H2Connection
from harness.readers import post
from harness.stack import SLOWNESS, Parleyd

COUNT = 1000


def check_both_sides(api, sender, recipient, answers):
    ids = [answer["messageId"] for answer in answers]
    assert ids == sorted(ids, key=int) and len(set(ids)) == len(ids)
    for me, peer in ((sender, recipient), (recipient, sender)):
        messages = api.as_user(me).all_messages(peer)
        assert [m["messageContent"] for m in messages] == [f"message {i}" for i in range(len(ids))]
        assert [m["messageId"] for m in messages] == ids
        by_version, _, _ = api.as_user(me).all_updates()
        versions = [m["lastUpdatedTimestamp"] for m in by_version]
        assert versions == sorted(set(versions))
        if me is recipient:
            assert [m["messageId"] for m in by_version] == ids


def wait_for_copies(api, sender, recipient, count):
    """Waits until a copy that an answer called pending is there, at most five seconds."""
    for _ in range(50 * SLOWNESS):
        if len(api.as_user(sender).all_messages(recipient)) == count:
            return
        asyncio.run(asyncio.sleep(0.1))


@pytest.mark.concurrent
def test_pipelined_on_h2c(api, stack, contract, pair):
    sender, recipient = pair

    async def run():
        connection = await H2Connection.open(stack.url)
        room = asyncio.Semaphore(min(connection.max_streams, 900))
        answers = [None] * COUNT

        async def collect(i, stream):
            response = await stream.response(60 * SLOWNESS)
            room.release()
            answers[i] = contract.check("POST", "/v1/messages", response.status, response.headers, response.body)
            assert response.status == 201, response.body

        tasks = []
        for i in range(COUNT):
            await room.acquire()
            stream = post(connection, sender, recipient.id, f"message {i}", f"c{i}")
            tasks.append(asyncio.ensure_future(collect(i, stream)))
        await asyncio.gather(*tasks)
        await connection.close()
        return answers

    answers = asyncio.run(run())
    wait_for_copies(api, sender, recipient, COUNT)
    check_both_sides(api, sender, recipient, answers)


@pytest.mark.concurrent
def test_pipelined_on_http1(api, stack, contract, pair):
    """libh2o answers pipelined requests one after the other, so this also tests that none of a thousand requests that
    have already arrived is lost."""
    sender, recipient = pair
    with H1Connection(stack.url, timeout=60 * SLOWNESS) as connection:
        requests = b"".join(connection.encode(
            "POST", "/v1/messages",
            [("Authorization", f"Bearer {sender.token}"), ("Content-Type", "application/json")],
            json.dumps({"recipientId": recipient.id, "messageContent": f"message {i}",
                        "clientMessageId": f"c{i}"}).encode()) for i in range(COUNT))
        connection.send(requests)
        answers = []
        for _ in range(COUNT):
            status, headers, body = connection.read_response()
            assert status == 201, body
            answers.append(contract.check("POST", "/v1/messages", status, headers, body))
    wait_for_copies(api, sender, recipient, COUNT)
    check_both_sides(api, sender, recipient, answers)


@pytest.mark.concurrent
def test_two_conversations_on_one_connection(api, stack, contract, alice, bob):
    """Sends to two recipients, interleaved: each conversation has its own order."""
    third = api.make_user()

    async def run():
        connection = await H2Connection.open(stack.url)
        streams = [post(connection, alice, (bob, third)[i % 2].id, f"message {i // 2}", f"c{i}")
                   for i in range(80)]
        answers = [await stream.response(60 * SLOWNESS) for stream in streams]
        await connection.close()
        return [contract.check("POST", "/v1/messages", a.status, a.headers, a.body) for a in answers]

    answers = asyncio.run(run())
    wait_for_copies(api, alice, bob, 40)
    for peer, mine in ((bob, answers[::2]), (third, answers[1::2])):
        messages = api.as_user(peer).all_messages(alice)
        assert [m["messageId"] for m in messages] == [a["messageId"] for a in mine]
        assert [m["messageContent"] for m in messages] == [f"message {i}" for i in range(40)]
        assert [m["messageId"] for m in api.as_user(alice).all_messages(peer)] == [a["messageId"] for a in mine]


@pytest.mark.own_server
def test_acknowledged_order_over_two_servers(api, stack, contract, pair):
    """Each send goes to the other server after the previous one was acknowledged. Answers sort after the messages that
    they answer."""
    server = Parleyd(stack).start()
    try:
        servers = [api, Api(server.url, contract, stack.jwt_key)]
        ids = []
        for i in range(60):
            me, peer = pair if i % 3 else pair[::-1]
            ids.append(servers[i % 2].as_user(me).send(peer, f"message {i}").expect(201)["messageId"])
        assert ids == sorted(ids, key=int)
        wait_for_copies(api, pair[0], pair[1], 60)
        wait_for_copies(api, pair[1], pair[0], 60)
        for me, peer in (pair, pair[::-1]):
            assert [m["messageId"] for m in api.as_user(me).all_messages(peer)] == ids
        servers[1].close()
    finally:
        server.close()
