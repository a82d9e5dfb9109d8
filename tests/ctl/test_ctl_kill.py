"""kill -9 between any two steps, then the same command again: it finishes, and the result equals that of an undisturbed
run.

A proxy between parleyctl and PostgreSQL counts the requests. At the n-th it kills parleyctl, either after PostgreSQL has
answered (the step is done, and parleyctl does not learn it) or as soon as the request is sent (PostgreSQL continues
without parleyctl). n increases until a run is not killed, so every step is covered.
"""

import os
import socket
import struct
import threading
import time

import pytest

from conftest import OK

TABLES = """
CREATE TABLE parley.thing (user_id bigint PRIMARY KEY, text text) PARTITION BY RANGE (user_id);
"""
CREATE_SHARD = """
CREATE SCHEMA {shard};
GRANT USAGE ON SCHEMA {shard} TO parley_server;
CREATE TABLE {shard}.thing PARTITION OF parley.thing FOR VALUES FROM ({lower}) TO ({upper});
"""
FUNCTION = """
CREATE OR REPLACE FUNCTION %s.count_things() RETURNS bigint LANGUAGE sql SECURITY DEFINER
    SET search_path = pg_catalog AS 'SELECT count(*) FROM parley.thing';
GRANT EXECUTE ON FUNCTION %s.count_things() TO parley_server;
"""


def hang_up(connection):
    """close() alone would wait for the other thread's recv()."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()


class KillingProxy:
    """One listening socket per use; `victim` is killed at request number `at`."""

    def __init__(self, directory, upstream, at, is_answer_awaited):
        self.upstream, self.at, self.is_answer_awaited = upstream, at, is_answer_awaited
        self.victim, self.count, self.fired = None, 0, False
        self.lock = threading.Lock()
        self.path = os.path.join(directory, ".s.PGSQL.5432")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o777)
        self.listener.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.upstream)
            state = {"doomed": False}
            threading.Thread(target=self.forward_requests, args=(client, server, state), daemon=True).start()
            threading.Thread(target=self.forward_answers, args=(client, server, state), daemon=True).start()

    def kill(self):
        self.fired = True
        self.victim.kill()

    def forward_requests(self, client, server, state):
        startup, data = True, b""
        try:
            while chunk := client.recv(65536):
                data += chunk
                while len(data) >= 5:
                    length = struct.unpack_from("!I", data, 0 if startup else 1)[0] + (not startup)
                    if len(data) < length:
                        break
                    message, data = data[:length], data[length:]
                    is_request = not startup and message[:1] in b"QS"
                    startup = False
                    with self.lock:
                        self.count += is_request
                        is_hit = is_request and self.count == self.at
                    state["doomed"] |= is_hit
                    server.sendall(message)
                    if is_hit and not self.is_answer_awaited:
                        self.kill()
        except OSError:
            pass
        hang_up(server)

    def forward_answers(self, client, server, state):
        try:
            while chunk := server.recv(65536):
                if state["doomed"]:
                    # An answer ends with ReadyForQuery: Z, a length of 5, the transaction's status.
                    if self.is_answer_awaited and chunk[-6:-1] == b"Z\0\0\0\x05":
                        self.kill()
                    continue
                client.sendall(chunk)
        except OSError:
            pass
        hang_up(client)

    def close(self):
        self.listener.close()
        os.unlink(self.path)


@pytest.fixture
def small(system):
    """A small set of SQL files, because there are hundreds of runs."""
    for folder in ("migrations/database", "sql", "sql/shard"):
        path = os.path.join(system.tree.path, folder)
        for name in os.listdir(path):
            if name.endswith(".sql"):
                os.unlink(os.path.join(path, name))
    system.tree.write("migrations/database/0001_tables.sql", TABLES)
    system.tree.write("sql/count_things.sql", FUNCTION % ("parley", "parley"))
    system.tree.write("sql/shard/create_shard.sql", CREATE_SHARD)
    system.tree.write("sql/shard/count_things.sql", FUNCTION % ("{shard}", "{shard}"))
    return system


def through(system, directory):
    """The owner's DSNs, through a directory where the proxy listens."""
    for name in ("a", "b"):
        system.sections[f"database {name}"]["owner_dsn"] = system.dsn(name, "parley_owner", directory)
    system.sections["directory"]["owner_dsn"] = system.dsn("a", "parley_owner", directory)


