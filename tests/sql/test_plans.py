"""What each function touches: the same few pages whether the mailbox has 10 rows or 100,000, by plans that a connection
made when the tables were as good as empty; and only the leaves of the shards that it is about."""

import json

import pytest

from sessions import Session, copy, deliver, user_id, write

BIG = user_id(0, 1)  # 20,000 conversations, 100,000 messages, 50,000 of them in one conversation
SMALL = user_id(0, 2)  # 10 conversations, 10 messages in one of them
PEER = user_id(1, 1)
FIRST = 10**15  # version and time of the first message
STEP = 100000  # microseconds between messages

READS = {
    "newest conversations": "shard_0000.fetch_conversations(%(me)s, 20, 0, 0)",
    "conversations since": "shard_0000.fetch_conversations(%(me)s, 20, 0, %(recent)s)",
    "conversations since long ago": "shard_0000.fetch_conversations(%(me)s, 20, 0, 1)",
    "newest messages": "shard_0000.fetch_messages(%(me)s, %(peer)s, 50, 0, 0, 0)",
    "messages before": "shard_0000.fetch_messages(%(me)s, %(peer)s, 50, 0, %(middle)s, 0)",
    "messages since": "shard_0000.fetch_messages(%(me)s, %(peer)s, 50, 0, 0, %(recent)s)",
    "messages since long ago": "shard_0000.fetch_messages(%(me)s, %(peer)s, 50, 0, 0, 1)",
    "messages of a stranger": "shard_0000.fetch_messages(%(me)s, 7, 50, 0, 0, %(recent)s)",
    "updates since": "shard_0000.fetch_updates(%(me)s, 50, %(recent)s)",
    "updates from the beginning": "shard_0000.fetch_updates(%(me)s, 50, 0)",
    "updates from the future": "shard_0000.fetch_updates(%(me)s, 50, 9223372036854775807)",
    "nothing new": "shard_0000.fetch_updates(%(me)s, 50, %(version)s)",
    "versions": "shard_0000.mailbox_versions(ARRAY[%(me)s, %(me)s + 1, %(me)s + 2])",
    "account": "shard_0000.fetch_account(%(me)s)",
    "account by name": "shard_0000.find_account('user0.2')",
    "owed": "parley.pending_outbox(0, 0, 0, 100)",
    "owed, further on": "parley.pending_outbox(%(me)s, 0, 0, 100)",
    "claimed": "parley.claim_outbox(%(outbox_recipients)s::bigint[], %(outbox_senders)s::bigint[], %(outbox_ids)s::bigint[])",
    "settled": "parley.settle_outbox(%(outbox_recipients)s::bigint[], %(outbox_senders)s::bigint[], %(outbox_ids)s::bigint[])",
}

LOAD = """
INSERT INTO parley.message (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
SELECT %(me)s, peer, time * 2 + 1, time, peer, n::text, repeat('x', 160)
FROM (SELECT n, %(first)s + n * %(step)s AS time,
             CASE WHEN n %% 2 = 0 THEN %(peer)s ELSE %(peer)s + (n / 2) %% %(conversations)s END AS peer
      FROM generate_series(1::bigint, %(messages)s) n) n;
INSERT INTO parley.conversation (user_id, peer_id, last_message_id, version, unread_count, snippet)
SELECT user_id, peer_id, max(message_id), max(version), count(*), repeat('x', 100)
FROM parley.message WHERE user_id = %(me)s GROUP BY user_id, peer_id;
UPDATE shard_0000.mailbox SET version = %(version)s WHERE user_id = %(me)s;
"""


def parameters(me, messages):
    version = FIRST + messages * STEP
    return {"me": me, "peer": PEER, "first": FIRST, "step": STEP, "messages": messages, "version": version,
            "conversations": messages // 5, "recent": version - 5 * STEP, "middle": (FIRST + messages * STEP // 2) * 2,
            "outbox_recipients": [me] * 100, "outbox_senders": [PEER] * 100, "outbox_ids": list(range(100))}


def pages(session, call, values):
    """Buffers that a call touches, and its rows."""
    with session.connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM " + call, values)
        plan = cursor.fetchone()[0]
        plan = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], plan["Actual Rows"]


def test_reads_cost_the_same(database):
    """No read of the large mailbox touches more than a page of rows needs."""
    admin, session = Session(database, "postgres"), Session(database)
    admin.run("SELECT test.user(0, n) FROM generate_series(1, 3) n")
    small, large = parameters(SMALL, 50), parameters(BIG, 100000)
    with admin.connection.cursor() as cursor:
        cursor.execute(LOAD, small)
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
    # A row is at most a few pages: index, table; a claimed one also its lock and the recipient's message.
    assert {name: cost for name, cost in report.items() if cost[0] > 40 + 10 * cost[1]} == {}
    assert report["newest conversations"][1] == 21 and report["newest messages"][1] == 51
    assert report["messages since"][1] > 1 and report["updates since"][1] > 5
    session.close()
    admin.close()


@pytest.fixture
def loud(database):
    """A session that is told the plan of every statement, also within functions."""
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


@pytest.mark.parametrize("operations", [BATCH[:1], BATCH, BATCH + BATCH])
def test_a_batch_reads_no_table(loud, operations):
    """write_messages reaches tables by INSERT alone, and joins by hashing or merging: a batch's cost is linear."""
    write(loud, *operations)
    own = [plan for plan in plans(loud) if "WITH operation" in plan["Query Text"]]
    assert own
    for plan in own:
        for node in nodes(plan["Plan"]):
            assert node["Node Type"] not in ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Nested Loop")
            assert node["Node Type"] != "ModifyTable" or node["Operation"] == "Insert"


def test_a_batch_locks_its_shards_alone(loud):
    """No table or index of a shard that the batch is not about is even opened."""
    for _ in range(3):
        loud.run("BEGIN")
        write(loud, *BATCH)
        locked = loud.run("SELECT DISTINCT c.relnamespace::regnamespace::text FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
                          " WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation'")
        loud.run("ROLLBACK")
        assert {"shard_0001", "shard_0003"} <= {row[0] for row in locked}
        assert not {"shard_0000", "shard_0002"} & {row[0] for row in locked}


def test_mailbox_updates_stay_in_their_page(loud):
    """The update of a mailbox row is HOT: no index entry, and the page is pruned without vacuum."""
    for n in range(200):
        write(loud, deliver(user_id(0, 1), user_id(0, 2), str(n)))
    loud.run("SELECT pg_stat_force_next_flush()")
    hot, updated = loud.run("SELECT n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables WHERE relid = 'shard_0000.mailbox'::regclass")[0]
    assert updated == 200
    assert hot == updated
