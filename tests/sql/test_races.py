"""Races between sessions in given steps. The promises of exactly-once, order and cursors depend on them."""

import concurrent.futures
import json
import random
import threading

import psycopg2
import psycopg2.errors
import pytest

from sessions import (Session, copy, deliver, finish, start_write, user_id, wait_until_blocked, write, write_one,
                      written)

ANN = user_id(0, 1)
BOB = user_id(0, 2)
CID = user_id(0, 3)
ZOE = user_id(3, 1)


@pytest.fixture
def sessions(database):
    """Makes sessions; a session with role postgres sees everything."""
    opened = []

    def open_session(role="parley_server"):
        opened.append(Session(database, role))
        return opened[-1]

    admin = open_session("postgres")
    admin.run("SELECT test.user(0, n) FROM generate_series(1, 40) n")
    admin.run("SELECT test.user(3, n) FROM generate_series(1, 40) n")
    yield open_session
    for session in opened:
        session.close()


@pytest.fixture
def admin(sessions):
    return sessions("postgres")


def version_of(session, mailbox):
    return session.value("SELECT (shard_0000.mailbox_states(ARRAY[%s]))[1]", mailbox)


def updates(session, mailbox, since=0, page_size=100):
    """Header and message ids of fetch_updates."""
    rows = session.run("SELECT kind, version, is_delta, has_more, message_id FROM shard_0000.fetch_updates(%s, %s, %s)",
                       mailbox, page_size, since)
    return rows[0][1:4], [row[4] for row in rows if row[0] == "m"]


@pytest.mark.parametrize("content, end, status", [
    ("text", "COMMIT", 1),
    ("other", "COMMIT", 2),
    ("text", "ROLLBACK", 0),
    ("other", "ROLLBACK", 0),
])
def test_same_key_at_the_same_time(sessions, admin, content, end, status):
    """The second send with a key waits for the first one's transaction, and its result depends on how that ends."""
    one, two = sessions(), sessions()
    one.run("BEGIN")
    first = write_one(one, deliver(ANN, ZOE, "k", copy_mode=2))
    assert first.status == 0
    waiting = start_write(two, deliver(ANN, ZOE, "k", content, copy_mode=2))
    wait_until_blocked(admin, two, by=one)
    one.run(end)
    second, = written(waiting)
    assert second.status == status
    assert admin.value("SELECT count(*) FROM parley.message") == 1
    assert admin.value("SELECT count(*) FROM parley.outbox") == 1
    if end == "COMMIT":
        assert (second.message_id, second.version) == (first.message_id, first.version)
        assert version_of(two, ANN) == first.mailbox_version
    assert admin.run("SELECT test.broken_rules()") == []


def test_same_copy_at_the_same_time(sessions, admin):
    """A lane and the relay store one copy, in either order."""
    lane, relay = sessions(), sessions()
    lane.run("BEGIN")
    assert write_one(lane, copy(ANN, ZOE, 20000, "k")).status == 0
    waiting = start_write(relay, copy(ANN, ZOE, 20000, "k"))
    wait_until_blocked(admin, relay, by=lane)
    lane.run("COMMIT")
    assert written(waiting)[0].status == 1
    assert admin.value("SELECT count(*) FROM parley.message") == 1


def test_fifty_at_once(sessions, admin):
    """Fifty sends with one key: one is stored, the others are duplicates with its id."""
    lanes = [sessions() for _ in range(10)]
    started = [start_write(lane, deliver(ANN, BOB, "k", received=5000 + i, copy_mode=1))
               for i in range(5) for lane in lanes]
    answers = [written(one)[0] for one in started]
    assert sorted(answer.status for answer in answers) == [0] + [1] * 49
    assert len({answer.message_id for answer in answers}) == 1
    assert admin.value("SELECT count(*) FROM parley.message") == 2
    assert admin.value("SELECT sum(unread_count) FROM parley.conversation") == 1


