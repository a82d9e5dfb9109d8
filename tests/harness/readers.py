"""Readers of one mailbox, each with another way of reading. They reconnect at random and keep what they received:
`messages` in the order received, and `conversations` merged. Every reader checks that its cursor never goes back and that
the versions of all rows are above it.

For asyncio and harness.h2conn. `stop` is an event after which a reader catches up and ends.
"""

import asyncio
import json

from harness.h2conn import ConnectionEnded, H2Connection, StreamReset
from harness.sse import Parser

LOST = (ConnectionEnded, StreamReset, OSError, asyncio.TimeoutError)


class Reader:
    """The common part: the cursor, the received rows, and how a delta is applied."""

    def __init__(self, name, url, user, contract, random, cursor=0):
        self.name, self.url, self.user, self.contract, self.random = name, url, user, contract, random
        self.cursor = cursor
        self.messages, self.conversations = [], {}
        self.reconnects = 0
        self.connection = None

    def apply(self, delta):
        assert delta["isDeltaUpdate"] or self.cursor == 0 and not self.messages, \
            f"{self.name} got a first page instead of a delta at {self.cursor}"
        new = delta["lastUpdatedTimestamp"]
        for row in delta["messages"] + delta["conversations"]:
            assert self.cursor < row["lastUpdatedTimestamp"] <= new, \
                f"{self.name}: {row['lastUpdatedTimestamp']} is not in ({self.cursor}, {new}]"
        assert new >= self.cursor, f"{self.name}: cursor went from {self.cursor} to {new}"
        self.messages += delta["messages"]
        self.conversations.update({c["conversationId"]: c for c in delta["conversations"]})
        self.cursor = new

    @property
    def headers(self):
        return [("authorization", f"Bearer {self.user.token}")]

    async def connect(self):
        if self.connection is None or self.connection.closed:
            self.connection = await H2Connection.open(self.url)
        return self.connection

    async def disconnect(self):
        if self.connection is not None:
            await self.connection.close()
            self.connection = None
        self.reconnects += 1

    async def get(self, target, timeout=90):
        """A GET whose response was checked against the contract; None if the connection was lost."""
        try:
            connection = await self.connect()
            response = await connection.request("GET", target, self.headers, timeout=timeout)
        except LOST:
            await self.disconnect()
            await asyncio.sleep(0.05)
            return None
        value = self.contract.check("GET", target, response.status, response.headers, response.body)
        if response.status in (429, 503):
            await asyncio.sleep(0.2)
            return None
        assert response.status == 200, f"{self.name}: {response.status} {response.body[:300]!r}"
        return value

    async def run(self, stop):
        try:
            await self.read(stop)
        finally:
            if self.connection is not None:
                await self.connection.close()


class DeltaPager(Reader):
    """fetchUpdates with timeout 0 and small pages, with random pauses."""

    async def read(self, stop):
        while True:
            is_last = stop.is_set()
            size = self.random.choice((1, 3, 10, 100))
            delta = await self.get(f"/v1/updates?lastUpdatedTimestamp={self.cursor}&pageSize={size}&timeout=0")
            if delta is None:
                continue
            self.apply(delta)
            if self.random.random() < 0.1:
                await self.disconnect()
            if not delta["hasMore"]:
                if is_last:
                    return
                await asyncio.sleep(self.random.random() * 0.05)


class LongPoller(Reader):
    """fetchUpdates that waits; sometimes it closes the connection during the wait."""

    async def read(self, stop):
        while True:
            is_last = stop.is_set()
            wait = 0 if is_last else self.random.choice((1, 2, 30))
            target = f"/v1/updates?lastUpdatedTimestamp={self.cursor}&timeout={wait}"
            patience = self.random.random() * 0.3 if not is_last and self.random.random() < 0.2 else 90
            if wait == 30:
                patience = min(patience, 3)  # Closes the connection soon, so that the test ends soon.
            delta = await self.get(target, patience)
            if delta is None:
                continue
            self.apply(delta)
            if is_last and not delta["hasMore"]:
                return


class Streamer(Reader):
    """streamUpdates; it is cut at random places and resumed with Last-Event-ID."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.retry = None

    async def read(self, stop):
        while not stop.is_set():
            await self._one_stream(stop)
        await DeltaPager.read(self, stop)

    async def _one_stream(self, stop):
        headers = self.headers + [("last-event-id", str(self.cursor))]
        try:
            connection = await self.connect()
            stream = connection.start("GET", "/v1/updates/stream", headers)
            status = await stream.wait_headers()
            if status != 200:
                response = await stream.response()
                self.contract.check("GET", "/v1/updates/stream", status, stream.headers, response.body)
                assert status in (429, 503), f"{self.name}: {status} {response.body[:300]!r}"
                await asyncio.sleep(0.2)
                return
            self.contract.check("GET", "/v1/updates/stream", status, stream.headers, b"")
            parser, is_fed, budget = Parser(), False, self.random.choice((500, 5_000, 50_000))
            while budget > 0 and not stop.is_set():
                try:
                    chunk = await stream.read(0.3)
                except asyncio.TimeoutError:
                    continue
                if not chunk:
                    break
                is_fed = True
                # Cut in the middle of the received bytes: the rest is lost, as on a real network.
                for event in parser.feed(chunk[:budget]):
                    self.apply(self.contract.check_event(event))
                budget -= len(chunk)
            assert parser.retry is not None or not is_fed, "no retry: in the stream"
            self.retry = parser.retry
            stream.reset()
            if self.random.random() < 0.5:
                await self.disconnect()
        except LOST:
            await self.disconnect()
            await asyncio.sleep(0.05)


KINDS = {"delta": DeltaPager, "long-poll": LongPoller, "sse": Streamer}


def post(connection, user, recipient, content, client_message_id):
    """Starts a send on an H2Connection, without waiting; returns its stream."""
    body = json.dumps({"recipientId": str(recipient), "messageContent": content,
                       "clientMessageId": client_message_id}, separators=(",", ":")).encode()
    return connection.start("POST", "/v1/messages", [("authorization", f"Bearer {user.token}"),
                                                     ("content-type", "application/json")], body)
