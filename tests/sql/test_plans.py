"""What each function touches: the same few pages whether the mailbox has 10 rows or 100,000, with plans that a connection
made when the tables were almost empty; and only the leaves of the shards concerned.

The conversations' indexes are over periods of two minutes. So a read in their order touches all the conversations that
have last changed in one of the periods read, whether they are on the page or not, and no conversations of other periods."""

import json

import pytest

from sessions import Session, copy, deliver, user_id, write

BIG = user_id(0, 1)  # 20,000 conversations, 100,000 messages, 50,000 of them in one conversation
SMALL = user_id(0, 2)  # 10 conversations, 10 messages in one of them
PEER = user_id(1, 1)
FIRST = 10**15  # version and time of the first message
STEP = 100000  # microseconds between messages
PERIOD = 1 << 27  # microseconds

def arrays(columns, reads):
    """A function's parameters for a number of equal reads; columns: (value, type)."""
    return ", ".join(f"array_fill({value}::{kind}, ARRAY[{reads}])" for value, kind in columns)


def conversations(since, reads=1, before=0):
    return "shard_0000.fetch_conversations(%s)" % arrays(
        [("%(me)s", "bigint"), (20, "integer"), (0, "bigint"), (since, "bigint"), (before, "bigint"), (1, "bigint")], reads)


def messages(peer="%(peer)s", before=0, since=0, reads=1, size=50, after=0, newer=0):
    return "shard_0000.fetch_messages(%s)" % arrays(
        [("%(me)s", "bigint"), (peer, "bigint"), (size, "integer"), (0, "bigint"), (before, "bigint"), (since, "bigint"),
         (after, "bigint"), (newer, "integer")], reads)


def change(kind, argument):
    return f"parley.write_changes(ARRAY['{kind}'], ARRAY[%(me)s::bigint], ARRAY['{argument}'], ARRAY[0::bigint])"


def made(kind, mailbox, argument):
    """A change by write_changes; argument: SQL of a jsonb."""
    return f"parley.write_changes(ARRAY['{kind}'], ARRAY[{mailbox}::bigint], ARRAY[({argument})::text], ARRAY[0::bigint])"


# The large mailbox is a group's here, and after that a member's.
SENT = "jsonb_build_object('senderId', %(peer)s::text, 'clientMessageId', '{}', 'content', repeat('x', 160))"
MEMBERS = "jsonb_build_array(%(me)s::text, (%(me)s + 1)::text)"
# Higher each time, so that each call writes.
LOWEST = "jsonb_build_array(jsonb_build_array('1', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint))"
WATERMARKS = f"'lowestRead', {LOWEST}, 'lowestDelivered', {LOWEST}"
STATE = ("jsonb_build_object('revision', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint::text, 'memberIds', " + MEMBERS +
         ", 'view', 'x', 'leftView', 'x', " + WATERMARKS + ")")
MESSAGE = ("jsonb_build_object('members', " + MEMBERS + ", 'groupId', %(peer)s::text, 'messageId', %(middle)s::text, 'senderId', '1',"
           " 'clientMessageId', 'x', 'content', 'x')")