def test_versions_are_in_the_order_of_commits(sessions, admin):
    """No reader sees a version whose rows are not committed, and the next writer's version is above it."""
    one, two, reader = sessions(), sessions(), sessions()
    start = version_of(reader, ANN)
    one.run("BEGIN")
    first = write_one(one, deliver(ANN, BOB, "1"))
    waiting = start_write(two, deliver(ANN, CID, "2"))
    wait_until_blocked(admin, two, by=one)
    assert updates(reader, ANN, since=start) == ((start, True, False), [])
    one.run("COMMIT")
    second, = written(waiting)
    assert second.mailbox_previous == first.mailbox_version < second.version
    assert second.message_id >> 1 > first.message_id >> 1
    assert updates(reader, ANN, since=first.version) == ((second.version, True, False), [second.message_id])


def test_later_send_of_a_clock_behind_sorts_after(sessions):
    """A message sent after an acknowledgement sorts after the acknowledged one, also by another server whose clock is
    behind."""
    one, two = sessions(), sessions()
    first = write_one(one, deliver(ANN, BOB, "1", received=10**15))
    second = write_one(two, deliver(ANN, BOB, "2", received=10**15 - 10**9))
    assert second.message_id > first.message_id


def test_retry_beside_a_writer(sessions, admin):
    """A retry sets the version back before it commits: the writer that waited for it continues from the old version."""
    one, two = sessions(), sessions()
    first = write_one(one, deliver(ANN, BOB, "1"))
    one.run("BEGIN")
    assert write_one(one, deliver(ANN, BOB, "1")).status == 1
    waiting = start_write(two, deliver(ANN, CID, "2"))
    wait_until_blocked(admin, two, by=one)
    one.run("COMMIT")
    assert written(waiting)[0].mailbox_previous == first.version


def test_reader_keeps_its_snapshot(sessions, admin):
    """A commit between a reader's steps: version and rows are still from one snapshot."""
    lock, writer, reader = sessions("postgres"), sessions(), sessions()
    start = version_of(reader, ANN)
    lock.run("SELECT pg_advisory_lock(1)")
    started = reader.start(
        "SELECT (shard_0000.mailbox_states(ARRAY[%s]))[1], pg_advisory_xact_lock_shared(1),"
        " (SELECT array_agg(version) FROM shard_0000.fetch_updates(%s, 10, 0)),"
        " (SELECT array_agg(version) FROM test.fetch_messages(%s, %s, 10, 0, 0, 0)),"
        " (SELECT array_agg(version) FROM test.fetch_conversations(%s, 10, 0, 0))", ANN, ANN, ANN, BOB, ANN)
    wait_until_blocked(admin, reader, by=lock)
    write_one(writer, deliver(ANN, BOB, "1"))
    lock.run("SELECT pg_advisory_unlock(1)")
    (version, _, *lists), = finish(started)
    assert version == start
    assert lists == [[start], [start], [start]]
    assert version_of(reader, ANN) > start


def test_opposite_orders_do_not_deadlock(sessions, admin):
    """Batches over the same mailboxes, each in a different order, with copies in both directions."""
    users = [user_id(shard, n) for shard in (0, 3) for n in range(1, 7)]
    lanes = [sessions() for _ in range(4)]

    def send(number):
        chance = random.Random(number)
        for batch in range(40):
            pairs = [chance.sample(users, 2) for _ in range(16)]
            answers = write(lanes[number], *[deliver(recipient, sender, f"{number}.{batch}.{i}", copy_mode=1)
                                             for i, (recipient, sender) in enumerate(pairs)])
            assert {answer.status for answer in answers} == {0}

    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as threads:
        for done in [threads.submit(send, number) for number in range(len(lanes))]:
            done.result(60)
    assert admin.value("SELECT count(*) FROM parley.message") == 4 * 40 * 16 * 2
    assert admin.run("SELECT test.broken_rules()") == []


