"""The costs of a send in PostgreSQL, counted and not timed: rows, index entries, updates, locks and bytes of write-ahead
log, statements and tables opened. A regression fails here on any machine, and noise does not.

Each count is exact, because the conversations exist, their periods do not change and the connection has its plans. Only
the pruning of pages has a limit instead of a count: how often it happens depends on what else is in the page."""

import collections
import json

import pytest

from sessions import Session, copy, deliver, user_id, write
from wal import Wal

SIZES = [1, 16, 64]
PERIOD = 1 << 27  # microseconds
SPREAD = 16  # every n-th mailbox and conversation is in a batch: a few of each page
CONTENT = "x" * 160

MAILBOX = {("lock", "mailbox"): 1, ("HOT update", "mailbox"): 1}
CONVERSATION = {("lock", "conversation"): 1, ("HOT update", "conversation"): 1}
MESSAGE = {("row", "message"): 1, ("confirmation", "message"): 1, ("entry", "message_pkey"): 1, ("entry", "message_version"): 1}
KEY = {("entry", "message_dedupe"): 1}  # of the send, in the primary copy only
OWED = {("row", "outbox"): 1, ("entry", "outbox_pkey"): 1}
SETTLED = {("lock", "outbox"): 1, ("delete", "outbox"): 1}
NEW_CONVERSATION = {("row", "conversation"): 1, ("confirmation", "conversation"): 1, ("entry", "conversation_pkey"): 1,
                    ("entry", "conversation_newest"): 1, ("entry", "conversation_changed"): 1}
# An update that is not HOT has an entry in every index.
NEW_PERIOD = {("lock", "conversation"): 1, ("update", "conversation"): 1, ("entry", "conversation_pkey"): 1,
              ("entry", "conversation_newest"): 1, ("entry", "conversation_changed"): 1}
# The mailbox's version is raised and set back. RETURNING gives an existing row only if the row is updated: in its page, or,
# if the page is full, with a second lock, in another page and in every index.
RETRY = {("lock", "mailbox"): 2, ("HOT update", "mailbox"): 2, ("lock", "message"): 1, ("HOT update", "message"): 1}
MOVED = {("lock", "message"): 1, ("HOT update", "message"): -1, ("update", "message"): 1,
         ("entry", "message_pkey"): 1, ("entry", "message_version"): 1, ("entry", "message_dedupe"): 1}


def total(*parts):
    """The sum over parts or over (number, part)."""
    counts = collections.Counter()
    for part in parts:
        number, part = part if isinstance(part, tuple) else (1, part)
        for what, count in part.items():
            counts[what] += number * count
    return counts


FIRST = total(MAILBOX, CONVERSATION, MESSAGE, KEY)
COPY = total(MAILBOX, CONVERSATION, MESSAGE)

# What each operation of a batch writes, and the most bytes of WAL for it: 3 % more than measured. One more index entry is
# at least 64 bytes. The transaction itself has a commit and one record for each page.
COSTS = {
    "primary copy": (FIRST, 930),
    "sender's copy": (COPY, 825),
    "send within one database": (total(FIRST, COPY), 1755),
    "send across databases: first": (total(FIRST, OWED), 1095),
    "send across databases: copy": (COPY, 825),
    "send across databases: settled": (SETTLED, 115),
}
TRANSACTION_BYTES = 60