READS = {
    "newest conversations": conversations(0),
    "newest conversations, ten times": conversations(0, reads=10),
    "conversations after a place": conversations(0, before="%(recent)s * 2"),
    "conversations since": conversations("%(recent)s"),
    "conversations since long ago": conversations(1),
    "one conversation": "shard_0000.fetch_conversation(ARRAY[%(me)s], ARRAY[%(peer)s])",
    "no conversation": "shard_0000.fetch_conversation(ARRAY[%(me)s], ARRAY[7])",
    "newest messages": messages(),
    "newest messages, ten times": messages(reads=10),
    "messages before": messages(before="%(middle)s", after="%(middle)s - 1", newer=1),
    "messages after": messages(before="%(middle)s + 1", after="%(middle)s", size=0, newer=51),
    "messages after, ten times": messages(before="%(middle)s + 1", after="%(middle)s", size=0, newer=51, reads=10),
    "messages around": messages(before="%(middle)s + 1", after="%(middle)s", size=25, newer=26),
    "messages after the newest": messages(after=2**62, before=2**62, size=0, newer=51),
    "messages after the beginning": messages(after=1, before=2, size=0, newer=51),
    "messages since": messages(since="%(recent)s"),
    "messages since long ago": messages(since=1),
    "messages of a stranger": messages(peer=7, since="%(recent)s"),
    "updates since": "shard_0000.fetch_updates(%(me)s, 50, %(recent)s)",
    "updates from the beginning": "shard_0000.fetch_updates(%(me)s, 50, 0)",
    "updates since a cursor above the version": "shard_0000.fetch_updates(%(me)s, 50, 9223372036854775807)",
    "nothing new": "shard_0000.fetch_updates(%(me)s, 50, %(version)s)",
    "blocks to export": "shard_0000.export_blocks(%(me)s, 0, 1000)",
    "states": "shard_0000.mailbox_states(ARRAY[%(me)s, %(me)s + 1, %(me)s + 2])",
    "states of any shards": "parley.mailbox_states(ARRAY[%(me)s, %(me)s + 1, %(me)s + 2, %(peer)s])",
    "a session": "shard_0000.find_session(%(me)s, 10)",
    "whether a session goes on": "shard_0000.check_session(%(me)s, 10)",
    "sessions": "shard_0000.fetch_sessions(%(me)s)",
    "what has ended": "parley.fetch_endings(%(conversations)s - 10, %(conversations)s - 10, 100)",
    "what is to expire": "parley.expire_sessions(9000000000000000000, 9000000000000000000, 100)",
    "users with a conversation": "shard_0000.has_conversations(%(me)s, ARRAY[%(peer)s, %(peer)s + 1, 7, %(me)s])",
    "whether messages exist": "shard_0000.has_messages(ARRAY[%(me)s, %(me)s, %(me)s], ARRAY[%(peer)s, %(peer)s, 7], "
                                  "ARRAY[%(middle)s + 1, 1, %(middle)s + 1])",
    "blocks": "shard_0000.fetch_blocks(%(me)s, 10, 50)",
    "whether users are blocked": "shard_0000.have_blocked(ARRAY[%(me)s, %(me)s, %(me)s + 1], ARRAY[11, %(peer)s, 11])",
    "a group's retry": made("group_send", "%(me)s", SENT.format(4)),
    "a stranger's send to a group": made("group_send", "%(me)s", SENT.format("none")),
    "members' copies": made("group_message", "%(me)s", MESSAGE),
    "a member's state of a group": made("group_message", "%(me)s", MESSAGE + " || jsonb_build_object('state', " + STATE +
                                        ", 'members', jsonb_build_array(%(me)s::text))"),
    "members' watermarks of a group": made("group_view", "%(me)s", "jsonb_build_object('members', " + MEMBERS +
                                           ", 'groupId', %(peer)s::text, " + WATERMARKS + ")"),
    "members of a group": "shard_0000.group_members(%(me)s, %(peer)s)",
    "a group's members": "shard_0000.fetch_group_members(%(me)s, %(peer)s, 0, 0, 50)",
    "receipts in a group": "shard_0000.fetch_group_receipts(%(me)s, %(peer)s, %(middle)s, 0, 0, 50)",
    "receipts of a message": "shard_0000.fetch_receipts(%(me)s, %(peer)s, %(middle)s + 1, 0)",
    "reactions to a message": "shard_0000.fetch_reactions(%(me)s, %(peer)s, %(middle)s + 1, NULL, 0, 50)",
    "receipts that a user sees": "shard_0000.visible_reads(%(me)s, %(peer)s)",
    "open invitations": "shard_0000.fetch_invitations(%(me)s)",
    "users who may be added to a group": "shard_0000.group_consents(ARRAY[%(peer)s, 11, 12], ARRAY[%(me)s, %(me)s, %(me)s + 1])",
    "users of any shards who may be added": "parley.group_consents(ARRAY[%(peer)s, 11, 12], ARRAY[%(me)s, %(me)s, %(peer)s])",
    "users who have written": "shard_0000.have_written(ARRAY[%(me)s, %(me)s, %(me)s], ARRAY[%(peer)s, 7, %(peer)s + 1])",
    "an invitation": made("group_invitation", "%(me)s", "jsonb_build_object('members', jsonb_build_array(%(me)s::text), 'groupId', '100', "
                          "'revision', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 'inviterId', %(peer)s::text, "
                          "'name', 'x', 'timestamp', 1)"),
    "a group": "shard_0000.fetch_group(%(me)s, %(peer)s)",
    "account": "shard_0000.fetch_account(%(me)s)",
    "users": "shard_0000.fetch_users(ARRAY[%(me)s, %(me)s + 1, %(peer)s])",
    "users of any shards": "parley.fetch_users(ARRAY[%(me)s, %(me)s + 1, %(peer)s])",
    "change of an account": "shard_0000.update_account(%(me)s, 'x', NULL, NULL, NULL, NULL, NULL, NULL, 0)",
    "users who show their presence": "shard_0000.shows_presence(11, ARRAY[%(me)s, %(me)s + 1, %(peer)s])",
    "users of any shards who show their presence": "parley.shows_presence(11, ARRAY[%(me)s, %(me)s + 1, %(peer)s])",
    "account by name": "shard_0000.find_account('user0.2')",
    "pending": "parley.pending_outbox(0, 0, 0, 100)",
    "pending, further on": "parley.pending_outbox(%(me)s, 0, 0, 100)",
    "claimed": "parley.claim_outbox(%(outbox_recipients)s::bigint[], %(outbox_senders)s::bigint[], %(outbox_ids)s::bigint[])",
    "settled": "parley.settle_outbox(%(outbox_recipients)s::bigint[], %(outbox_senders)s::bigint[], %(outbox_ids)s::bigint[])",
    # These raise versions, so they come last. The same call is measured when it runs again.
    "a declined invitation": change("decline", '{"groupId": "100"}'),
    "a setting": change("settings", '{"peerId": "%(peer)s", "pinned": true}'),
    "cleared messages": change("clear_slice", '{"peerId": "%(peer)s", "after": "%(middle)s", "upTo": "%(slice_end)s", "timestamp": 1}'),
}