CHANGE = "SELECT number, kind FROM parley.write_changes(%s, %s::bigint[], %s, %s::bigint[]) WHERE part = 'r' ORDER BY number"


def edit(recipient, sender, message_id, content):
    """A change of a message for write_changes, first in the recipient's copy and then in the sender's."""
    return "message", recipient, json.dumps({"peerId": str(sender), "messageId": str(message_id), "content": content,
                                             "timestamp": 1}), sender


def react(actor, other, message_id, emoji, is_on=True):
    return "reaction", other, json.dumps({"peerId": str(actor), "messageId": str(message_id), "actorId": str(actor),
                                          "emoji": emoji, "on": is_on}), actor


def change(session, *changes):
    return [status for _, status in session.run(CHANGE, *(list(column) for column in zip(*changes)))]


def changes_beside_sends(lanes, users, batches, changes_of):
    """Every second lane sends between the users, 12 at once; the others make changes_of(chance, a name of the batch).
    Returns the changes' statuses."""
    def work(number):
        chance, statuses = random.Random(number), set()
        for batch in range(batches):
            if number % 2:
                pairs = [chance.sample(users, 2) for _ in range(12)]
                write(lanes[number], *[deliver(recipient, sender, f"{number}.{batch}.{i}", copy_mode=1)
                                       for i, (recipient, sender) in enumerate(pairs)])
            else:
                statuses |= set(change(lanes[number], *changes_of(chance, f"{number}.{batch}")))
        return statuses

    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as threads:
        return set().union(*[done.result(60) for done in [threads.submit(work, number) for number in range(len(lanes))]])


def test_sends_and_changes_do_not_deadlock(sessions, admin):
    """Batches of both over the same mailboxes, each in a different order: both copies of all messages end equal."""
    users = [user_id(shard, n) for shard in (0, 3) for n in range(1, 5)]
    lanes = [sessions() for _ in range(4)]
    known = []
    for i, recipient in enumerate(users):
        for j, sender in enumerate(users):
            if recipient != sender:
                known.append((recipient, sender, write_one(lanes[0], deliver(recipient, sender, f"{i}.{j}", copy_mode=1)).message_id))

    def edits_and_reactions(chance, batch):
        for recipient, sender, message_id in chance.sample(known, 12):
            actor, other = (recipient, sender) if chance.random() < 0.5 else (sender, recipient)
            yield chance.choice((edit(recipient, sender, message_id, batch),
                                 react(actor, other, message_id, chance.choice("ab"), chance.random() < 0.5)))

    assert changes_beside_sends(lanes, users, 40, edits_and_reactions) == {"done"}
    assert admin.value("SELECT count(*) FROM parley.change_outbox") == 0
    assert admin.run("""SELECT o.user_id, o.message_id FROM parley.message o JOIN parley.message s
                            ON s.user_id = o.peer_id AND s.peer_id = o.user_id AND s.message_id = o.message_id
                        WHERE o.content <> s.content OR (o.extra - 'original') IS DISTINCT FROM (s.extra - 'original')""") == []
    assert admin.run("""SELECT user_id, version FROM parley.message GROUP BY 1, 2 HAVING count(*) > 1
                        UNION ALL SELECT m.user_id, m.version FROM parley.message m JOIN parley.mailbox b USING (user_id)
                        WHERE m.version > b.version""") == []


