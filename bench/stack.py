"""A private stack of scripts/stack, and queries to its PostgreSQL."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parent.parent
BASELINE = "parley_bench"
CACHE_BYTES = 256 << 20
# All load comes from one address, so the edge's limits for one address are raised.
EDGE_LIMITS = {
    "PARLEY_EDGE_ADDRESS_CONNECTIONS": "1000000",
    "PARLEY_EDGE_ADDRESS_CONNECTIONS_10S": "1000000",
    "PARLEY_EDGE_ADDRESS_REQUESTS_10S": "100000000",
    "PARLEY_EDGE_ADDRESS_OPEN_REQUESTS": "1000000",
    "PARLEY_EDGE_ADDRESS_STREAMS": "1000000",
    "PARLEY_EDGE_STREAMS": "1000000",
}

RELATION_BYTES = "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c WHERE c.relkind = 'r' AND {}"
LEAVES = "c.relnamespace::regnamespace::text LIKE 'shard\\_%'"


class Stack:
    """A stack in its directory; it runs until remove()."""

    def __init__(self, directory, parleyd, shards=16, databases=2, edge=False, settings=()):
        self.directory, self.shards = directory, shards
        self.options = ["--parleyd", parleyd, "--shards", str(shards), "--databases", str(databases)] + ([] if edge else ["--no-edge"])
        try:
            self._start(settings)
            self._size_memory()
            self._start(settings)
        except BaseException:
            # scripts/stack saves its state at the end of a successful start, and stops only what it has a state of.
            self._command("start", *self.options, "--no-init", "--no-parleyd", "--no-edge")
            self.remove()
            raise

    def _start(self, settings):
        # The cache of each worker must hold all pages of the measurements with the cache.
        # All clients have one address.
        chosen = [f"cache.size={CACHE_BYTES}", "push.max_waiters_per_address=50000", "push.max_watched_per_address=500000",
                  *settings]
        self._command("start", *self.options, *(word for setting in chosen for word in ("--set", setting)))
        self.env = {}
        for line in Path(self.directory, "stack.env").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            self.env[name] = shlex.split(value)[0]

    def _size_memory(self):
        """Sets shared_buffers to a quarter of the memory; conf/postgresql.conf says to set the sizes after the memory."""
        pages = os.sysconf("SC_PHYS_PAGES") // 4
        self.connect("postgres").cursor().execute(
            f"ALTER SYSTEM SET shared_buffers = '{pages * os.sysconf('SC_PAGE_SIZE') >> 20}MB'")
        self._command("stop", "postgresql")

    def _command(self, *words):
        done = subprocess.run(
            [ROOT / "scripts/stack", words[0], "--dir", self.directory, *words[1:]],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env={**os.environ, **EDGE_LIMITS},
        )
        if done.returncode != 0:
            sys.exit(f"bench/run: scripts/stack {words[0]} failed:\n{done.stdout}")

    def restart_parleyd(self, *settings):
        """Restarts parleyd with empty caches and with these settings."""
        self._command("stop", "parleyd")
        self._start(settings)

    def remove(self):
        self._command("remove")

    def pid(self, service):
        return int(self.env[f"{service.upper()}_PID"])

    def pids(self):
        return {"parleyd": self.pid("parleyd"), "PgBouncer": self.pid("pgbouncer"), "PostgreSQL": self.pid("postgresql")}

    @property
    def url(self):
        return self.env["PARLEY_URL"]

    @property
    def databases(self):
        return self.env["PARLEY_DATABASES"].split()

    def superuser(self, database):
        return re.sub(r"dbname=\S+", f"dbname={database}", self.env["PARLEY_SUPERUSER_DSN"])

    def connect(self, database):
        connection = psycopg2.connect(self.superuser(database))
        connection.autocommit = True
        return connection

    def ask_row(self, database, query, *parameters):
        """Returns the first row."""
        connection = self.connect(database)
        try:
            cursor = connection.cursor()
            cursor.execute(query, parameters or None)
            return cursor.fetchone()
        finally:
            connection.close()

    def ask(self, database, query, *parameters):
        """Returns the first column of the first row."""
        return self.ask_row(database, query, *parameters)[0]

    def wal_position(self):
        """Returns the WAL position: bytes since the cluster was made."""
        return int(self.ask("postgres", "SELECT pg_current_wal_insert_lsn() - '0/0'"))

    def written(self):
        """Returns what PostgreSQL has written and committed so far, including its background work."""
        commits, rows = self.ask_row(
            "postgres", "SELECT sum(xact_commit), sum(tup_inserted + tup_updated + tup_deleted) FROM pg_stat_database"
            " WHERE datname = ANY(%s)", self.databases)
        return {"wal_bytes": self.wal_position(), "commits": int(commits), "rows_written": int(rows)}

    def shard_bytes(self):
        """Returns the size of all tables and indexes of all shards."""
        return sum(int(self.ask(name, RELATION_BYTES.format(LEAVES))) for name in self.databases)

    def message_rows(self):
        return sum(self.ask(name, "SELECT count(*) FROM parley.message") for name in self.databases)

    def message_leaves(self):
        """Returns (database, table) of each shard's message table."""
        leaves = []
        for name in self.databases:
            connection = self.connect(name)
            cursor = connection.cursor()
            cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits"
                           " WHERE inhparent = 'parley.message'::regclass ORDER BY 1")
            leaves += [(name, leaf) for (leaf,) in cursor.fetchall()]
            connection.close()
        return leaves