LOAD = """
INSERT INTO parley.block SELECT %(me)s, n, 1 FROM generate_series(1, %(conversations)s) n;
INSERT INTO parley.invitation SELECT %(me)s, 1000 + n, 1 FROM generate_series(1, %(conversations)s) n;
UPDATE parley.invitation SET inviter_id = 11, group_name = 'x', invited_timestamp = 1 WHERE user_id = %(me)s AND group_id > 996 + %(conversations)s;
INSERT INTO parley.session (user_id, session_id, created_timestamp, last_seen_timestamp, expires_timestamp, expires_hour, salt, current_hash)
SELECT CASE WHEN n < 10 THEN %(me)s ELSE 5000000 + %(me)s * 100000 + n / 10 END, n %% 10 + 1, 1, 1, 9000000000000000, 2500000, '', '' FROM generate_series(0, %(conversations)s - 1) n;
INSERT INTO parley.auth_ending SELECT 5000000 + %(me)s * 100000 + n / 10, n %% 10 + 1, n, 0, NULL, false FROM generate_series(1, %(conversations)s) n;
INSERT INTO parley.message (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
SELECT %(me)s, peer, time * 2 + 1, time, peer, n::text, repeat('x', 160)
FROM (SELECT n, %(first)s + n * %(step)s - greatest(n - %(burst)s, 0) * (%(step)s - 1) AS time,
             CASE WHEN n %% 2 = 0 THEN %(peer)s ELSE %(peer)s + (n / 2) %% %(conversations)s END AS peer
      FROM generate_series(1::bigint, %(messages)s) n) n;
INSERT INTO parley.conversation (user_id, peer_id, last_message_id, newest_period, version, changed_period, unread_count)
SELECT user_id, peer_id, max(message_id), max(message_id) >> 28, max(version), max(version) >> 27, count(*)
FROM parley.message WHERE user_id = %(me)s GROUP BY user_id, peer_id;
UPDATE shard_0000.mailbox SET version = %(version)s WHERE user_id = %(me)s;
"""


def parameters(me, messages, step=STEP, burst=0):
    """Parameters for a mailbox whose messages are `step` apart, the last `burst` of them only a microsecond."""
    version = FIRST + (messages - burst) * step + burst
    return {"me": me, "peer": PEER, "first": FIRST, "step": step, "messages": messages, "version": version,
            "burst": messages - burst, "conversations": messages // 5, "recent": version - 5 * (1 if burst else step),
            "middle": (FIRST + messages * step // 2) * 2, "slice_end": (FIRST + (messages // 2 + 10) * step) * 2 + 1,
            "outbox_recipients": [me] * 100, "outbox_senders": [PEER] * 100, "outbox_ids": list(range(100))}


def pages(session, call, values):
    """Buffers that a call touches, and its rows."""
    with session.connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM " + call, values)
        plan = cursor.fetchone()[0]
        plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], plan["Actual Rows"]