def test_sends_to_groups_and_users_do_not_deadlock(sessions, admin):
    """Sends to groups with members in both shards, with the copies in the same transaction, together with receipts and
    sends between the same users: every member has every message, in the group's order."""
    users = [user_id(shard, n) for shard in (0, 3) for n in range(1, 7)]
    lanes = [sessions() for _ in range(4)]
    groups = {}
    for n, creator in enumerate(users[::3]):
        members = random.Random(n).sample(users, 6)
        group = user_id(creator >> 50, 256 + n)
        assert change(lanes[0], ("group_create", creator, json.dumps({
            "groupId": str(group), "name": "x", "memberIds": [str(member) for member in members], "clientGroupId": "g",
            "maxMembers": 10}), 0)) == ["done"]
        groups[group] = sorted({creator, *members})
    for kind, mailbox, argument in admin.run("SELECT kind, target_id, argument::text FROM parley.change_outbox ORDER BY version, ordinal"):
        assert change(lanes[0], (kind, mailbox, argument, 0)) == ["done"]
    admin.run("DELETE FROM parley.change_outbox")

    def send(group, sender, key):
        return "group_send", group, json.dumps({"senderId": str(sender), "clientMessageId": key, "content": key, "timestamp": 1}), group

    def sends_and_receipts(chance, batch):
        for i in range(8):
            group = chance.choice(list(groups))
            member = chance.choice(groups[group])
            yield send(group, member, f"{batch}.{i}") if i % 4 else (
                "receipt", member, json.dumps({"peerId": str(group), "readUpTo": "1"}), group)

    assert changes_beside_sends(lanes, users, 30, sends_and_receipts) <= {"done", "message-not-found"}
    assert admin.value("SELECT count(*) FROM parley.change_outbox WHERE kind = 'group_message'") == 0
    sent = "SELECT array_agg(message_id ORDER BY {}) FROM parley.message WHERE user_id = %s AND {}"
    for group, members in groups.items():
        order = admin.value(sent.format("message_id", "content <> ''"), group)
        for member in members:
            assert admin.value(sent.format("version", "peer_id = %s AND content <> ''"), member, group) == order
    assert admin.run("""SELECT user_id, version FROM parley.message GROUP BY 1, 2 HAVING count(*) > 1
                        UNION ALL SELECT m.user_id, m.version FROM parley.message m JOIN parley.mailbox b USING (user_id)
                        WHERE m.version > b.version OR m.message_id >> 1 > b.version
                        UNION ALL SELECT c.user_id, c.unread_count
                        FROM parley.conversation c,
                             LATERAL (SELECT count(*) FROM parley.message m WHERE m.user_id = c.user_id AND m.peer_id = c.peer_id
                                      AND m.sender_id <> c.user_id AND m.message_id > c.read_up_to) unread
                        WHERE unread.count <> c.unread_count""") == []


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_change_and_send_wait_for_each_other(sessions, admin, end):
    """A change waits for the lowest mailbox before it locks any other, and takes a version above the send's."""
    one, two, other = sessions(), sessions(), sessions()
    message_id = write_one(one, deliver(CID, ANN, "k", copy_mode=1)).message_id
    one.run("BEGIN")
    first = write_one(one, deliver(ANN, BOB, "h"))
    kinds, mailboxes, arguments, companions = ([value] for value in edit(CID, ANN, message_id, "changed"))
    waiting = two.start("SELECT part, mailbox_id, previous, version FROM parley.write_changes(%s, %s::bigint[], %s, %s::bigint[])"
                        " WHERE part = 'w' ORDER BY 2", kinds, mailboxes, arguments, companions)
    wait_until_blocked(admin, two, by=one)
    assert [answer.status for answer in write(other, deliver(CID, BOB, "o"))] == [0]
    one.run(end)
    wakes = finish(waiting)
    assert [wake[1] for wake in wakes] == [ANN, CID]
    assert (wakes[0][2] == first.mailbox_version) == (end == "COMMIT")
    assert all(wake[2] < wake[3] for wake in wakes)


def test_follow_ups_are_made_in_the_wrong_order(sessions, admin):
    """The follow-ups of two edits are executed in the wrong order: the edit that is later in the first mailbox wins."""
    lane = sessions()
    message_id = write_one(lane, deliver(ANN, ZOE, "k", copy_mode=1)).message_id
    for content in ("one", "two"):
        kind, mailbox, argument, _ = edit(ANN, ZOE, message_id, content)
        assert change(lane, (kind, mailbox, argument, 0)) == ["done"]
    follow_ups = admin.run("SELECT kind, target_id, argument::text, 0 FROM parley.change_outbox ORDER BY version DESC")
    assert len(follow_ups) == 2
    assert [change(lane, row) for row in follow_ups] == [["done"], ["done"]]
    assert admin.run("SELECT DISTINCT content FROM parley.message") == [("two",)]


