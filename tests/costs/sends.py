"""Requests that cost the same each time, over HTTP/2 as the edge makes them."""

import asyncio
import json

from harness.client import unique
from harness.h2conn import H2Connection


def headers(user):
    return [("authorization", f"Bearer {user.token}"), ("content-type", "application/json")]


def body(recipient):
    return json.dumps({"recipientId": recipient.id, "clientMessageId": unique("m"), "messageContent": "x" * 160}).encode()


def at_once(url, user, method, path, contents):
    """One request for each of `contents` (bytes or None), written to one connection without a pause: the statuses."""
    async def run():
        connection = await H2Connection.open(url)
        try:
            streams = [connection.start(method, path, headers(user), content, flush=False) for content in contents]
            connection.flush()
            return [(await stream.response()).status for stream in streams]
        finally:
            await connection.close()

    return asyncio.run(run())
