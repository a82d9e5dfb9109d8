"""doctor reports ok for a good system, and each fault that breaks a promise makes its own check fail."""

import contextlib
import threading
import time

import psycopg2
import pytest

from conftest import DRIFT, FAILED, OK, PENDING, UNREACHABLE, USAGE


@pytest.fixture
def pooled(ready):
    """A system as it should be: PgBouncer with transaction pooling in front."""
    pooler = ready.cluster.pooler("transaction")
    for name in ("a", "b"):
        ready.sections[f"database {name}"]["dsn"] = ready.dsn(name, "parley_server", pooler, 6432)
    return ready


def checks(report, status):
    return {(item["subject"], item["check"]) for item in report["checks"] if item["status"] == status}


def find(report, subject, check):
    return next(item for item in report["checks"] if (item["subject"], item["check"]) == (subject, check))


def reload_settings(system, name, expected):
    """Returns when every session has `expected` before its next statement: PostgreSQL signals its sessions before it
    starts a new one."""
    system.cluster.sql("postgres", "SELECT pg_reload_conf()")
    deadline = time.monotonic() + 20
    while system.cluster.scalar("postgres", f"SELECT current_setting('{name}')") != expected:
        assert time.monotonic() < deadline, f"{name} does not become {expected}"


@contextlib.contextmanager
def setting(system, name, value):
    before = system.cluster.scalar("postgres", f"SELECT current_setting('{name}')")
    system.cluster.sql("postgres", f"ALTER SYSTEM SET {name} = {value}")
    reload_settings(system, name, value.strip("'"))
    try:
        yield
    finally:
        system.cluster.sql("postgres", f"ALTER SYSTEM RESET {name}")
        reload_settings(system, name, before)


@contextlib.contextmanager
def role(system, text, undo):
    system.cluster.sql("postgres", text)
    try:
        yield
    finally:
        system.cluster.sql("postgres", undo)


def fails(system, check, subject="database a", expected=FAILED):
    """Checks that exactly this check fails, on each database or only on the subject."""
    report = system.ctl("doctor", expected=expected)
    failed = checks(report, "fail")
    assert (subject, check) in failed and {name for _, name in failed} == {check}
    item = find(report, subject, check)
    assert item["advice"]
    return item["detail"]


def lanes(system, count):
    system.sections["server"] = {"workers": "1"}
    system.sections["lanes"] = {"write_lanes": str(count - 3), "read_lanes_per_worker": "1"}


def test_all_is_well(pooled):
    report = pooled.ctl("doctor", expected=OK)
    assert report["summary"]["fail"] == report["summary"]["warn"] == 0
    names = {item["check"] for item in report["checks"]}
    assert names == {"owner-dsn", "owner-role", "server-dsn", "map", "migrations", "identity", "functions",
                     "shards", "indexes", "direct-dsn", "version", "durability", "wal-level", "replication",
                     "connections", "role-excess", "role-rights", "role-timeouts", "autovacuum", "clock",
                     "pooled-dsn", "pool-mode", "pool-target", "pool-size"}
    text = pooled.text("doctor")
    assert "0 warn, 0 fail" in text and "transaction, by the pooler's console" in text


def test_doctor_changes_nothing(pooled):
    before = pooled.scalar("a", "SELECT txid_current()")
    pooled.ctl("doctor")
    assert pooled.scalar("a", "SELECT txid_current()") == before + 1


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_durability(pooled, name):
    with setting(pooled, name, "off"):
        assert f"off: {name};" in fails(pooled, "durability")
        for database in ("a", "b"):
            pooled.sections[f"database {database}"]["allow_data_loss_on_crash"] = "true"
        report = pooled.ctl("doctor", expected=OK)
        assert ("database a", "durability") in checks(report, "warn")


def test_synchronous_commit_of_the_role(pooled):
    """Off only for the server's role: the owner would not see it."""
    with role(pooled, "ALTER ROLE parley_server SET synchronous_commit = off",
              "ALTER ROLE parley_server RESET synchronous_commit"):
        assert "synchronous_commit" in fails(pooled, "durability")