def test_settling_and_claiming_changes(sessions, admin):
    """A session that claims an entry blocks neither another claim nor a repetition of the change."""
    lane, relay, other = sessions(), sessions(), sessions()
    other.run("SET statement_timeout = '8s'")
    message_id = write_one(lane, deliver(ANN, ZOE, "k", copy_mode=1)).message_id
    one = edit(ANN, ZOE, message_id, "one")[:3] + (0,)
    assert change(lane, one) == ["done"]
    claim = """SELECT c.kind FROM parley.pending_changes(0, 0, 0, 10) k,
                      parley.claim_changes(ARRAY[k.mailbox_id], ARRAY[k.version], ARRAY[k.ordinal]) c"""
    settle = """SELECT parley.settle_changes(ARRAY[k.mailbox_id], ARRAY[k.version], ARRAY[k.ordinal])
                FROM parley.pending_changes(0, 0, 0, 10) k"""
    relay.run("BEGIN")
    assert relay.run(claim) == [("message",)]
    assert other.run(claim) == [] and other.run(settle) == [(0,)]
    assert change(other, one) == ["done"]
    assert admin.value("SELECT count(*) FROM parley.change_outbox") == 1
    assert relay.run(settle) == [(1,)]
    relay.run("COMMIT")
    assert other.run(claim) == [] and other.run(settle) == []


def test_first_lock_in_the_order_of_ids(sessions, admin):
    """The step that a deadlock would need: a batch waits for the lowest mailbox before it locks any other."""
    holder, batch, other = sessions(), sessions(), sessions()
    holder.run("BEGIN")
    write_one(holder, deliver(ANN, ZOE, "h"))
    waiting = start_write(batch, deliver(CID, ZOE, "b"), deliver(BOB, ZOE, "b"), deliver(ANN, ZOE, "b"))
    wait_until_blocked(admin, batch, by=holder)
    assert [answer.status for answer in write(other, deliver(BOB, ZOE, "o"), deliver(CID, ZOE, "o"))] == [0, 0]
    holder.run("COMMIT")
    assert [answer.status for answer in written(waiting)] == [0, 0, 0]


def test_sends_do_not_wait_for_a_claim(sessions):
    """A relay that holds outbox rows delays no send, no settling lane and no other relay."""
    claim = """SELECT c.client_message_id
               FROM (SELECT array_agg(recipient_id) AS recipients, array_agg(sender_id) AS senders,
                            array_agg(message_id) AS messages FROM parley.pending_outbox(0, 0, 0, 10)) k,
                    parley.claim_outbox(k.recipients, k.senders, k.messages) c"""
    lane, relay, other = sessions(), sessions(), sessions()
    for session in (lane, other):
        session.run("SET statement_timeout = '8s'")
    first = write_one(lane, deliver(ANN, ZOE, "1", copy_mode=2))
    relay.run("BEGIN")
    assert relay.run(claim) == [("1",)]
    write_one(lane, deliver(ANN, ZOE, "2", copy_mode=2))
    assert write_one(lane, deliver(ANN, ZOE, "1", copy_mode=2)).status == 1
    assert other.run(claim) == [("2",)]
    settle = "SELECT parley.settle_outbox(ARRAY[%s], ARRAY[%s], ARRAY[%s])"
    assert lane.value(settle, ANN, ZOE, first.message_id) == 0
    relay.run("ROLLBACK")
    assert other.run(claim) == [("1",), ("2",)]
    assert lane.value(settle, ANN, ZOE, first.message_id) == 1
    assert other.run(claim) == [("2",)]