# Users with one conversation each, of this many messages: a plan that fits these reads a large mailbox to its end.
CROWD = """
INSERT INTO parley.mailbox (user_id, version) SELECT %(me)s + 100 + u, 1000 FROM generate_series(1, %(users)s) u;
INSERT INTO parley.message (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
SELECT %(me)s + 100 + u, %(peer)s, %(first)s * 2 + n, %(first)s + n, %(peer)s, n::text, repeat('x', 160)
FROM generate_series(1, %(users)s) u, generate_series(1, %(each)s) n;
INSERT INTO parley.conversation (user_id, peer_id, last_message_id, newest_period, version, changed_period)
SELECT %(me)s + 100 + u, %(peer)s, %(first)s * 2 + %(each)s, (%(first)s * 2) >> 28, %(first)s + %(each)s, %(first)s >> 27
FROM generate_series(1, %(users)s) u;
"""


def measure(database, small, large, crowd=None):
    """A report of what the reads of `large` touch, with plans made on `small` and a crowd of (users, messages of each)."""
    admin, session = Session(database, "postgres"), Session(database)
    admin.run("SELECT test.user(0, n) FROM generate_series(1, 3) n")
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, small)
        if crowd:
            cursor.execute(CROWD, {**small, "me": BIG + 30000, "users": crowd[0], "each": crowd[1]})
    admin.run("ANALYZE")
    for call in READS.values():
        for _ in range(7):
            with session.connection.cursor() as cursor:
                cursor.execute("SELECT * FROM " + call, small)
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, large)
    admin.run("INSERT INTO parley.account SELECT %s + n, 1000, 'other' || n, '' FROM generate_series(1, 20000) n", BIG + 10)
    admin.run("INSERT INTO parley.mailbox SELECT %s + n, 1000 FROM generate_series(1, 20000) n", BIG + 10)
    admin.run("INSERT INTO parley.outbox SELECT user_id, peer_id, message_id FROM parley.message")
    large["outbox_ids"] = [row[0] for row in admin.run(
        "SELECT message_id FROM parley.message WHERE user_id = %s AND peer_id = %s LIMIT 100", BIG, PEER)]

    report = {}
    for name, call in READS.items():
        pages(session, call, large)
        touched, rows = pages(session, call, large)
        report[name] = (touched, 100 if name == "settled" else rows)
    session.close()
    admin.close()
    assert report["newest conversations"][1] == 21 and report["newest messages"][1] == 51
    assert report["newest conversations, ten times"][1] == 210 and report["newest messages, ten times"][1] == 510
    assert report["messages before"][1] == 52 and report["messages around"][1] == 52
    assert report["messages after"][1] == 52 and report["messages after, ten times"][1] == 520
    assert report["messages since"][1] > 1 and report["updates since"][1] > 5
    assert report["updates since a cursor above the version"][1] == 101
    return report


@pytest.mark.parametrize("step", [STEP, PERIOD], ids=["600 in a period", "one in a period"])
def test_reads_cost_the_same(database, step):
    """No read of the large mailbox touches more than a page of rows needs."""
    report = measure(database, parameters(SMALL, 50, step), parameters(BIG, 100000, step))
    # A row is at most a few pages: index, table; a claimed one also its lock and the recipient's message.
    assert {name: cost for name, cost in report.items() if cost[0] > 40 + 10 * cost[1]} == {}


@pytest.mark.parametrize("crowd", [(1, 1), (30, 2), (200, 1), (400, 4)], ids=lambda crowd: f"{crowd[0]} by {crowd[1]}")
def test_reads_cost_the_same_with_any_plan(database, crowd):
    """Also if the plans were made on almost empty mailboxes."""
    report = measure(database, parameters(SMALL, 5, PERIOD), parameters(BIG, 100000, PERIOD), crowd)
    assert {name: cost for name, cost in report.items() if cost[0] > 40 + 10 * cost[1]} == {}


