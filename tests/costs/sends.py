"""Requests that cost the same each time, over HTTP/2 as the edge sends them."""

import asyncio
import json

from harness.client import unique
from harness.h2conn import H2Connection


def headers(user):
    return [("authorization", f"Bearer {user.token}"), ("content-type", "application/json")]


def body(recipient):
    return json.dumps({"recipientId": recipient.id, "clientMessageId": unique("m"), "messageContent": "x" * 160}).encode()


def at_once(url, user, method, path, contents):
    """Sends one request for each of `contents` (bytes or None) on one connection, without pauses; returns the statuses.
    `path` is one path for all, or a list with one path for each."""
    paths = [path] * len(contents) if isinstance(path, str) else path

    async def run():
        connection = await H2Connection.open(url)
        try:
            streams = [connection.start(method, target, headers(user), content, flush=False)
                       for target, content in zip(paths, contents)]
            connection.flush()
            return [(await stream.response()).status for stream in streams]
        finally:
            await connection.close()

    return asyncio.run(run())
