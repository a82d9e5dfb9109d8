"""Proves that clients may choose any timeout for their long-polls: all possible timeouts at once on one worker are
accepted, end in time, and do not disturb each other. (A worker has a list of timers for each duration, and a fixed number
of lists.)"""

import asyncio
import time

import pytest

from harness.client import Api
from harness.h2conn import H2Connection
from harness.stack import SLOWNESS, Parleyd

TIMEOUTS = range(1, 61)
LATE = 1.0 * SLOWNESS  # s; an answer may be late by this


@pytest.mark.own_server
@pytest.mark.timeout(60 * SLOWNESS)
def test_every_timeout_at_once(stack, contract):
    server = Parleyd(stack, {"server": {"workers": 1}, "push": {"max_waiters_per_user": 2 * len(TIMEOUTS)}}).start()
    api = Api(server.url, contract, stack.jwt_key)
    reader, writer = api.make_user(), api.make_user()
    headers = [("authorization", f"Bearer {reader.token}")]
    pid = server.process.pid

    def target(timeout):
        return f"/v1/updates?timeout={timeout}"

    async def answer(stream, timeout):
        response = await stream.response(70 * SLOWNESS)
        return contract.check("GET", target(timeout), response.status, response.headers, response.body)

    async def main():
        connection = await H2Connection.open(server.url)
        start = time.monotonic()
        streams = {timeout: connection.start("GET", target(timeout), headers) for timeout in TIMEOUTS}
        # The short ones end by themselves, each in its time.
        for timeout in (1, 2, 3):
            delta = await answer(streams.pop(timeout), timeout)
            assert timeout - 0.05 <= time.monotonic() - start < timeout + LATE
            assert delta["messages"] == [] and delta["isDeltaUpdate"] is True
        # Clients of some long ones leave. The others, on the same timers, are all woken.
        for timeout in range(31, 61, 2):
            streams.pop(timeout).reset()
        sent = await asyncio.to_thread(lambda: api.as_user(writer).send(reader, "to all who wait").expect(201))
        woken = time.monotonic()
        for timeout, stream in streams.items():
            delta = await answer(stream, timeout)
            # On a slow machine the shortest of them may have ended before.
            assert timeout < woken - start or [m["messageId"] for m in delta["messages"]] == [sent["messageId"]]
        assert time.monotonic() - woken < LATE
        # All of them once more; no client waits to the end.
        again = [connection.start("GET", target(timeout), headers) for timeout in TIMEOUTS]
        answers = await connection.request("GET", "/v1/updates?timeout=0", headers)
        assert answers.status == 200
        assert not any(stream.ended for stream in again)
        await connection.close()

    try:
        asyncio.run(main())
        assert server.process.poll() is None and server.process.pid == pid
        assert len(api.as_user(reader).fetch_messages(writer).expect(200)["messages"]) == 1
    finally:
        api.close()
        server.close_and_judge()
