"""Proves promise 5, the lossless cursor: 20 writers send to one mailbox while readers follow it by
delta pages, long-poll and SSE, reconnecting at random; every reader ends with exactly the mailbox,
each message once, in one order."""

import asyncio
import random
import time

import pytest

from harness import checkers
from harness.h2conn import H2Connection
from harness.readers import KINDS, post
from harness.stack import SLOWNESS, wait_until

WRITERS = 20
MESSAGES = 40
READERS = 3


async def write(url, contract, writer, recipient, seed):
    """Keeps up to four sends in flight, and sometimes repeats one."""
    chance = random.Random(seed)
    connection = await H2Connection.open(url)
    ids, flight = [], []

    async def finish(stream):
        response = await stream.response(60 * SLOWNESS)
        value = contract.check("POST", "/v1/messages", response.status, response.headers, response.body)
        assert response.status in (200, 201), response.body
        ids.append(value["messageId"])

    for i in range(MESSAGES):
        for _ in range(2 if chance.random() < 0.1 else 1):
            flight.append(post(connection, writer, recipient.id, f"{writer.id} {i}", f"c{i}"))
        while len(flight) >= 4:
            await finish(flight.pop(0))
        if chance.random() < 0.2:
            await asyncio.sleep(chance.random() * 0.02)
    for stream in flight:
        await finish(stream)
    await connection.close()
    return set(ids)


async def catch_up(readers):
    stop = asyncio.Event()
    stop.set()
    await asyncio.gather(*(reader.run(stop) for reader in readers))


@pytest.mark.concurrent
@pytest.mark.slow
def test_every_reader_ends_with_the_mailbox(api, stack, contract):
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    owner = api.make_user()
    writers = [api.make_user() for _ in range(WRITERS)]
    readers = [cls(f"{kind} {i}", stack.url, owner, contract, random.Random(chance.random()))
               for kind, cls in KINDS.items() for i in range(READERS)]

    async def run():
        stop = asyncio.Event()
        reading = [asyncio.ensure_future(reader.run(stop)) for reader in readers]
        sent = await asyncio.gather(*(write(stack.url, contract, writer, owner, chance.random())
                                      for writer in writers))
        stop.set()
        await asyncio.wait_for(asyncio.gather(*reading), 60 * SLOWNESS)
        return {(writer.id, message_id) for writer, ids in zip(writers, sent) for message_id in ids}

    acknowledged = asyncio.run(run())
    assert len(acknowledged) == WRITERS * MESSAGES
    api.as_user(owner).settled_cursor()
    asyncio.run(catch_up(readers))
    views = {reader.name: reader.messages for reader in readers}
    views["from the beginning"], _, _ = api.as_user(owner).all_updates()
    assert not checkers.offset_agreement(views)
    for name, messages in views.items():
        assert {(m["senderId"], m["messageId"]) for m in messages} == acknowledged, name
    listed = api.as_user(owner).fetch_conversation(pageSize=100).expect(200)["conversations"]
    expected = {c["conversationId"]: c for c in listed}
    for reader in readers:
        assert reader.conversations == expected, reader.name
    assert all(c["unreadCount"] == MESSAGES for c in listed)
    assert sum(reader.reconnects for reader in readers) >= READERS, "no reader reconnected"


@pytest.mark.concurrent
def test_readers_of_a_mailbox_that_also_sends(api, stack, contract):
    """The owner's own sends are in every view too, though their copies are written second."""
    chance = random.Random(7)
    owner, peers = api.make_user(), [api.make_user() for _ in range(6)]
    readers = [cls(kind, stack.url, owner, contract, random.Random(chance.random()))
               for kind, cls in KINDS.items()]

    async def run():
        stop = asyncio.Event()
        reading = [asyncio.ensure_future(reader.run(stop)) for reader in readers]
        await asyncio.gather(*(write(stack.url, contract, *pair, chance.random())
                               for peer in peers for pair in ((peer, owner), (owner, peer))))
        # Waits for the copies that an answer called pending.
        await asyncio.to_thread(wait_until, lambda: len(api.as_user(owner).all_updates()[0]) == 2 * len(peers) * MESSAGES,
                                30 * SLOWNESS, "all copies are there")
        stop.set()
        await asyncio.wait_for(asyncio.gather(*reading), 60 * SLOWNESS)

    asyncio.run(run())
    views = {reader.name: reader.messages for reader in readers}
    views["from the beginning"], _, _ = api.as_user(owner).all_updates()
    assert not checkers.offset_agreement(views)
    assert len(views["sse"]) == 2 * len(peers) * MESSAGES


@pytest.mark.parametrize("unit", ["seconds", "milliseconds"])
def test_cursor_in_another_unit(api, alice, bob, unit):
    """A client that uses its clock's time as a cursor gets an error instead of losing changes."""
    cursor = int(time.time()) * (1000 if unit == "milliseconds" else 1)
    mine = api.as_user(alice)
    for answer in (mine.fetch_conversation(lastUpdatedTimestamp=cursor), mine.fetch_messages(bob, lastUpdatedTimestamp=cursor),
                   mine.fetch_updates(lastUpdatedTimestamp=cursor, timeout=0),
                   mine.get("/v1/updates/stream", lastUpdatedTimestamp=cursor)):
        (error,) = answer.expect(422)["errors"]
        assert error["pointer"] == "?lastUpdatedTimestamp" and "microseconds" in error["detail"]


def test_conversation_id_with_its_users_swapped(api, alice, bob):
    low, high = sorted((alice, bob), key=lambda user: int(user.id))
    problem = api.as_user(low).fetch_messages(f"{high.id}-{low.id}").expect(404, code="conversation-not-found")
    assert "lower userId" in problem["detail"]
    (error,) = api.as_user(low).post("/v1/messages", {"conversationId": f"{high.id}-{low.id}", "clientMessageId": "c",
                                                      "messageContent": "x"}).expect(422)["errors"]
    assert error["pointer"] == "/conversationId" and "lower userId" in error["detail"]