def test_two_sessions_settle_the_same(sessions, admin):
    """Rows are settled once, and one session does not wait for the other."""
    one, two = sessions(), sessions()
    two.run("SET statement_timeout = '8s'")
    ids = [write_one(one, deliver(ANN, ZOE, str(n), copy_mode=2)).message_id for n in range(4)]
    settle = "SELECT parley.settle_outbox(%s, %s, %s)"
    one.run("BEGIN")
    assert one.value(settle, [ANN] * 3, [ZOE] * 3, ids[:3]) == 3
    assert two.value(settle, [ANN] * 4, [ZOE] * 4, ids) == 1
    one.run("COMMIT")
    assert admin.value("SELECT count(*) FROM parley.outbox") == 0


def test_writer_that_dies(sessions, admin):
    """A session that is killed in its transaction leaves nothing, and the retry stores the message."""
    one, two = sessions(), sessions()
    before = admin.value("SELECT test.everything()")
    one.run("BEGIN")
    write_one(one, deliver(ANN, ZOE, "k", copy_mode=2))
    waiting = start_write(two, deliver(ANN, ZOE, "k", copy_mode=2))
    wait_until_blocked(admin, two, by=one)
    admin.run("SELECT pg_terminate_backend(%s), pg_terminate_backend(%s)", two.pid, one.pid)
    with pytest.raises(psycopg2.OperationalError):
        finish(waiting)
    assert admin.value("SELECT test.everything()") == before
    assert write_one(sessions(), deliver(ANN, ZOE, "k", copy_mode=2)).status == 0


@pytest.mark.parametrize("end, result", [("COMMIT", "username-taken"), ("ROLLBACK", "created")])
def test_same_name_at_the_same_time(sessions, admin, end, result):
    """Only one account gets the name."""
    create = "SELECT shard_0000.create_account(%s, 'eve', 'Eve', NULL, 7000, NULL)"
    one, two = sessions(), sessions()
    one.run("BEGIN")
    assert one.value(create, user_id(0, 101)) == "created"
    waiting = two.start(create, user_id(0, 102))
    wait_until_blocked(admin, two, by=one)
    one.run(end)
    assert finish(waiting) == [(result,)]
    assert admin.value("SELECT count(*) FROM parley.account WHERE username = 'eve'") == 1


