"""migrate up applies pending migrations, once, in order, under a lock; migrate status reports the true state."""

import time

from conftest import BLOCKED, DRIFT, FAILED, OK, PENDING, UNREACHABLE, target

MORE = "ALTER TABLE parley.account ADD COLUMN more integer;"


def states(report, name):
    return [m["state"] for m in target(report, name)["migrations"]]


def test_before_init(system):
    report = system.ctl("migrate", "up", expected=BLOCKED)
    assert "parleyctl init" in report["message"]
    report = system.ctl("migrate", "status", expected=PENDING)
    assert report["system"]["state"] == "uninitialised"
    assert set(states(report, None)) == {"pending"}


def test_status_up_status(ready):
    assert ready.ctl("migrate", "status")["message"] is None
    ready.tree.next_migration(MORE)
    report = ready.ctl("migrate", "status", expected=PENDING)
    assert states(report, "a")[-1] == "pending" and target(report, "a")["exit"] == "pending"
    assert target(report, None)["exit"] == "ok"
    assert ready.scalar("a", "SELECT count(*) FROM pg_attribute WHERE attname = 'more'") == 0
    report = ready.ctl("migrate", "up")
    for name in ("a", "b"):
        assert target(report, name)["migrations"][-1]["appliedNow"]
        assert ready.scalar(name, "SELECT count(*) FROM pg_attribute WHERE attname = 'more'") == 3
    report = ready.ctl("migrate", "up")
    assert not target(report, "a")["migrations"][-1]["appliedNow"]
    ready.ctl("migrate", "status")


def test_a_migration_of_the_directory(ready):
    ready.tree.next_migration("CREATE TABLE directory.more (x integer);", folder="directory")
    assert target(ready.ctl("migrate", "status", expected=PENDING), None)["exit"] == "pending"
    assert target(ready.ctl("migrate", "up"), None)["migrations"][-1]["appliedNow"]


def test_the_ledger(ready):
    rows = ready.sql("a", "SELECT number, name, checksum, applied_by, applied_timestamp, tool_version"
                          " FROM parley.migration ORDER BY number")
    assert rows[0][0] == 1 and rows[0][1].startswith("0001_") and len(rows[0][2]) == 64
    assert rows[0][3] == "parley_owner" and abs(rows[0][4] / 1e6 - time.time()) < 100 and rows[0][5]


def test_functions_are_applied_when_their_text_changes(ready):
    oids = "SELECT oid, xmin FROM pg_proc WHERE proname IN ('find_account', 'settle_outbox') ORDER BY oid"
    before = ready.sql("a", oids)
    ready.ctl("migrate", "up")
    assert ready.sql("a", oids) == before
    ready.tree.write("sql/shard/find_account.sql", ready.tree.read("sql/shard/find_account.sql") + "\n-- changed\n")
    report = ready.ctl("migrate", "status", expected=PENDING)
    assert target(report, "a")["shards"]["outdated"] == 2 and target(report, "a")["functions"] == "current"
    report = ready.ctl("migrate", "up")
    assert target(report, "a")["shards"]["updated"] == 2 and target(report, "a")["functions"] == "current"
    ready.tree.write("sql/more.sql", "CREATE OR REPLACE FUNCTION parley.more() RETURNS int LANGUAGE sql"
                                     " SET search_path = pg_catalog AS 'SELECT 1';")
    report = ready.ctl("migrate", "status", expected=PENDING)
    assert target(report, "b")["functions"] == "pending"
    report = ready.ctl("migrate", "up")
    assert target(report, "b")["functions"] == "applied" and target(report, "b")["shards"]["updated"] == 0
    assert ready.scalar("b", "SELECT parley.more()") == 1


def test_functions_are_applied_after_every_migration(ready):
    """A migration drops a function, though the function's text is unchanged."""
    ready.tree.next_migration("DROP FUNCTION parley.settle_outbox;")
    ready.ctl("migrate", "up")
    assert ready.scalar("a", "SELECT count(*) FROM pg_proc WHERE proname = 'settle_outbox'"
                             " AND pronamespace = 'parley'::regnamespace") == 1