def snapshot(system):
    """Everything that parleyctl creates, without times and transaction ids."""
    found = []
    for name in ("a", "b"):
        found += system.sql(name, """
            SELECT c.relnamespace::regnamespace::text, c.relname, c.relkind::text,
                coalesce(pg_get_expr(c.relpartbound, c.oid), ''), coalesce(c.relacl::text, '')
            FROM pg_class c WHERE c.relnamespace::regnamespace::text ~ '^(parley|directory|shard_.*)$'
            UNION ALL SELECT p.pronamespace::regnamespace::text, p.proname, 'f', p.prosrc, p.proacl::text
            FROM pg_proc p WHERE p.pronamespace::regnamespace::text ~ '^(parley|directory|shard_.*)$'
            UNION ALL SELECT 'ledger', number::text, name, checksum, '' FROM parley.migration
            UNION ALL SELECT 'functions', schema_name, checksum, '', '' FROM parley.function_set
            UNION ALL SELECT 'identity', database_name, shards::text, '', '' FROM parley.identity
            ORDER BY 1, 2, 3, 4""")
    return found + system.sql("a", """
        SELECT 'system', shards::text FROM directory.system
        UNION ALL SELECT database_name, shard::text FROM directory.shard ORDER BY 1, 2""")


def run_killed(system, directory, at, is_answer_awaited, words):
    """True if the run was killed, False if it finished."""
    proxy = KillingProxy(directory, f"{system.cluster.directory}/.s.PGSQL.5432", at, is_answer_awaited)
    try:
        through(system, directory)
        with proxy.lock:
            proxy.victim = process = system.start(*words)
        process.communicate(timeout=100)
        assert process.returncode == (-9 if proxy.fired else 0)
        return proxy.fired
    finally:
        proxy.close()
        through(system, system.cluster.directory)


INIT = ("init", "--shards", "4", "--databases", "a,b", "--wait", "20")
UP = ("migrate", "up", "--wait", "20")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_answer_awaited", [True, False], ids=["answered", "on-its-way"])
def test_init_killed_at_every_step(small, tmp_path_factory, is_answer_awaited):
    directory = str(tmp_path_factory.mktemp("p"))
    small.ctl(*INIT)
    expected = snapshot(small)
    at, is_killed = 0, True
    while is_killed:
        at += 1 if is_answer_awaited else 3
        small.empty()
        is_killed = run_killed(small, directory, at, is_answer_awaited, INIT)
        small.ctl(*INIT)
        assert snapshot(small) == expected, f"after a kill at request {at}"
    assert at > 60


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_migrate_up_killed_at_every_step(small, tmp_path_factory):
    directory = str(tmp_path_factory.mktemp("p"))
    small.ctl(*INIT)
    at, is_killed = 0, True
    while is_killed:
        at += 1
        number = len(os.listdir(os.path.join(small.tree.path, "migrations/database"))) + 1
        small.tree.next_migration(f"ALTER TABLE parley.thing ADD COLUMN c{number} integer;")
        small.tree.write("sql/shard/count_things.sql", FUNCTION % ("{shard}", "{shard}") + f"-- {number}\n")
        is_killed = run_killed(small, directory, at, True, UP)
        report = small.ctl(*UP)
        assert report["exitCode"] == OK
        small.ctl("migrate", "status")
        for name in ("a", "b"):
            assert small.scalar(name, "SELECT count(*) FROM parley.migration") == number
            assert small.scalar(name, "SELECT count(DISTINCT checksum) FROM parley.function_set"
                                      " WHERE schema_name <> 'parley'") == 1
    assert at > 30


def test_postgresql_dies_within_init(small):
    """The database server is killed, not the tool: exit code 6, and the next run finishes."""
    small.tree.write("migrations/database/0001_tables.sql", TABLES + "SELECT pg_sleep(60);")
    process = small.start(*INIT)
    deadline = time.monotonic() + 50
    while small.scalar("a", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") < 2:
        assert time.monotonic() < deadline, "the migrations of both databases do not run"
        time.sleep(0.02)
    small.sql("a", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
    report = small.finish(process, 6)
    assert report["system"]["state"] == "initialising"
    small.tree.write("migrations/database/0001_tables.sql", TABLES)
    assert small.ctl(*INIT)["system"]["state"] == "ready"