@pytest.mark.parametrize("crowd", [(1, 1), (400, 4)], ids=lambda crowd: f"{crowd[0]} by {crowd[1]}")
def test_receipts_cost_only_new_messages(database, crowd):
    """A receipt near the end of a conversation of 50,000 messages, and a cursor near the mailbox's version, read only
    what is new; also with plans made on almost empty mailboxes."""
    small, large = parameters(SMALL, 50), parameters(BIG, 100000)
    admin, session = Session(database, "postgres"), Session(database)
    admin.run("SELECT test.user(0, n) FROM generate_series(1, 3) n")
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, small)
        cursor.execute(CROWD, {**small, "me": BIG + 30000, "users": crowd[0], "each": crowd[1]})
    admin.run("ANALYZE")

    def change(kind, me, argument):
        return pages(session, "parley.write_changes(ARRAY[%(kind)s], ARRAY[%(me)s], ARRAY[%(argument)s], ARRAY[0::bigint])",
                     {"kind": kind, "me": me, "argument": json.dumps(argument)})[0]

    for n in range(7):
        change("receipt", SMALL, {"peerId": str(PEER), "readUpTo": str((FIRST + n * 2 * STEP) * 2 + 1)})
        change("delivered", SMALL, {"version": str(FIRST + n * STEP)})
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, large)
    near = large["version"] - 40 * STEP
    admin.run("UPDATE shard_0000.conversation SET read_up_to = %s, delivered_up_to = %s, unread_count = 21"
              " WHERE user_id = %s AND peer_id = %s", near * 2, near * 2, BIG, PEER)
    admin.run("UPDATE shard_0000.mailbox SET delivered_version = %s WHERE user_id = %s", near, BIG)
    assert change("receipt", BIG, {"peerId": str(PEER), "readUpTo": str((near + 20 * STEP) * 2 + 1)}) < 200
    assert admin.value("SELECT unread_count FROM shard_0000.conversation WHERE user_id = %s AND peer_id = %s", BIG, PEER) == 10
    assert change("delivered", BIG, {"version": str(near + 10 * STEP)}) < 400
    assert admin.value("SELECT delivered_version FROM shard_0000.mailbox WHERE user_id = %s", BIG) == near + 10 * STEP
CHANGES = {
    "edit": ("message", {"content": "changed", "timestamp": 1}),
    "delete": ("message", {"timestamp": 2}),
    "edit of an unknown message": ("message", {"content": "changed", "timestamp": 1, "messageId": "12"}),
    "react": ("reaction", {"actorId": str(PEER), "emoji": "+", "on": True}),
    "delete for me": ("deletion", {"timestamp": 3}),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("crowd", [None, (200, 1), (30, 2)], ids=str)
def test_changes_cost_the_same(database, name, crowd):
    """A change of one message touches a few rows by their keys, with plans made on almost empty mailboxes."""
    admin, session = Session(database, "postgres"), Session(database)
    admin.run("SELECT test.user(0, n) FROM generate_series(1, 2) n")
    kind, detail = CHANGES[name]

    def change(values, touched):
        argument = {"peerId": str(PEER), "messageId": str((values["first"] + touched * values["step"]) * 2 + 1), **detail}
        return "parley.write_changes(ARRAY['%s'], ARRAY[%d], ARRAY[$$%s$$], ARRAY[0]::bigint[])" % (
            kind, values["me"], json.dumps(argument))

    small, large = parameters(SMALL, 30), parameters(BIG, 100000)
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, small)
        if crowd:
            cursor.execute(CROWD, {**small, "me": BIG + 30000, "users": crowd[0], "each": crowd[1]})
    admin.run("ANALYZE")
    for i in range(7):
        session.run("SELECT * FROM " + change(small, 2 * i + 2))
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, large)
    pages(session, change(large, 40000), {})
    touched, rows = pages(session, change(large, 50000), {})
    assert rows == {"message": 3, "reaction": 3, "deletion": 2}[kind] - 2 * ("unknown message" in name)
    assert touched <= 150
    session.close()
    admin.close()


