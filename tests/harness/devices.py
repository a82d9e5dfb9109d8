"""Clients of one user. Each builds its view from the server's answers, by its own way of reading: fetchUpdates, the
stream, or the deltas of the lists. A device may lag behind, go back to an earlier state, or start anew. It applies
answers only by the rules of the API:

- a delta's rows replace older rows, and their versions are above the cursor; any other answer replaces the view;
- an answer that is not a delta, to a request with a cursor other than 0, is a first page: the device pages back for older
  messages in each conversation that it learns of (the list by pageNumber may miss a conversation that moves at the same
  time; then the next delta has it);
- the invitations of an answer replace those that the device holds; a view begins without any;
- messages at or below a conversation's clearedUpTo are not shown, nor is a conversation without messages above it;
- the status of the user's own messages follows from the conversation's othersDeliveredUpTo and othersReadUpTo.
"""

import copy
import time

from harness.h1conn import Closed, H1Connection
from harness.sse import Parser
from harness.stack import SLOWNESS

STREAM = "/v1/updates/stream"
# Seconds: more than a heartbeat, which makes up for a lost wake-up.
PATIENCE = 20 * SLOWNESS
STATUSES = ("sent", "delivered", "read")
LIST = None  # The key of the cursor of the whole mailbox, beside those of conversations.


def is_own(conversation):
    """The notes of a user to themselves."""
    low, _, high = conversation.partition("-")
    return low == high


def status_of(message, conversation):
    """The status of the user's own message, according to the conversation."""
    status = "sent"
    for kind, name in (("othersDeliveredUpTo", "delivered"), ("othersReadUpTo", "read")):
        if int(conversation[kind]) >= int(message["messageId"]):
            status = name
    return status


class View:
    def __init__(self, messages=(), conversations=(), invitations=()):
        self.messages, self.conversations, self.invitations = dict(messages), dict(conversations), list(invitations)

    def merge(self, messages=(), conversations=()):
        for held, key_of, rows in ((self.messages, lambda m: (m["conversationId"], int(m["messageId"])), messages),
                                   (self.conversations, lambda c: c["conversationId"], conversations)):
            for row in rows:
                old = held.get(key_of(row))
                if old is None or old["lastUpdatedTimestamp"] <= row["lastUpdatedTimestamp"]:
                    held[key_of(row)] = row

    def drop_messages(self, conversation):
        self.messages = {key: row for key, row in self.messages.items() if key[0] != conversation}

    def copy(self):
        return View(self.messages, self.conversations, self.invitations)

    def shown(self):
        """(messages, conversations) as the user sees them."""
        cleared = {name: int(row.get("clearedUpTo", 0)) for name, row in self.conversations.items()}
        conversations = {name: row for name, row in self.conversations.items()
                         if int(row["lastMessageId"]) > cleared[name]}
        messages = {key: self._moved_on(row) for key, row in self.messages.items()
                    if key[1] > cleared.get(key[0], 0)}
        return messages, conversations

    def _moved_on(self, row):
        conversation = self.conversations.get(row["conversationId"])
        if "status" not in row or conversation is None:
            return row
        return {**row, "status": max(row["status"], status_of(row, conversation), key=STATUSES.index)}


def pages(fetch, key, **query):
    """All rows of a list, read by pageNumber."""
    number = 1
    while True:
        page = fetch(pageNumber=number, **query).expect(200)
        yield from page[key]
        if not page["hasMore"]:
            return
        number += 1


class Device:
    def __init__(self, name, api):
        self.name, self.api = name, api
        self.start_anew()

    def start_anew(self):
        self.view, self.cursors, self.whole = View(), {LIST: 0}, None
        self.kept = []
        self.keep()

    def keep(self):
        self.kept.append((self.view.copy(), dict(self.cursors), copy.copy(self.whole)))

    def go_back(self, pick, with_view=True):
        """Goes back to a saved state, like an application that was killed; or only to its cursors, so that changes come
        again."""
        self.kept = self.kept[:pick % len(self.kept) + 1]
        view, cursors, whole = self.kept[-1]
        self.cursors = dict(cursors)
        if with_view:
            self.view, self.whole = view.copy(), copy.copy(whole)

    def leap(self):
        """Jumps to a cursor above the mailbox's version, as after a restore of the server from a backup."""
        self.cursors = {key: min(cursor + 10**9, 2**53 - 1) if cursor else 0 for key, cursor in self.cursors.items()}

    def check_rows(self, key, answer, rows):
        old, new = self.cursors.get(key, 0), answer["lastUpdatedTimestamp"]
        if answer["isDeltaUpdate"]:
            assert new >= old, f"{self.name}: the cursor went from {old} to {new}"
            for row in rows:
                assert old < row["lastUpdatedTimestamp"] <= new, \
                    f"{self.name}: {row['lastUpdatedTimestamp']} is not in ({old}, {new}]"
        else:
            for row in rows:
                assert row["lastUpdatedTimestamp"] <= new, f"{self.name}: {row['lastUpdatedTimestamp']} is above {new}"

    def apply(self, delta):
        self.check_rows(LIST, delta, delta["messages"] + delta["conversations"])
        if not delta["isDeltaUpdate"]:
            # The conversations whose older messages it has read. None: all conversations.
            self.view, self.whole = View(), set() if self.cursors[LIST] else None
        self.view.merge(delta["messages"], delta["conversations"])
        self.view.invitations = delta.get("invitations", self.view.invitations)
        self.cursors = {LIST: delta["lastUpdatedTimestamp"]}

    def complete(self, size):
        """Pages back for the older messages that a first page left out."""
        if self.whole is None:
            return
        if not self.whole:
            self.view.merge(conversations=pages(self.api.fetch_conversation, "conversations", pageSize=size))
        for name in self.view.conversations.keys() - self.whole:
            self.view.merge(self.api.all_messages(name, size))
            self.whole.add(name)

    def read(self, size):
        """Reads and applies one answer."""
        raise NotImplementedError

    def catch_up(self, size):
        """Reads until there is nothing more."""
        raise NotImplementedError

    def close(self):
        pass


