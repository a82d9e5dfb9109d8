"""Checks what requests cost the databases: statements, transactions and batches. Requests one after the other have exact
costs. For many at once there are limits, because the first may run alone and the network may separate the others."""

import time

import pytest

from harness.client import conversation_id, unique
from sends import at_once, body

ONE_BY_ONE = 20
AT_ONCE = 64
BATCHES = 8  # of 64 requests at once; 1 as a rule
SETTLED_EVERY = 0.2  # s, COLLECT_MS in src/store/outbox.c

# Transactions of a send, each with one statement: the recipient's copy, and in another database the sender's.
WRITES = {"same-shard": 1, "same-database": 1, "other-database": 2}


@pytest.fixture
def writes(request):
    return WRITES[request.node.callspec.params["pair"]]


def check_sends(work, count, writes, batches):
    """`batches` is the limit for each of the writes. Outbox entries are settled together, in transactions of their own."""
    settled = work.statements.pop("settle_outbox", 0)
    assert set(work.statements) == {"write_messages"}
    assert writes <= work.statements["write_messages"] <= writes * batches
    assert work.batches == work.statements["write_messages"] + settled
    assert work.transactions == work.batches
    assert work.operations == count * (3 if settled else writes)
    assert (settled > 0) == (writes == 2) and settled <= 1 + work.seconds / SETTLED_EVERY


def test_sends_one_by_one(api, pair, work, writes):
    sender, recipient = pair
    mine = api.as_user(sender)
    with work:
        for _ in range(ONE_BY_ONE):
            mine.send(recipient, "hello").expect(201)
    assert work.statements["write_messages"] == ONE_BY_ONE * writes
    check_sends(work, ONE_BY_ONE, writes, ONE_BY_ONE)


def test_sends_at_once(server, pair, work, writes):
    sender, recipient = pair
    contents = [body(recipient) for _ in range(AT_ONCE)]
    with work:
        assert at_once(server.url, sender, "POST", "/v1/messages", contents) == [201] * AT_ONCE
    check_sends(work, AT_ONCE, writes, BATCHES)


TARGETS = {"fetch_conversations": "/v1/conversations", "fetch_messages": "/v1/conversations/{}/messages"}


@pytest.mark.parametrize("pair", ["same-shard"], indirect=True)
@pytest.mark.parametrize("page", TARGETS)
def test_reads(api, server, pair, work, page):
    """A page is read once. After that a request costs one check of the mailbox's version, many at once share one check,
    and none writes anything."""
    sender, recipient = pair
    target = TARGETS[page].format(conversation_id(sender.id, recipient.id))
    mine = api.as_user(sender)
    with work:
        etag = mine.request("GET", target).headers["etag"]
    assert work.statements.pop("mailbox_states", 0) <= 1
    assert (work.statements, work.transactions) == ({page: 1}, 0)

    for headers, status in ({}, 200), ({"if-none-match": etag}, 304):
        with work:
            for _ in range(ONE_BY_ONE):
                mine.request("GET", target, headers).expect(status)
        assert (work.statements, work.transactions) == ({"mailbox_states": ONE_BY_ONE}, 0)
        assert work.batches == work.operations == ONE_BY_ONE

    with work:
        assert at_once(server.url, sender, "GET", target, [None] * AT_ONCE) == [200] * AT_ONCE
    assert set(work.statements) == {"mailbox_states"} and work.transactions == 0
    assert work.statements["mailbox_states"] == work.batches <= BATCHES
    assert work.operations == AT_ONCE


@pytest.mark.parametrize("pair", ["same-shard"], indirect=True)
@pytest.mark.parametrize("page", TARGETS)
def test_cold_reads_at_once(server, pair, work, page):
    """Reads of pages that are not cached share statements, about 20 reads each."""
    sender, recipient = pair
    target = TARGETS[page].format(conversation_id(sender.id, recipient.id))
    targets = [f"{target}?pageSize={size}" for size in range(1, AT_ONCE + 1)]
    with work:
        assert at_once(server.url, sender, "GET", targets, [None] * AT_ONCE) == [200] * AT_ONCE
    assert 4 <= work.statements[page] <= 2 * BATCHES
    assert work.operations >= AT_ONCE and work.transactions == 0


PASSWORD = "correct horse battery"


def test_sessions(api, work):
    """A login and a refresh read once and write once; a refresh that is repeated writes nothing."""
    name = unique("s")
    api.create_user(name, password=PASSWORD).expect(201)
    with work:
        token = api.create_session(name, PASSWORD).expect(201)["refreshToken"]
    assert (work.statements, work.transactions) == ({"find_account": 1, "create_session": 1}, 1)
    with work:
        api.refresh_session(token).expect(200)
    assert (work.statements, work.transactions) == ({"find_session": 1, "rotate_session": 1}, 1)
    with work:
        api.refresh_session(token).expect(200)
    assert (work.statements, work.transactions) == ({"find_session": 1}, 0)


@pytest.mark.parametrize("pair", ["same-shard"], indirect=True)
def test_after_an_ending(api, pair, work):
    """A token that is as old as an ending costs one read of its session; sends cost none."""
    name, (peer, _) = unique("s"), pair
    api.create_user(name, password=PASSWORD).expect(201)
    ended, user = api.log_in(name, PASSWORD), api.log_in(name, PASSWORD)
    mine = api.as_user(user)
    mine.send(peer, "hello").expect(201)
    api.as_user(ended).end_current_session().expect(204)
    mine.fetch_conversation().expect(200)
    with work:
        for _ in range(ONE_BY_ONE):
            mine.fetch_conversation().expect(200)
    assert (work.statements, work.transactions) == ({"mailbox_states": ONE_BY_ONE, "check_session": 1}, 0)
    with work:
        for _ in range(ONE_BY_ONE):
            api.as_user(ended).fetch_conversation().expect(401, code="session-ended")
    assert (work.statements, work.transactions) == ({}, 0)
    with work:
        mine.send(peer, "hello").expect(201)
    assert set(work.statements) <= {"write_messages", "settle_outbox"}