def test_synchronous_standbys(pooled):
    with role(pooled, "ALTER ROLE parley_server SET synchronous_commit = local",
              "ALTER ROLE parley_server RESET synchronous_commit"):
        assert ("database a", "replication") in checks(pooled.ctl("doctor"), "ok")
        pooled.cluster.sql("postgres", "SET synchronous_commit = local;"
                                       "ALTER ROLE parley_owner SET synchronous_commit = local")
        with setting(pooled, "synchronous_standby_names", "'standby'"):
            report = pooled.ctl("doctor", expected=OK)
            assert ("database a", "replication") in checks(report, "warn")
        pooled.cluster.sql("postgres", "ALTER ROLE parley_owner RESET synchronous_commit")


def test_wal_level_and_connections(pooled):
    cluster = pooled.cluster
    with_postgres_restarted = {"wal_level": "replica", "max_connections": "12", "max_wal_senders": "0"}
    cluster.restart(**with_postgres_restarted)
    try:
        lanes(pooled, 8)
        report = pooled.ctl("doctor", expected=FAILED)
        assert checks(report, "fail") == {("database a", "wal-level"), ("database b", "wal-level"),
                                          ("database a", "connections"), ("database b", "connections")}
        assert "needs 10 on this server, but only 9" in find(report, "database a", "connections")["detail"]
        assert "needs 20 on this server, but only 9" in find(report, "database b", "connections")["detail"]
    finally:
        for name in with_postgres_restarted:
            del cluster.settings[name]
        cluster.restart(wal_level="logical", max_connections="100")


@pytest.mark.parametrize("text, undo, part", [
    ("ALTER ROLE parley_server SUPERUSER", "ALTER ROLE parley_server NOSUPERUSER", "superuser"),
    ("ALTER ROLE parley_server CREATEDB", "ALTER ROLE parley_server NOCREATEDB", "may create roles"),
])
def test_a_server_role_with_too_much_power(pooled, text, undo, part):
    with role(pooled, text, undo):
        report = pooled.ctl("doctor", expected=FAILED)
        details = [item["detail"] for item in report["checks"] if item["check"] == "role-excess"]
        assert any(part in detail for detail in details)


@pytest.mark.parametrize("text, part", [
    ("GRANT CREATE ON SCHEMA parley TO parley_server", "may create in schema parley"),
    ("GRANT SELECT ON parley.account TO parley_server", "has rights on the tables of schema parley"),
    ("GRANT INSERT ON shard_0002.message TO parley_server", "has rights on the tables of schema shard_0002"),
    ("GRANT UPDATE ON directory.system TO parley_server", "may write in schema directory"),
])
def test_excess_rights(pooled, text, part):
    pooled.sql("a", text)
    assert part in fails(pooled, "role-excess")


