"""init creates a complete system, is idempotent, and refuses databases that it must not change."""

import os

import pytest

from conftest import BLOCKED, FAILED, OK, UNREACHABLE, USAGE, target

SHARD_BITS = 50


def leaves(system, name):
    """(schema, table, range) of every partition."""
    return system.sql(name, """
        SELECT l.relnamespace::regnamespace::text, l.relname, pg_get_expr(l.relpartbound, l.oid)
        FROM pg_inherits i JOIN pg_class l ON l.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
        WHERE p.relkind = 'p' AND p.relnamespace = 'parley'::regnamespace""")


def test_init_creates_everything(system):
    report = system.init(shards=5)
    assert report["system"] == {"state": "ready", "shards": 5, "mapVersion": 1, "databases": ["a", "b"]}
    assert [m["appliedNow"] for m in target(report, "a")["migrations"]].count(False) == 0
    assert target(report, "a")["shards"] == {"total": 3, "missing": 0, "outdated": 0, "created": 3,
                                             "updated": 0}
    tables = {"account", "mailbox", "conversation", "message", "outbox", "block", "change_outbox", "group_profile",
              "group_member", "group_view", "membership", "group_invitation", "invitation", "session", "auth_ending"}
    for name, shards in (("a", (0, 2, 4)), ("b", (1, 3))):
        expected = set()
        for shard in shards:
            upper = "MAXVALUE" if shard == 4 else f"'{(shard + 1) << SHARD_BITS}'"
            expected |= {(f"shard_{shard:04d}", table,
                          f"FOR VALUES FROM ('{shard << SHARD_BITS}') TO ({upper})") for table in tables}
        assert set(leaves(system, name)) == expected


def test_sixteen_shards_in_ten_seconds(system):
    report = system.init(shards=16)
    assert sum(item["durationMs"] for item in report["targets"]) < 10_000


def test_init_again_changes_nothing(ready):
    before = ready.sql("a", "SELECT xmin, ctid, * FROM directory.system")
    again = ready.init()
    assert all(not m["appliedNow"] for item in again["targets"] for m in item["migrations"])
    assert target(again, "a")["functions"] == "current"
    assert target(again, "a")["shards"]["created"] == 0
    assert ready.sql("a", "SELECT xmin, ctid, * FROM directory.system") == before


def test_another_number_of_shards_is_refused(ready):
    report = ready.init(shards=8, expected=BLOCKED)
    assert "initialised with 4 shards" in report["message"] and "--shards 4" in report["message"]
    assert ready.scalar("a", "SELECT count(*) FROM directory.shard") == 4


def test_other_databases_are_refused(ready):
    report = ready.ctl("init", "--shards", "4", "--databases", "a", expected=BLOCKED)
    assert "--databases a,b" in report["message"]


def test_all_configured_databases_are_the_default(system):
    assert system.ctl("init", "--shards", "2")["system"]["databases"] == ["a", "b"]


@pytest.mark.parametrize("words, part", [
    (("--databases", "a,c"), "[database c]"),
    (("--databases", "a,a"), "twice"),
    (("--databases", "a,"), "no [database ]"),
    (("--databases", "a,b", "--shards", "1"), "2 databases for 1 shards"),
])
def test_wrong_names(system, words, part):
    report = system.ctl("init", *words, expected=USAGE)
    assert part in report["message"]
    assert system.scalar("a", "SELECT to_regnamespace('directory') IS NULL")


@pytest.mark.parametrize("count", ["0", "8193", "-1", "four", ""])
def test_wrong_number_of_shards(system, count):
    system.text("init", "--shards", count, expected=USAGE)


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_a_pooler_is_refused(system, mode):
    """Also with one server connection, where every statement gets the same process."""
    pooler = system.cluster.pooler(mode, default_pool_size="1")
    system.sections["directory"]["owner_dsn"] = system.dsn("a", "parley_owner", pooler, 6432)
    report = system.init(expected=BLOCKED)
    assert "pooler" in report["message"]
    system.sections["directory"]["owner_dsn"] = system.dsn("a", "parley_owner")
    system.sections["database b"]["owner_dsn"] = system.dsn("b", "parley_owner", pooler, 6432)
    report = system.init(expected=BLOCKED)
    assert "database b" in report["message"] and "pooler" in report["message"]
    assert system.scalar("b", "SELECT to_regnamespace('parley') IS NULL")
    system.sections["database b"]["owner_dsn"] = system.dsn("b", "parley_owner")
    system.init()