class Poller(Device):
    """fetchUpdates with timeout 0."""

    def read(self, size):
        delta = self.api.fetch_updates(lastUpdatedTimestamp=self.cursors[LIST], pageSize=size, timeout=0).expect(200)
        self.apply(delta)
        return delta["hasMore"]

    def catch_up(self, size):
        while self.read(size):
            pass
        self.complete(size)


class Streamer(Device):
    """streamUpdates: the connection stays open from one read to the next until it is cut."""

    connection = None

    def start_anew(self):
        self.close()
        super().start_anew()

    def go_back(self, pick, with_view=True):
        self.close()
        super().go_back(pick, with_view)

    def leap(self):
        self.close()
        super().leap()

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def connect(self):
        self.connection, self.parser = H1Connection(self.api.base_url, timeout=PATIENCE), Parser()
        self.connection.send(self.connection.encode("GET", STREAM, [
            ("Authorization", f"Bearer {self.api.user.token}"), ("Last-Event-ID", str(self.cursors[LIST]))]))
        status, headers = self.connection.read_head()
        self.api.contract.check("GET", STREAM, status, headers, b"")
        assert status == 200, f"{self.name}: {status}"

    def wanted(self):
        """(the cursor that it must reach: the version of the newest change; the invitations, or None if they are as they were)"""
        delta = self.api.fetch_updates(lastUpdatedTimestamp=self.cursors[LIST], timeout=0, pageSize=100).expect(200)
        rows = delta["messages"] + delta["conversations"]
        if not delta["isDeltaUpdate"] and self.cursors[LIST] > 0:
            return -1, None
        return max((row["lastUpdatedTimestamp"] for row in rows), default=self.cursors[LIST]), delta.get("invitations")

    def read(self, size):
        if self.connection is None:
            self.connect()
        (wanted, invitations), deadline = self.wanted(), time.monotonic() + PATIENCE
        while self.cursors[LIST] < wanted or wanted == -1 or invitations not in (None, self.view.invitations):
            assert time.monotonic() < deadline, f"{self.name}: the stream is at {self.cursors[LIST]}, not at {wanted}"
            try:
                chunk = self.connection.read_chunk()
            except Closed:
                self.connect()
                continue
            for event in self.parser.feed(chunk):
                data = self.api.contract.check_event(event)
                if event.name == "delta":
                    self.apply(data)
                    wanted = max(wanted, 0)

    def is_behind(self):
        wanted, invitations = self.wanted()
        return wanted > self.cursors[LIST] or invitations not in (None, self.view.invitations)

    def catch_up(self, size):
        self.read(size)
        while self.is_behind():
            self.read(size)
        self.complete(size)


class Lister(Device):
    """fetchConversation and fetchMessages with lastUpdatedTimestamp, each with a cursor of its own."""

    def read(self, size):
        page = self.api.fetch_conversation(pageSize=size, lastUpdatedTimestamp=self.cursors[LIST]).expect(200)
        self.check_rows(LIST, page, page["conversations"])
        if page["isDeltaUpdate"]:
            self.view.merge(conversations=page["conversations"])
        else:
            self._replace_list(page, size)
        self.cursors[LIST] = page["lastUpdatedTimestamp"]
        for name in self.view.conversations:
            self._read_messages(name, size)

    def _replace_list(self, page, size):
        """Removes the conversations that the list no longer has, with their messages: they were deleted."""
        self.view.conversations.clear()
        self.view.merge(conversations=page["conversations"])
        if page["hasMore"]:
            self.view.merge(conversations=pages(self.api.fetch_conversation, "conversations", pageSize=size))
        for name in {name for name, _ in self.view.messages} - self.view.conversations.keys():
            self.view.drop_messages(name)
            self.cursors.pop(name, None)

    def _read_messages(self, name, size):
        page = self.api.fetch_messages(name, pageSize=size, lastUpdatedTimestamp=self.cursors.get(name, 0)).expect(200)
        self.check_rows(name, page, page["messages"])
        if not page["isDeltaUpdate"]:
            self.view.drop_messages(name)
        self.view.merge(page["messages"])
        if not page["isDeltaUpdate"] and page["hasMore"]:
            self.view.merge(self.api.all_messages(name, size))
        self.cursors[name] = page["lastUpdatedTimestamp"]

    def catch_up(self, size):
        self.read(size)


KINDS = (Poller, Streamer, Lister)


def fetched_anew(api, size):
    """The whole mailbox, by paging. Checks that each list is in order and has no row twice."""
    view = View()
    conversations = list(pages(api.fetch_conversation, "conversations", pageSize=size))
    places = [c["lastMessageTimestamp"] for c in conversations]
    if not any(c.get("pinned") for c in conversations):
        assert places == sorted(places, reverse=True), f"conversations are not in order: {places}"
    view.merge(conversations=conversations)
    assert len(view.conversations) == len(conversations), f"a conversation is listed twice: {conversations}"
    for name in view.conversations:
        messages = api.all_messages(name, size)
        ids = [int(m["messageId"]) for m in messages]
        assert ids == sorted(set(ids)), f"{name} is not in order: {ids}"
        view.merge(messages)
    return view