def test_a_failing_migration_leaves_nothing(ready):
    path = ready.tree.next_migration(MORE + "SELECT 1 / 0;")
    report = ready.ctl("migrate", "up", expected=FAILED)
    assert "more.sql: " in report["message"] and "division by zero" in report["message"]
    assert ready.scalar("a", "SELECT count(*) FROM pg_attribute WHERE attname = 'more'") == 0
    assert states(ready.ctl("migrate", "status", expected=PENDING), "a")[-1] == "pending"
    ready.tree.write(path, MORE)
    ready.ctl("migrate", "up")


def test_one_database_fails_and_the_other_is_done(ready):
    ready.sql("b", "CREATE TABLE parley.clash (x integer)")
    ready.tree.next_migration("CREATE TABLE parley.clash (x integer);")
    report = ready.ctl("migrate", "up", expected=FAILED)
    assert target(report, "a")["exit"] == "ok" and target(report, "b")["exit"] == "failed"
    assert "database b" in report["message"]
    ready.sql("b", "DROP TABLE parley.clash")
    report = ready.ctl("migrate", "up")
    assert not target(report, "a")["migrations"][-1]["appliedNow"]
    assert target(report, "b")["migrations"][-1]["appliedNow"]


def test_a_commit_in_a_migration_is_refused(ready):
    ready.tree.next_migration("COMMIT;")
    assert "COMMIT" in ready.ctl("migrate", "up", expected=FAILED)["message"]


def test_a_changed_file_is_drift(ready):
    name = "migrations/database/0001_messaging.sql"
    ready.tree.next_migration(MORE)
    ready.tree.write(name, ready.tree.read(name) + "-- touched\n")
    report = ready.ctl("migrate", "status", expected=DRIFT)
    assert states(report, "a")[0] == "changed"
    report = ready.ctl("migrate", "up", expected=DRIFT)
    assert "0001_messaging.sql" in report["message"]
    assert states(report, "a")[-1] == "pending"
    assert ready.scalar("a", "SELECT count(*) FROM pg_attribute WHERE attname = 'more'") == 0


def test_drift_of_the_directory(ready):
    name = "migrations/directory/0001_directory.sql"
    ready.tree.write(name, ready.tree.read(name) + "-- touched\n")
    assert "directory" in ready.ctl("migrate", "up", expected=DRIFT)["message"]
    assert ready.init(expected=DRIFT)["exit"] == "drift"


def test_a_migration_without_a_file_is_drift(ready):
    ready.sql("b", "INSERT INTO parley.migration VALUES (99, '0099_newer.sql', 'x', 0, 0, 'x', 'x')")
    report = ready.ctl("migrate", "up", expected=DRIFT)
    assert "0099_newer.sql" in report["message"] and "newer parleyctl" in report["message"]
    assert states(report, "b")[-1] == "unknown"
    assert target(report, "a")["exit"] == "ok"


def test_a_gap_in_the_ledger_is_drift(ready):
    ready.tree.next_migration(MORE)
    ready.ctl("migrate", "up")
    ready.sql("a", "DELETE FROM parley.migration WHERE number = 1")
    assert "by hand" in ready.ctl("migrate", "status", expected=DRIFT)["message"]


def test_misnumbered_files(ready):
    ready.tree.write("migrations/database/0099_gap.sql", "SELECT 1;")
    assert "numbered from 0001" in ready.ctl("migrate", "up", expected=FAILED)["message"]


def test_a_directory_without_sql(ready, tmp_path):
    ready.tree.path = str(tmp_path / "nothing")
    assert "--sql-dir" in ready.ctl("migrate", "status", expected=FAILED)["message"]


def tries_again(system, start, condition):
    """Waits until the sessions of parleyctl in database a that meet the condition have had three values of the column
    `start`."""
    seen = set()
    deadline = time.monotonic() + 50
    while len(seen) < 3:
        assert time.monotonic() < deadline, f"only {len(seen)} tries"
        seen |= set(system.sql("a", f"SELECT {start} FROM pg_stat_activity WHERE application_name = 'parleyctl' AND {condition}"))
        time.sleep(0.02)