def test_a_superuser_is_refused(system):
    system.sections["directory"]["owner_dsn"] = system.dsn("a", "postgres")
    assert "superuser" in system.init(expected=BLOCKED)["message"]


def test_an_owner_without_rights_is_refused(system):
    system.cluster.sql("postgres", f"ALTER DATABASE {system.databases['b']} OWNER TO postgres")
    report = system.init(expected=BLOCKED)
    assert f'ALTER DATABASE "{system.databases["b"]}" OWNER TO parley_owner' in report["message"]
    assert report["system"]["state"] == "initialising"
    system.cluster.sql("postgres", f"ALTER DATABASE {system.databases['b']} OWNER TO parley_owner")
    assert system.init()["system"]["state"] == "ready"


def test_a_missing_role_is_named(system):
    system.cluster.sql("postgres", "ALTER ROLE parley_server RENAME TO parley_elsewhere")
    try:
        assert "CREATE ROLE parley_server" in system.init(expected=BLOCKED)["message"]
    finally:
        system.cluster.sql("postgres", "ALTER ROLE parley_elsewhere RENAME TO parley_server")


def test_two_names_for_one_database_are_refused(system):
    system.sections["database b"]["owner_dsn"] = system.dsn("a", "parley_owner")
    report = system.init(expected=BLOCKED)
    assert 'initialised as "' in report["message"]
    assert report["system"]["state"] == "initialising"


def test_swapped_dsns_are_refused(ready):
    a, b = ready.sections["database a"], ready.sections["database b"]
    a["owner_dsn"], b["owner_dsn"] = b["owner_dsn"], a["owner_dsn"]
    for command in ("init", "migrate up", "migrate status"):
        words = ("--shards", "4") if command == "init" else ()
        ready.ctl(*command.split(), *words, expected=BLOCKED)


def test_a_database_of_another_system_is_refused(ready, cluster, tmp_path_factory):
    from conftest import System
    other = System(cluster, tmp_path_factory.mktemp("other"))
    try:
        other.sections["database b"]["owner_dsn"] = ready.dsn("b", "parley_owner")
        assert "system of 4 shards" in other.init(shards=8, expected=BLOCKED)["message"]
    finally:
        other.close()


def test_unreachable(system):
    system.sections["database b"]["owner_dsn"] = "host=/nonexistent dbname=x user=parley_owner password=secret"
    report = system.init(expected=UNREACHABLE)
    assert target(report, "b")["exit"] == "unreachable" and target(report, "a")["exit"] == "ok"
    assert "secret" not in str(report)
    assert report["system"]["state"] == "initialising"
    for command in ("migrate up", "shard list"):
        message = system.ctl(*command.split(), expected=BLOCKED)["message"]
        assert "init was interrupted" in message and "--shards 4" in message
    system.sections["database b"]["owner_dsn"] = system.dsn("b", "parley_owner")
    system.init()


def test_a_lost_shard_is_not_created_again(ready):
    ready.sql("a", "DROP SCHEMA shard_0002 CASCADE")
    report = ready.init(expected=BLOCKED)
    assert target(report, "a")["shards"]["missing"] == 1
    assert ready.scalar("a", "SELECT to_regnamespace('shard_0002') IS NULL")


def test_an_error_in_the_sql_names_file_and_shard(system):
    system.tree.write("sql/shard/zz_broken.sql", "SELECT nothing FROM {shard}.nowhere;")
    report = system.init(expected=FAILED)
    assert "shard_0000, zz_broken.sql" in report["message"] or "shard_0001, zz_broken.sql" in report["message"]
    os.unlink(os.path.join(system.tree.path, "sql/shard/zz_broken.sql"))
    assert system.init(expected=OK)["system"]["state"] == "ready"