def test_totals_read_a_thousand_conversations(database):
    """fetch_unread reads the newest 1,000 of 20,000 conversations, with plans made on almost empty mailboxes."""
    small, large = parameters(SMALL, 50), parameters(BIG, 100000)
    admin, session = Session(database, "postgres"), Session(database)
    admin.run("SELECT test.user(0, n) FROM generate_series(1, 3) n")
    call = "shard_0000.fetch_unread(ARRAY[%(me)s])"
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, small)
    admin.run("ANALYZE")
    for _ in range(7):
        pages(session, call, small)
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, large)
    pages(session, call, large)
    assert pages(session, call, small)[0] < 40
    assert pages(session, call, large)[0] < 1500
    session.close()
    admin.close()


def test_reads_touch_one_period(database):
    """If 2,000 of the 20,000 conversations are in one period, a read touches each of these at most once, and only the
    messages of those on its page."""
    report = measure(database, parameters(SMALL, 50, PERIOD, 40), parameters(BIG, 100000, PERIOD, 4000))
    conversations = {name: cost for name, cost in report.items() if "conversations" in name or "updates" in name}
    assert len(conversations) == 8
    assert {name: cost for name, cost in conversations.items() if cost[0] > 40 + 10 * cost[1] + 2000} == {}
    for name, cost in report.items():  # reads that need no conversation cost the same as before
        if name not in conversations and name != "messages since":
            assert cost[0] <= 40 + 10 * cost[1], name


@pytest.fixture
def loud(database):
    """A session that gets the plan of every statement as a notice, also within functions."""
    session = Session(database, "postgres")
    session.run("SELECT test.user(s, n) FROM generate_series(0, 3) s, generate_series(1, 40) n")
    for setting in ("LOAD 'auto_explain'", "SET auto_explain.log_min_duration = 0", "SET auto_explain.log_analyze = on",
                    "SET auto_explain.log_nested_statements = on", "SET auto_explain.log_format = json",
                    "SET client_min_messages = log"):
        session.run(setting)
    session.connection.notices = []
    yield session
    session.close()


def nodes(plan):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def plans(session):
    for notice in session.connection.notices:
        yield json.loads(notice[notice.index("{"):])


BATCH = [operation for n in range(1, 21) for operation in (
    deliver(user_id(1, n), user_id(3, n), "k", copy_mode=2), deliver(user_id(1, n), user_id(1, 41 - n), "l", copy_mode=1),
    copy(user_id(3, n), user_id(1, n), 20000 + n, "m"))]


def other_content(operation):
    return operation[:5] + ("other",) + operation[6:]


SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Tid Scan")


def check_plans(session):
    """Checks that write_messages reaches tables only by INSERT, and joins by hashing or merging, so that a batch's cost
    is linear. The exception is the comparison with a retry's content: one row, by the primary key of its leaf. Returns
    the number of statements by kind."""
    inserts = lookups = others = 0
    for plan in plans(session):
        text = plan["Query Text"]
        # The COPY to the program that groups the batch (helpers.sql) has no text.
        if not text or "test." in text or "parley.write_messages" in text:
            continue
        lookup = text.startswith("SELECT coalesce(bool_and(parley.is_as_sent")
        others += not lookup
        for node in nodes(plan["Plan"]):
            if lookup and node["Node Type"] in SCANS:
                assert node["Node Type"] == "Index Scan" and node["Index Name"] == "message_pkey"
                assert node["Actual Rows"] == 1 and "Filter" not in node
                lookups += 1
                continue
            assert node["Node Type"] not in SCANS, text
            if node["Node Type"] == "ModifyTable":
                assert node["Operation"] == "Insert", text
                inserts += 1
            if node["Node Type"] == "Nested Loop":
                outer, = [child for child in node["Plans"] if child["Parent Relationship"] == "Outer"]
                assert outer["Actual Rows"] <= 1, text
    session.connection.notices = []
    return inserts, lookups, others


@pytest.mark.parametrize("operations", [BATCH[:1], BATCH, BATCH + [
    deliver(user_id(1, 1 + n % 40), user_id(1 + 2 * (n % 2), 1 + (n + 1) % 40), f"n{n}", copy_mode=1 + n % 2)
    for n in range(300)]], ids=["one", "sixty", "many"])
def test_a_batch_reads_no_table(loud, operations):
    """Three statements write a batch of any size, and new messages need no other statement."""
    write(loud, *operations)
    inserts, lookups, others = check_plans(loud)
    # mailbox, message, and in one statement the copies, the conversations and the outbox.
    assert (inserts, lookups, others) == (5, 0, 3)