class Bench:
    """Batches between users of shards 1 and 2, with a clock that stays in one period."""

    def __init__(self, database):
        self.session = Session(database, "postgres")
        self.wal = Wal(self.session)
        now = int(self.session.value("SELECT extract(epoch FROM clock_timestamp())")) * 10**6
        self.time = (now // PERIOD + 10) * PERIOD
        self.session.run(
            "INSERT INTO parley.mailbox SELECT test.id(s, n), 1000 FROM generate_series(1, 2) s, generate_series(1, %s) n",
            SPREAD * max(SIZES))
        self.session.run(
            "INSERT INTO parley.conversation SELECT test.id(s, n), test.id(3 - s, n), 1000, 0, 0, 500, 0, 0, 0"
            " FROM generate_series(1, 2) s, generate_series(1, %s) n", SPREAD * max(SIZES))

    def tick(self):
        self.time += 1000
        return self.time

    def batch(self, make, size):
        return [make(user_id(1, n * SPREAD), user_id(2, n * SPREAD), f"{self.tick()}") for n in range(1, size + 1)]

    def first(self, recipient, sender, key):
        return deliver(recipient, sender, key, CONTENT, self.time)

    def within(self, recipient, sender, key):
        return deliver(recipient, sender, key, CONTENT, self.time, 1)

    def with_entry(self, recipient, sender, key):
        return deliver(recipient, sender, key, CONTENT, self.time, 2)

    def copy(self, recipient, sender, key):
        return copy(sender, recipient, self.time * 2 + 1, key, CONTENT)

    def write(self, operations):
        """(counts, bytes) of a batch in which everything is stored."""
        counts, size, rows = self.wal.run(lambda: write(self.session, *operations))
        assert {row.status for row in rows} == {0}
        return counts, size

    def settle(self):
        entries = self.session.run("SELECT recipient_id, sender_id, message_id FROM parley.outbox")
        keys = [list(column) for column in zip(*entries)]
        return self.wal.run(lambda: self.session.run(
            "SELECT parley.settle_outbox(%s::bigint[], %s::bigint[], %s::bigint[])", *keys))[:2]

    def warm(self):
        """Runs each kind of batch once, with the greatest size: after that the periods, the plans and the pages exist."""
        for make in (self.first, self.within, self.with_entry, self.copy):
            for _ in range(2):
                self.write(self.batch(make, max(SIZES)))
        self.settle()


@pytest.fixture
def bench(database):
    bench = Bench(database)
    bench.warm()
    yield bench
    bench.session.close()


def check(counts, expected):
    """Checks that one transaction writes exactly this, except that pages are pruned and split as they fill."""
    counts = collections.Counter(counts)
    for what in list(counts):
        if what[0] in ("pruning", "splitting"):
            rows = sum(number for (kind, _), number in expected.items() if kind in ("HOT update", "update", "entry"))
            assert counts.pop(what) <= rows, what
    assert counts == total(expected, {("COMMIT", "Transaction"): 1})


@pytest.mark.parametrize("size", SIZES)
def test_writes_of_a_send(bench, size):
    """Exactly the table above for each operation, in a batch of any size, and one commit for the whole batch."""
    found = {
        "primary copy": bench.write(bench.batch(bench.first, size)),
        "sender's copy": bench.write(bench.batch(bench.copy, size)),
        "send within one database": bench.write(bench.batch(bench.within, size)),
        "send across databases: first": bench.write(bench.batch(bench.with_entry, size)),
        "send across databases: copy": bench.write(bench.batch(bench.copy, size)),
        "send across databases: settled": bench.settle(),
    }
    assert found.keys() == COSTS.keys()
    for what, (counts, wal_bytes) in found.items():
        expected, limit = COSTS[what]
        check(counts, total((size, expected)))
        assert wal_bytes <= size * limit + TRANSACTION_BYTES, what


@pytest.mark.parametrize("size", SIZES)
def test_a_mailbox_and_a_conversation_are_written_once(bench, size):
    """Independent of the number of messages for them in the batch."""
    operations = [bench.with_entry(user_id(1, SPREAD), user_id(2, SPREAD), f"{bench.tick()}") for _ in range(size)]
    counts, _ = bench.write(operations)
    check(counts, total(MAILBOX, CONVERSATION, (size, total(MESSAGE, KEY, OWED))))


@pytest.mark.parametrize("size", SIZES)
def test_cost_of_a_new_conversation_and_a_new_period(bench, size):
    """Three entries in the conversation's indexes, instead of none."""
    new = [bench.first(user_id(1, n * SPREAD), user_id(3, n), f"{bench.tick()}") for n in range(1, size + 1)]
    counts, _ = bench.write(new)
    check(counts, total((size, total(MAILBOX, NEW_CONVERSATION, MESSAGE, KEY))))
    bench.time += PERIOD
    counts, _ = bench.write(bench.batch(bench.first, size))
    check(counts, total((size, total(MAILBOX, NEW_PERIOD, MESSAGE, KEY))))


@pytest.mark.parametrize("size", SIZES)
def test_cost_of_a_retry(bench, size):
    """No row, and no index entry except for the message's new place."""
    operations = bench.batch(bench.with_entry, size)
    bench.write(operations)
    counts, _, rows = bench.wal.run(lambda: write(bench.session, *operations))
    assert {row.status for row in rows} == {1}
    moved = counts["update", "message"]
    check(counts, +total((size, RETRY), (moved, MOVED)))


@pytest.fixture
def guarded(bench):
    """All users of shard 1 have blocked somebody, and every second of them has blocked the sender."""
    bench.session.run("UPDATE parley.mailbox SET guarded = true WHERE user_id < test.id(2, 0)")
    bench.session.run("VACUUM parley.mailbox")
    bench.session.run(
        "INSERT INTO parley.block SELECT test.id(1, n * %s), CASE n %% 2 WHEN 0 THEN test.id(2, n * %s) ELSE 1 END, 1"
        " FROM generate_series(1, %s) n", SPREAD, SPREAD, max(SIZES))
    return bench


@pytest.mark.parametrize("size", SIZES)
def test_cost_of_guarded_mailboxes(guarded, size):
    """Nothing more is written. For a refused message, the mailbox's version is raised and set back."""
    operations = guarded.batch(guarded.with_entry, size)
    counts, _, rows = guarded.wal.run(lambda: write(guarded.session, *operations))
    refused = sum(row.version == -2 for row in rows)
    assert refused == size // 2 and sum(row.status == 0 for row in rows) == size - refused
    raised = {("lock", "mailbox"): 2, ("HOT update", "mailbox"): 2}
    check(counts, total((size - refused, total(FIRST, OWED)), (refused, raised)))


def opened(session):
    """Counter of the leaf tables that the transaction has opened."""
    return collections.Counter(row[0] for row in session.run(
        "SELECT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.pid = pg_backend_pid()"
        " AND c.relkind = 'r' AND c.relnamespace::regnamespace::text ~ '^shard_' GROUP BY c.oid, c.relname"))


@pytest.mark.parametrize("size", SIZES)
def test_tables_opened_by_a_batch(bench, size):
    """Three statements, and one leaf of each table for each shard concerned, for any size."""
    loud = bench.session
    for setting in ("LOAD 'auto_explain'", "SET auto_explain.log_min_duration = 0",
                    "SET auto_explain.log_nested_statements = on", "SET client_min_messages = log"):
        loud.run(setting)
    a_shard = {"mailbox": 1, "message": 1, "conversation": 1}
    for make, expected in ((bench.first, total(a_shard)), (bench.with_entry, total(a_shard, {"outbox": 1})),
                           (bench.within, total((2, a_shard)))):
        loud.run("BEGIN")
        loud.connection.notices = []
        write(loud, *bench.batch(make, size))
        statements = [notice for notice in loud.connection.notices
                      if "Query Text" in notice and "test." not in notice and "parley.write_messages" not in notice]
        assert len(statements) == 3
        assert opened(loud) == expected
        loud.run("ROLLBACK")


# A group whose members are all in shard 1. It is the same database, so each change is one call.
CHANGE = "SELECT part::text, kind, target_id, detail FROM parley.write_changes(ARRAY[%s], ARRAY[%s::bigint], ARRAY[%s], ARRAY[0::bigint])"
MEMBERS = 8
# A receipt that no other member sees: the member's row, and the group's version.
GROUP_RECEIPT = total(MAILBOX, {("HOT update", "group_member"): 1})
# A receipt that a member sees is also an entry of the outbox, which the server settles, and a mark on the group.
PUBLISHED = total(GROUP_RECEIPT, {("HOT update", "group_profile"): 1, ("row", "change_outbox"): 1, ("confirmation", "change_outbox"): 1,
                                  ("entry", "change_outbox_pkey"): 1})


class GroupBench:
    def __init__(self, bench):
        self.bench, self.members = bench, [user_id(1, n * SPREAD) for n in range(1, MEMBERS + 1)]
        ((_, _, _, answer),) = (row for row in self.change("group_create", self.members[0], {
            "groupId": str(user_id(1, 1 << 20 | 256)), "name": "x", "clientGroupId": "x", "maxMembers": MEMBERS,
            "memberIds": [str(member) for member in self.members]})[2] if row[0] == "r")
        self.id = int(json.loads(answer)["groupId"])
        self.deliver()

    def change(self, kind, mailbox, argument):
        return self.bench.wal.run(lambda: self.bench.session.run(CHANGE, kind, mailbox, json.dumps(argument)))

    def deliver(self):
        """Executes the follow-ups for the members, all of whom are in one shard: (counts, bytes) of the last one."""
        found = None
        for kind, target, argument in self.bench.session.run(
                "SELECT kind, target_id, argument FROM parley.change_outbox ORDER BY version"):
            found = self.change(kind, target, argument)[:2]
        self.bench.session.run("DELETE FROM parley.change_outbox")
        return found

    def send(self, key):
        self.change("group_send", self.id, {"senderId": str(self.members[0]), "clientMessageId": key, "content": CONTENT,
                                            "timestamp": self.bench.tick()})
        return self.deliver()

    def receipt(self, member, message_id):
        return self.change("group_receipt", self.id, {"userId": str(member), "readUpTo": str(message_id),
                                                      "deliveredUpTo": str(message_id)})[:2]


@pytest.fixture
def group(bench):
    group = GroupBench(bench)
    for key in ("a", "b"):
        group.send(key)
    return group


def test_cost_of_a_copy_of_a_group_message(group):
    """Each member costs as much as a sender's copy: nothing of the group itself is written in the members' shard."""
    counts, _ = group.send("c")
    check(counts, total((MEMBERS, COPY)))


def test_cost_of_a_receipt_in_a_group(group):
    """While two others have not read, a receipt is two rows and no follow-up. The last two receipts change what members see."""
    last = group.bench.session.value("SELECT max(message_id) FROM parley.message WHERE user_id = %s", group.id)
    costs = [group.receipt(member, last)[0] for member in group.members]
    for counts in costs[:-2]:
        check(counts, GROUP_RECEIPT)
    check(costs[-2], PUBLISHED)
    # The publication is still pending.
    check(costs[-1], GROUP_RECEIPT)