def test_public_may_create_in_schema_public(pooled):
    pooled.sql("a", "GRANT CREATE ON SCHEMA public TO PUBLIC")
    try:
        assert "may create in schema public" in fails(pooled, "role-excess")
    finally:
        pooled.sql("a", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")


@pytest.mark.parametrize("text, part", [
    ("REVOKE USAGE ON SCHEMA shard_0002 FROM parley_server", "no USAGE on schema shard_0002"),
    ("REVOKE EXECUTE ON FUNCTION shard_0000.find_account FROM parley_server", "shard_0000.find_account"),
])
def test_missing_rights(pooled, text, part):
    pooled.sql("a", text)
    assert part in fails(pooled, "role-rights")


def test_the_directory_is_not_readable(pooled):
    pooled.sql("a", "REVOKE SELECT ON directory.shard FROM parley_server")
    fails(pooled, "server-dsn", "directory")


def test_a_role_without_timeouts(pooled):
    with role(pooled, "ALTER ROLE parley_server SET statement_timeout = 0",
              "ALTER ROLE parley_server SET statement_timeout = '5s'"):
        report = pooled.ctl("doctor", expected=OK)
        assert checks(report, "warn") == {("database a", "role-timeouts"), ("database b", "role-timeouts")}
        assert find(report, "database a", "role-timeouts")["detail"].endswith(": statement_timeout")


def test_autovacuum(pooled):
    with setting(pooled, "autovacuum", "off"):
        assert ("database a", "autovacuum") in checks(pooled.ctl("doctor", expected=OK), "warn")


def pool(system, mode, **settings):
    """A PgBouncer of its own for database a. Its console is closed with stats_users="parley_owner"."""
    pooler = system.cluster.pooler(mode, **settings)
    system.sections["database a"]["dsn"] = system.dsn("a", "parley_server", pooler, 6432)


CLOSED = {"stats_users": "parley_owner"}


@contextlib.contextmanager
def busy(system, clients):
    """Clients use the pool of database a all the time. Each has made one request before the block begins."""
    done = threading.Event()
    have_asked = threading.Barrier(clients + 1)

    def ask_without_end():
        conn = psycopg2.connect(system.sections["database a"]["dsn"])
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("SELECT 1")
            have_asked.wait(60)
            while not done.is_set():
                cursor.execute("SELECT 1")
        conn.close()

    threads = [threading.Thread(target=ask_without_end) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        have_asked.wait(60)
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


@contextlib.contextmanager
def held(system, count):
    """This many server processes of the pool of database a are inside a transaction."""
    conns = [psycopg2.connect(system.sections["database a"]["dsn"]) for _ in range(count)]
    try:
        for conn in conns:
            conn.cursor().execute("SELECT 1")
        yield
    finally:
        for conn in conns:
            conn.close()


@pytest.mark.parametrize("mode", ["session", "statement"])
def test_pool_mode(pooled, mode):
    pool(pooled, mode)
    assert fails(pooled, "pool-mode") == f"{mode}, by the pooler's console"


def test_pool_mode_of_one_database(pooled):
    """The mode of this pool counts, not the general one. The console finds it by the role with which the pooler logs in."""
    pooler = pooled.cluster.pooler("session", databases=f"{pooled.databases['a']} = host={pooled.cluster.directory} "
                                   "pool_mode=transaction user=parley_server", stats_users="parley_owner")
    pooled.sections["database a"]["dsn"] = pooled.dsn("a", "parley_owner", pooler, 6432)
    report = pooled.ctl("doctor", expected=OK)
    assert find(report, "database a", "pool-mode")["detail"] == "transaction, by the pooler's console"


def test_pool_mode_of_a_full_session_pool(pooled):
    """The one server process belongs to doctor's own connection, and a second one would wait for it."""
    pool(pooled, "session", default_pool_size="1")
    assert "session" in fails(pooled, "pool-mode")


@pytest.mark.parametrize("settings", [{}, CLOSED], ids=["console", "closed"])
def test_pool_mode_of_a_busy_pool(pooled, settings):
    """Other clients use the server processes in between. Without a console the mode may be unknown then, but it is never
    wrong."""
    pool(pooled, "transaction", default_pool_size="8", **settings)
    expected = {"ok"} if settings == {} else {"ok", "warn"}
    with busy(pooled, 6):
        for _ in range(5):
            assert find(pooled.ctl("doctor", expected=OK), "database a", "pool-mode")["status"] in expected


def test_pool_mode_without_a_console(pooled):
    pool(pooled, "transaction", default_pool_size="3", **CLOSED)
    with held(pooled, 2):
        report = pooled.ctl("doctor", expected=OK)
        assert find(report, "database a", "pool-mode")["detail"] == "transaction: server processes change hands"
    pool(pooled, "statement", **CLOSED)
    assert "refuses transactions" in fails(pooled, "pool-mode")


def test_unknown_pool_mode(pooled):
    pool(pooled, "session", **CLOSED)
    item = find(pooled.ctl("doctor", expected=OK), "database a", "pool-mode")
    assert item["status"] == "warn" and "not known" in item["detail"] and "stats_users" in item["advice"]


def test_pool_size(pooled):
    lanes(pooled, 4)
    pool(pooled, "transaction", default_pool_size="3")
    report = pooled.ctl("doctor", expected=OK)
    assert "3 server connections for 4 lanes" in find(report, "database a", "pool-size")["detail"]
    pool(pooled, "transaction", **CLOSED)
    report = pooled.ctl("doctor", expected=OK)
    assert checks(report, "warn") == {("database a", "pool-size")}
    assert "console is closed" in find(report, "database a", "pool-size")["detail"]


def test_a_pool_of_another_database(pooled):
    pooled.sections["database a"]["dsn"] = pooled.sections["database b"]["dsn"]
    fails(pooled, "pool-target")


def test_no_pooler(ready):
    report = ready.ctl("doctor", expected=OK)
    assert checks(report, "warn") == {("database a", "pooled-dsn"), ("database b", "pooled-dsn")}


def test_a_pooler_in_the_direct_dsn(pooled):
    pooled.sections["database a"]["direct_dsn"] = pooled.sections["database a"]["dsn"]
    assert "LISTEN" in fails(pooled, "direct-dsn")
    pooled.sections["database a"]["direct_dsn"] = pooled.dsn("a", "parley_server")
    pooled.sections["directory"]["dsn"] = pooled.sections["database a"]["dsn"]
    fails(pooled, "server-dsn", "directory")


@pytest.mark.parametrize("section, key, check", [
    ("directory", "owner_dsn", "owner-dsn"), ("directory", "dsn", "server-dsn"),
    ("database b", "owner_dsn", "owner-dsn"), ("database b", "direct_dsn", "direct-dsn"),
    ("database b", "dsn", "pooled-dsn"),
])
def test_unreachable(pooled, section, key, check):
    pooled.sections[section][key] = "host=/nonexistent user=parley_server password=secret"
    report = pooled.ctl("doctor", expected=UNREACHABLE)
    assert (section, check) in checks(report, "fail")
    assert "secret" not in str(report)


def test_a_dsn_that_is_not_set(pooled):
    del pooled.sections["database b"]["dsn"]
    assert "not set" in fails(pooled, "pooled-dsn", "database b", expected=USAGE)


def test_an_owner_who_is_superuser(pooled):
    pooled.sections["database a"]["owner_dsn"] = pooled.dsn("a", "postgres")
    assert "superuser" in fails(pooled, "owner-role", expected=5)


def test_drift_and_pending(pooled):
    pooled.tree.next_migration("SELECT 1;")
    report = pooled.ctl("doctor", expected=PENDING)
    assert {name for _, name in checks(report, "fail")} == {"migrations", "functions"}
    name = "migrations/database/0001_messaging.sql"
    pooled.tree.write(name, pooled.tree.read(name) + "-- touched\n")
    report = pooled.ctl("doctor", expected=DRIFT)
    assert ("database b", "migrations") in checks(report, "fail")


def test_functions_that_are_not_current(pooled):
    pooled.tree.write("sql/shard/find_account.sql", pooled.tree.read("sql/shard/find_account.sql") + "\n")
    assert "2 of 2 shards" in fails(pooled, "functions", expected=PENDING)


def talk(system):
    """Two users of database a, shard 0, one of whom has two unread messages of the other. Returns their ids."""
    one, other = 11, 12
    for user in (one, other):
        system.scalar("a", f"SELECT shard_0000.create_account({user}, 'user{user}', 'User', NULL, 1000, NULL)")
    for n in (1, 2):
        system.sql("a", f"""SELECT parley.write_messages(ARRAY[{one}, {other}]::bigint[], ARRAY[1, 1], ARRAY[5000, 5000]::bigint[],
            ARRAY[1], ARRAY[1], ARRAY[{other}]::bigint[], ARRAY['k{n}'], ARRAY['text'], ARRAY[5000]::bigint[], ARRAY[false],
            ARRAY[2], ARRAY[1], ARRAY[{one}]::bigint[], ARRAY[1], ARRAY[0]::bigint[], ARRAY['k{n}'], ARRAY['text'])""")
    return one, other


def break_count(system, user):
    system.sql("a", f"UPDATE shard_0000.conversation SET unread_count = 7 WHERE user_id = {user}")


def test_unread_counts(pooled):
    """Only with the option. Wrong counts are found and reported, and are not changed."""
    one, other = talk(pooled)
    assert "2 mailboxes, every count" in find(pooled.ctl("doctor", "--unread"), "database a", "unread")["detail"]
    break_count(pooled, one)
    assert all(item["check"] != "unread" for item in pooled.ctl("doctor")["checks"])
    report = pooled.ctl("doctor", "--unread", expected=FAILED)
    assert checks(report, "fail") == {("database a", "unread")}
    assert f"1 counts differ from their recount: user {one} with {other}: 7, recount 2" in \
        find(report, "database a", "unread")["detail"]
    assert "0 mailboxes" in find(report, "database b", "unread")["detail"]
    assert pooled.scalar("a", f"SELECT unread_count FROM shard_0000.conversation WHERE user_id = {one}") == 7


def test_unread_counts_are_repaired(pooled):
    """With a new version, by which clients learn of it. The versions of others do not change."""
    one, other = talk(pooled)
    versions = [pooled.scalar("a", f"SELECT version FROM shard_0000.mailbox WHERE user_id = {user}") for user in (one, other)]
    break_count(pooled, one)
    report = pooled.ctl("doctor", "--unread", "--repair", expected=OK)
    assert checks(report, "warn") == {("database a", "unread")}
    assert "1 counts repaired" in find(report, "database a", "unread")["detail"]
    assert pooled.scalar("a", f"SELECT unread_count FROM shard_0000.conversation WHERE user_id = {one}") == 2
    assert pooled.scalar("a", f"SELECT version FROM shard_0000.mailbox WHERE user_id = {one}") > versions[0]
    assert pooled.scalar("a", f"SELECT version FROM shard_0000.mailbox WHERE user_id = {other}") == versions[1]
    assert checks(pooled.ctl("doctor", "--unread", "--repair", expected=OK), "warn") == set()


def test_unread_counts_of_many_mailboxes(pooled):
    """More than one slice."""
    talk(pooled)
    pooled.sql("a", """INSERT INTO shard_0000.mailbox (user_id, version) SELECT n, 1 FROM generate_series(100, 2500) n;
        INSERT INTO shard_0000.conversation (user_id, peer_id, last_message_id, version, unread_count, newest_period, changed_period)
        SELECT n, 11, 5, 1, 1, 0, 0 FROM generate_series(100, 2500, 200) n""")
    report = pooled.ctl("doctor", "--unread", expected=FAILED)
    assert "2403 mailboxes, 13 counts" in find(report, "database a", "unread")["detail"]
    assert "13 counts repaired" in find(pooled.ctl("doctor", "--unread", "--repair"), "database a", "unread")["detail"]
    assert checks(pooled.ctl("doctor", "--unread"), "warn") == set()


def test_repair_needs_unread(pooled):
    assert "--unread" in pooled.ctl("doctor", "--repair", expected=USAGE)["message"]


def test_before_init(system):
    report = system.ctl("doctor", expected=PENDING)
    assert "parleyctl init" in find(report, "directory", "map")["advice"]


def test_a_missing_leaf(pooled):
    pooled.sql("a", "ALTER TABLE parley.message DETACH PARTITION shard_0002.message")
    assert fails(pooled, "shards") == "shard_0002 is not attached with its range: message"


def test_a_missing_shard(pooled):
    pooled.sql("a", "DROP SCHEMA shard_0002 CASCADE")
    report = pooled.ctl("doctor", expected=FAILED)
    assert "shard_0002 is not attached with its range: account, auth_ending, block, change_outbox, conversation, group_invitation, " \
        "group_member, group_profile, group_view, invitation, mailbox, membership, message, outbox, session" in \
        find(report, "database a", "shards")["detail"]


def test_a_wrong_range(pooled):
    upper = (3 << 50) - 5
    pooled.sql("a", f"""ALTER TABLE parley.outbox DETACH PARTITION shard_0002.outbox;
        ALTER TABLE parley.outbox ATTACH PARTITION shard_0002.outbox FOR VALUES FROM ({2 << 50}) TO ({upper})""")
    assert "shard_0002 is not attached with its range: outbox" in fails(pooled, "shards")


def test_shards_of_another_database(pooled):
    pooled.sql("a", """CREATE SCHEMA shard_0001;
        CREATE TABLE shard_0001.account (LIKE parley.account INCLUDING ALL)""")
    report = pooled.ctl("doctor", expected=OK)
    assert checks(report, "warn") == {("database a", "shards")}
    pooled.sql("a", f"""ALTER TABLE parley.account ATTACH PARTITION shard_0001.account
        FOR VALUES FROM ({1 << 50}) TO ({2 << 50})""")
    report = pooled.ctl("doctor", expected=FAILED)
    assert "is attached, but in the map it is in another" in find(report, "database a", "shards")["detail"]


def test_an_invalid_index(pooled):
    pooled.sql("a", "UPDATE pg_index SET indisvalid = false"
                    " WHERE indexrelid = 'shard_0002.account_username'::regclass")
    assert fails(pooled, "indexes") == "not valid: shard_0002.account_username"


def test_names_that_do_not_match(pooled):
    section = pooled.sections.pop("database b")
    report = pooled.ctl("doctor", expected=FAILED)
    assert "[database b]" in find(report, "directory", "listed")["detail"]
    pooled.sections["database b"] = section
    pooled.sections["database old"] = dict(section)
    report = pooled.ctl("doctor", expected=OK)
    assert find(report, "database old", "listed")["status"] == "warn"