def test_a_retry_reads_one_row(loud):
    """A batch with retries, some of them refused, reads the rows of those messages and no others."""
    write(loud, *BATCH)
    loud.connection.notices = []
    again = BATCH[:6] + [other_content(operation) for operation in BATCH[6:12]]
    new = [deliver(user_id(1, n), user_id(3, n), "new") for n in range(1, 4)]
    statuses = [row.status for row in write(loud, *again, *new)]
    assert statuses == [1] * 6 + [2, 2, 1] * 2 + [0] * 3
    inserts, lookups, _ = check_plans(loud)
    assert lookups == sum(operation[3] == 0 for operation in again)
    assert inserts == 6  # and the mailboxes that get their versions back


def locked_schemas(session):
    """The shards of which a table or an index is open."""
    locked = session.run("SELECT DISTINCT c.relnamespace::regnamespace::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
                         " WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'")
    return {row[0] for row in locked if row[0].startswith("shard_")}


def updates(session, table):
    """Rows updated in a leaf, and how many of them stayed in their page and in no index."""
    session.run("SELECT pg_stat_force_next_flush()")
    return session.run("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = %s::regclass", table)[0]


def test_a_batch_locks_only_its_shards(loud):
    """No table or index of another shard is opened."""
    for _ in range(3):
        loud.run("BEGIN")
        write(loud, *BATCH)
        assert locked_schemas(loud) == {"shard_0001", "shard_0003"}
        loud.run("ROLLBACK")


def test_settling_opens_only_its_shards(loud):
    """settle_outbox touches the outboxes of the rows' shards, and these by the key."""
    write(loud, *[deliver(user_id(shard, n), user_id(3 - shard, n), "o", copy_mode=2) for shard in (1, 3) for n in range(1, 41)])
    keys = [list(column) for column in zip(*loud.run("SELECT recipient_id, sender_id, message_id FROM parley.outbox"))]
    assert len(keys[0]) == 80
    for _ in range(3):
        loud.connection.notices = []
        loud.run("BEGIN")
        assert loud.value("SELECT parley.settle_outbox(%s::bigint[], %s::bigint[], %s::bigint[])", *keys) == 80
        assert locked_schemas(loud) == {"shard_0001", "shard_0003"}
        loud.run("ROLLBACK")
        scans = [node["Node Type"] for plan in plans(loud) if plan["Query Text"].startswith("DELETE")
                 for node in nodes(plan["Plan"]) if node.get("Relation Name") == "outbox" and node["Node Type"] in SCANS]
        assert len(scans) == 4 and not {"Seq Scan", "Bitmap Heap Scan"} & set(scans), scans


def test_mailbox_updates_stay_in_their_page(loud):
    """The update of a mailbox row is HOT: no index entry, and the page is pruned without vacuum."""
    for n in range(200):
        write(loud, deliver(user_id(0, 1), user_id(0, 2), str(n)))
    assert updates(loud, "shard_0000.mailbox") == (200, 200)


def test_conversation_updates_stay_in_their_page(loud):
    """The update of a conversation row is HOT as long as its periods do not change, for both copies. Otherwise it is not
    HOT, once for each of the periods."""
    here, there = user_id(0, 1), user_id(1, 1)
    # A clock ahead of the true time, at the beginning of a period.
    start = (int(loud.value("SELECT extract(epoch FROM clock_timestamp())")) * 1000000 // PERIOD + 10) * PERIOD
    write(loud, deliver(here, there, "first", received=start, copy_mode=1))
    for n in range(200):
        write(loud, deliver(here, there, str(n), received=start + 1000 * (n + 1), copy_mode=1))
    assert updates(loud, "shard_0000.conversation") == (200, 200)
    assert updates(loud, "shard_0001.conversation") == (200, 200)
    assert loud.run("SELECT DISTINCT newest_period, changed_period FROM parley.conversation") == [(start // PERIOD,) * 2]
    for n in range(1, 11):
        write(loud, deliver(here, there, f"later {n}", received=start + n * PERIOD, copy_mode=1))
    assert updates(loud, "shard_0000.conversation") == (210, 200)
    assert loud.run("SELECT DISTINCT newest_period, changed_period FROM parley.conversation") == [(start // PERIOD + 10,) * 2]
    assert loud.run("SELECT test.broken_rules()") == []