def test_server_writes_by_functions_alone(sessions):
    """The server's role cannot access any table."""
    server = sessions()
    for statement in ("SELECT FROM shard_0000.message", "DELETE FROM parley.outbox", "UPDATE shard_0000.mailbox SET version = 0",
                      "CREATE TABLE shard_0000.t ()", "UPDATE directory.system SET shards = 1"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            server.run(statement)


def test_readers_miss_nothing(sessions, admin):
    """Writers together with readers that page by cursor: each reader ends with the whole mailbox, each row once.

    Readers fetch pages of any size and begin again at any earlier cursor, as after a lost connection."""
    mailboxes = [ANN, BOB, CID]
    writers = [sessions() for _ in range(4)]
    readers = [sessions() for _ in mailboxes]
    finished = threading.Event()

    def send(number):
        chance = random.Random(number)
        for batch in range(60):
            operations = []
            for i in range(chance.choice((1, 1, 5, 20))):
                recipient, sender = chance.sample(mailboxes, 2)
                if chance.random() < 0.2:
                    sender = user_id(3, chance.randint(1, 5))
                received = chance.choice((0, 0, 3 * 10**15)) if chance.random() < 0.02 else 10**15 + batch
                key = f"{number}.{chance.randint(0, batch)}.{i}"
                operations.append(deliver(recipient, sender, key, key, received, 1 if sender < user_id(1, 0) else 2))
            writers[number].run("BEGIN")
            write(writers[number], *operations)
            writers[number].run("ROLLBACK" if chance.random() < 0.1 else "COMMIT")

    def read(number):
        chance = random.Random(100 + number)
        cursor, seen, versions, last_round = 0, [], [], False
        while True:
            last_round = finished.is_set()
            rows = readers[number].run(
                "SELECT kind, version, has_more, peer_id, message_id FROM shard_0000.fetch_updates(%s, %s, %s)",
                mailboxes[number], chance.choice((1, 3, 50)), cursor)
            page = [row for row in rows if row[0] == "m"]
            assert all(cursor < row[1] <= rows[0][1] for row in rows[1:])
            if chance.random() < 0.1:
                continue  # the answer is lost
            seen += [(row[3], row[4]) for row in page]
            versions += [row[1] for row in page]
            assert rows[0][1] >= cursor
            cursor = rows[0][1]
            if last_round and not rows[0][2]:
                return seen, versions

    with concurrent.futures.ThreadPoolExecutor(len(writers) + len(readers)) as threads:
        reading = [threads.submit(read, number) for number in range(len(readers))]
        try:
            for done in [threads.submit(send, number) for number in range(len(writers))]:
                done.result(60)
        finally:
            finished.set()
        for mailbox, done in zip(mailboxes, reading):
            seen, versions = done.result(60)
            stored = admin.run("SELECT peer_id, message_id FROM parley.message WHERE user_id = %s", mailbox)
            assert len(seen) == len(set(seen))
            assert set(seen) == set(stored) and len(stored) > 100
            assert versions == sorted(versions)
    assert admin.run("SELECT test.broken_rules()") == []


def test_block_beside_a_send(sessions, admin):
    """A send waits for the block's transaction and is refused; a block waits for a send's transaction, which is stored."""
    blocker, sender = sessions(), sessions()
    block = ("SELECT kind FROM parley.write_changes(ARRAY['block'], ARRAY[%s::bigint], ARRAY[format("
             "'{\"otherId\": \"%%s\", \"on\": %%s, \"timestamp\": 1}', %s, %s::text)], ARRAY[0::bigint]) WHERE part = 'r'")
    # Both sessions have their plans and have seen the mailbox.
    assert blocker.value(block, ANN, ZOE, True) == "done" == blocker.value(block, ANN, ZOE, False)
    assert write_one(sender, deliver(ANN, ZOE, "1", copy_mode=2)).status == 0
    blocker.run("BEGIN")
    assert blocker.value(block, ANN, ZOE, True) == "done"
    waiting = start_write(sender, deliver(ANN, ZOE, "2", copy_mode=2), deliver(ANN, BOB, "2", copy_mode=2))
    wait_until_blocked(admin, sender, by=blocker)
    blocker.run("COMMIT")
    refused, stored = written(waiting)
    assert (refused.version, stored.status) == (-2, 0)

    assert blocker.value(block, ANN, ZOE, False) == "done"
    sender.run("BEGIN")
    assert write_one(sender, deliver(ANN, ZOE, "3", copy_mode=2)).status == 0
    waiting = blocker.start(block, ANN, ZOE, True)
    wait_until_blocked(admin, blocker, by=sender)
    sender.run("COMMIT")
    assert finish(waiting) == [("done",)]
    assert write_one(sender, deliver(ANN, ZOE, "4", copy_mode=2)).version == -2
    assert admin.run("SELECT client_message_id FROM parley.message WHERE peer_id = %s ORDER BY 1", ZOE) == [("1",), ("3",)]


def change_one(session, kind, mailbox, argument, companion=0):
    """The status of one change."""
    status, = change(session, (kind, mailbox, json.dumps(argument), companion))
    return status


def receipt(session, reader, sender, message, kind="readUpTo", companion=None):
    return change_one(session, "receipt", reader, {"peerId": str(sender), kind: str(message)},
                  sender if companion is None else companion)


def test_a_receipt_beside_a_send(sessions, admin):
    """A receipt of all messages while another message is being written: that message is above it and unread."""
    writer, reader = sessions(), sessions()
    first = write_one(writer, deliver(ANN, ZOE, "1"))
    writer.run("BEGIN")
    write_one(writer, deliver(ANN, ZOE, "2", received=6000))
    waiting = concurrent.futures.ThreadPoolExecutor(1).submit(receipt, reader, ANN, ZOE, first.message_id)
    wait_until_blocked(admin, reader, by=writer)
    writer.run("COMMIT")
    assert waiting.result(10) == "done"
    assert admin.run("SELECT read_up_to, unread_count FROM parley.conversation WHERE user_id = %s", ANN) == \
        [(first.message_id, 1)]
    assert admin.run("SELECT * FROM shard_0000.wrong_unread_counts(0, %s)", user_id(1, 0)) == []


def test_receipts_against_sends(sessions, admin):
    """Sends in both directions, receipts of both users, deletions and cursors, all at once and in transactions of which
    some fail: watermarks never decrease, and the unread count equals a recount."""
    users = [ANN, BOB, ZOE]
    lanes = [sessions() for _ in range(4)]
    for one in users:
        for other in users:
            if one != other:
                write_one(lanes[0], deliver(one, other, f"first {other}", copy_mode=1))
    watermarks = "SELECT user_id, peer_id, read_up_to, delivered_up_to, peer_read_up_to, peer_delivered_up_to" \
                 " FROM parley.conversation ORDER BY 1, 2"
    finished = threading.Event()

    def work(number):
        chance = random.Random(number)
        for step in range(150):
            one, other = chance.sample(users, 2)
            known = admin_of[number].run("SELECT message_id, version FROM parley.message WHERE user_id = %s AND peer_id = %s",
                                         one, other)
            message, version = chance.choice(known)
            what = chance.random()
            lanes[number].run("BEGIN")
            if what < 0.4:
                write_one(lanes[number], deliver(one, other, f"{number}.{step}", received=5000 + step, copy_mode=1))
            elif what < 0.7:
                kind = chance.choice(("readUpTo", "deliveredUpTo"))
                assert receipt(lanes[number], one, other, message + chance.choice((0, 1, 10**9)), kind) == "done"
            elif what < 0.85:
                assert change_one(lanes[number], "deletion", one, {"peerId": str(other), "messageId": str(message),
                                                               "timestamp": 1}) == "done"
            else:
                assert change_one(lanes[number], "delivered", one, {"version": str(version)}) == "done"
            lanes[number].run("ROLLBACK" if chance.random() < 0.1 else "COMMIT")

    def watch():
        session, before = sessions("postgres"), admin.run(watermarks)
        while not finished.is_set():
            now = session.run(watermarks)
            assert all(x >= y for row, old in zip(now, before) for x, y in zip(row[2:], old[2:]))
            before = now

    admin_of = [sessions("postgres") for _ in lanes]
    with concurrent.futures.ThreadPoolExecutor(len(lanes) + 1) as threads:
        watching = threads.submit(watch)
        try:
            for done in [threads.submit(work, number) for number in range(len(lanes))]:
                done.result(120)
        finally:
            finished.set()
        watching.result(10)
    for shard in (0, 3):
        assert admin.run(f"SELECT * FROM shard_{shard:04d}.wrong_unread_counts(0, 9223372036854775807)") == []
    # The follow-ups are executed, in any order and some twice: then both sides are equal.
    follow_ups = admin.run("SELECT target_id, kind, argument::text FROM parley.change_outbox")
    random.Random(1).shuffle(follow_ups)
    for target, kind, argument in follow_ups + follow_ups[:10]:
        assert change_one(lanes[0], kind, target, json.loads(argument)) == "done"
    assert admin.run("""SELECT c.user_id FROM parley.conversation c JOIN parley.conversation p ON p.user_id = c.peer_id AND p.peer_id = c.user_id
                        WHERE p.peer_read_up_to <> c.read_up_to OR p.peer_delivered_up_to <> c.delivered_up_to""") == []
    assert admin.run("SELECT test.broken_rules()") == []