def test_waiting_for_another_parleyctl(ready):
    holder = ready.cluster.connect(ready.databases["a"], "parley_owner")
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(5261401, 1)")
        start = time.monotonic()
        report = ready.ctl("migrate", "up", "--wait", "1", expected=BLOCKED)
        assert time.monotonic() - start >= 1
        assert f"server process {holder.info.backend_pid}, user parley_owner" in report["message"]
        waiting = ready.start("migrate", "up", "--wait", "60")
        tries_again(ready, "query_start", "query LIKE '%pg_try_advisory_lock%'")
        assert waiting.poll() is None
    holder.close()
    ready.finish(waiting, OK)


def test_the_lock_of_one_database(ready):
    holder = ready.cluster.connect(ready.databases["b"], "parley_owner")
    with holder.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(5261401, 2)")
    report = ready.ctl("migrate", "up", "--wait", "0", expected=BLOCKED)
    assert target(report, "a")["exit"] == "ok" and target(report, "b")["exit"] == "blocked"
    holder.close()


def test_a_locked_table_is_tried_again_until_the_time_is_up(ready):
    """lock_timeout ends an attempt after 3 s, so that the server's queries do not queue up behind it."""
    ready.tree.next_migration(MORE)
    holder = ready.cluster.connect(ready.databases["a"])
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE parley.account IN ACCESS SHARE MODE")
    report = ready.ctl("migrate", "up", "--wait", "0", expected=BLOCKED)
    assert "lock timeout" in report["message"]
    assert target(report, "b")["exit"] == "ok"
    waiting = ready.start("migrate", "up", "--wait", "60")
    tries_again(ready, "xact_start", "wait_event_type = 'Lock'")
    assert waiting.poll() is None
    holder.rollback()
    holder.close()
    report = ready.finish(waiting, OK)
    assert target(report, "a")["migrations"][-1]["appliedNow"]


def test_several_at_once(system):
    """Four inits, then four migrate ups with a slow migration: each step happens once."""
    processes = [system.start("init", "--shards", "6", "--databases", "a,b", "--wait", "60") for _ in range(4)]
    reports = [system.finish(process, OK) for process in processes]
    assert sum(target(report, "a")["shards"]["created"] for report in reports) == 3
    system.tree.next_migration(MORE + "SELECT pg_sleep(0.3);")
    processes = [system.start("migrate", "up", "--wait", "60") for _ in range(4)]
    reports = [system.finish(process, OK) for process in processes]
    for name in ("a", "b"):
        assert sum(target(report, name)["migrations"][-1]["appliedNow"] for report in reports) == 1
        assert sum(target(report, name)["shards"]["updated"] for report in reports) == 3


def test_unreachable(ready):
    ready.sections["database b"]["owner_dsn"] = "host=/nonexistent user=parley_owner"
    report = ready.ctl("migrate", "status", expected=UNREACHABLE)
    assert target(report, "a")["exit"] == "ok" and target(report, "b")["exit"] == "unreachable"
    ready.ctl("migrate", "up", expected=UNREACHABLE)


def test_a_database_that_is_not_configured(ready):
    del ready.sections["database b"]
    assert "[database b]" in ready.ctl("migrate", "up", expected=2)["message"]


def test_more_databases_than_jobs(ready):
    ready.tree.next_migration(MORE)
    report = ready.ctl("migrate", "up", "--jobs", "1")
    assert all(target(report, name)["migrations"][-1]["appliedNow"] for name in ("a", "b"))


def test_text(ready):
    ready.tree.next_migration(MORE)
    assert "pending 0" in ready.text("migrate", "status", expected=PENDING)
    assert "applied 0" in ready.text("migrate", "up")
    assert "ready, 4 shards in 2 databases" in ready.text("migrate", "status")


def test_the_server_may_call_functions_only(ready):
    # Functions that only other functions call belong to the owner alone.
    rights = """SELECT bool_and(has_function_privilege('parley_server', p.oid, 'EXECUTE')) FILTER (WHERE p.prosecdef)
        AND NOT bool_or(has_function_privilege('parley_server', p.oid, 'EXECUTE')) FILTER (WHERE NOT p.prosecdef)
        FROM pg_proc p WHERE p.pronamespace::regnamespace::text IN ('parley', 'shard_0000', 'shard_0002')"""
    assert ready.scalar("a", rights) is True
    assert ready.scalar("a", """SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p')
        AND relnamespace::regnamespace::text ~ '^(parley|shard_.*)$'
        AND has_table_privilege('parley_server', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')""") == 0
