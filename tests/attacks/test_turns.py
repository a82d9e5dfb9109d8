"""Proves that a user who asks for much does not delay others: read lanes serve users in turn, and a user has a limited
number of requests in flight."""

import asyncio

from harness.client import conversation_id, unique
from harness.h2conn import H2Connection
from own_server import bystander, check_served, mine, server  # pylint: disable=unused-import

MESSAGES = 2000
# The pages fill the cache, which has 64 MiB for each worker.
GROWTH_MIB = 250
# The attacker reads 2,000 pages a second, so the processors are busy. Without turns a read waits for 1.5 s.
P99 = 0.3


async def send_many(url, sender, recipient, count):
    """Returns their ids."""
    connection = await H2Connection.open(url)
    headers = [("authorization", f"Bearer {sender.token}"), ("content-type", "application/json")]
    ids = []
    for _ in range(0, count, 100):
        bodies = [f'{{"recipientId":"{recipient.id}","clientMessageId":"{unique("m")}","messageContent":"{"x" * 160}"}}'.encode()
                  for _ in range(100)]
        streams = [connection.start("POST", "/v1/messages", headers, body) for body in bodies]
        answers = [await stream.response() for stream in streams]
        assert {answer.status for answer in answers} == {201}
        ids += [answer.body.split(b'"messageId":"')[1].split(b'"')[0].decode() for answer in answers]
    await connection.close()
    return ids


def test_many_pages_of_history(server, mine, bob, bystander):
    """12 connections of one account with 95 streams each ask for pages that no cache has."""
    ids = asyncio.run(send_many(server.url, mine.user, bob, MESSAGES))
    history = f"/v1/conversations/{conversation_id(mine.user.id, bob.id)}/messages?pageSize=100&before="
    answers = check_served(bystander, server.url, [mine.user.token],
                           [history + message_id for message_id in ids], GROWTH_MIB, P99, connections=12, streams=95)
    assert answers["200"] > 0 and answers["429"] > 0


def test_many_deep_pages(server, mine, bob, bystander):
    """The same with pages by their number, far down: all but the first are refused."""
    asyncio.run(send_many(server.url, mine.user, bob, MESSAGES))
    history = f"/v1/conversations/{conversation_id(mine.user.id, bob.id)}/messages"
    answers = check_served(bystander, server.url, [mine.user.token],
                           [f"{history}?pageSize={99 - number % 50}&pageNumber={number}" for number in range(1, 500)],
                           GROWTH_MIB, P99, connections=12, streams=95)
    assert answers["422"] > answers["200"] > 0
