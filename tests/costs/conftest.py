"""A stack whose PostgreSQL counts statements, and one parleyd whose allocations are counted. Almost nothing runs in the
background: there is one worker, no autovacuum, and the relay sweeps once a minute."""

import collections
import os
import struct
import subprocess
import time
import unittest.mock

import pytest

from harness import metrics
from harness.client import Api, unique
from harness.contract import Contract
from harness.ids import username_shard
from harness.stack import BUILD_DIR, SLOWNESS, Parleyd, Stack, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = ["same-shard", "same-database", "other-database"]
SETTINGS = {"server": {"workers": 1}, "push": {"heartbeat": 60}, "relay": {"interval": 60}}


@pytest.fixture(scope="session")
def stack():
    if any(word in BUILD_DIR for word in ("asan", "tsan")):
        pytest.skip("a sanitizer has an allocator of its own")
    stack = Stack.start(edge=False, parleyd=False)
    with stack.session(stack.databases[0]) as cursor:
        cursor.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        cursor.execute("ALTER SYSTEM SET autovacuum = off")
    stack.command("restart", "postgresql")
    stack.query(stack.databases[0], "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_walinspect")
    yield stack
    stack.stop()


class CountedParleyd(Parleyd):
    """A parleyd with allocations.c preloaded, which counts its allocations."""

    def __init__(self, stack):
        super().__init__(stack, SETTINGS)
        self.library = os.path.join(self.directory, "allocations.so")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", self.library,
                        os.path.join(HERE, "allocations.c")], check=True)
        self.counter = os.path.join(self.directory, "allocations")
        with open(self.counter, "wb") as stream:
            stream.write(bytes(8))

    def spawn(self):
        with unittest.mock.patch.dict(os.environ, LD_PRELOAD=self.library, PARLEY_ALLOCATIONS=self.counter):
            return super().spawn()

    def allocations(self):
        with open(self.counter, "rb") as stream:
            return struct.unpack("Q", stream.read(8))[0]


@pytest.fixture(scope="session")
def server(stack):
    server = CountedParleyd(stack).start()
    yield server
    server.close_and_judge()


@pytest.fixture(scope="session")
def api(server, stack):
    api = Api(server.url, Contract(), stack.jwt_key)
    yield api
    api.close()


def user_on(api, stack, shard):
    name = unique("c")
    while username_shard(name, stack.shards) != shard:
        name = unique("c")
    return api.make_user(name)


@pytest.fixture(params=PLACES)
def pair(request, api, stack):
    """Two users who have sent messages in both directions, so that caches and lanes are warm."""
    databases = stack.shards_by_database()
    first, second = (databases[name] for name in sorted(databases)[:2])
    places = dict(zip(PLACES, [(first[0], first[0]), (first[0], first[1]), (first[0], second[0])]))
    one, two = (user_on(api, stack, shard) for shard in places[request.param])
    for sender, recipient in ((one, two), (two, one)) * 2:
        api.as_user(sender).send(recipient, "hello").expect(201)
        api.as_user(sender).fetch_conversation().expect(200)
    return one, two


class Work:
    """The work of the databases during a `with` block: `statements` by function, `transactions` that wrote, `batches` and
    `operations` as parleyd counts them, and `seconds`."""

    def __init__(self, stack, server):
        self.stack, self.server = stack, server

    def __enter__(self):
        self.wait()
        self.before = self.statements_now(), self.batches_now()
        self.start, = self.query("SELECT pg_current_wal_insert_lsn()")[0]
        self.begin = time.monotonic()
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            return
        self.wait()
        self.seconds = time.monotonic() - self.begin
        self.statements = self.statements_now() - self.before[0]
        self.batches, self.operations = (now - then for now, then in zip(self.batches_now(), self.before[1]))
        self.query("SELECT pg_logical_emit_message(true, '', '')")  # after this commit, all WAL before it can be read
        commits, = self.query("SELECT count(*) FROM pg_get_wal_records_info_till_end_of_wal(%s)"
                              " WHERE resource_manager = 'Transaction' AND record_type = 'COMMIT'", (self.start,))[0]
        self.transactions = commits - 1

    def query(self, statement, parameters=()):
        return self.stack.query(self.stack.databases[0], statement, parameters)

    def wait(self):
        """Waits until the outboxes and the lanes are empty."""
        wait_until(lambda: not any(self.stack.query(name, "SELECT 1 FROM parley.outbox LIMIT 1")
                                   for name in self.stack.databases), 10 * SLOWNESS, "the outboxes are empty")
        metrics.wait_for(self.server.admin_url, "parley_lane_operations", lambda value: value == 0)

    def statements_now(self):
        return collections.Counter(dict(self.query(
            "SELECT coalesce(substring(query FROM '(?:parley|shard_[0-9]+)[.](\\w+)[(]'), query), sum(calls)::bigint"
            " FROM pg_stat_statements WHERE userid = 'parley_server'::regrole GROUP BY 1")))

    def batches_now(self):
        samples = metrics.scrape(self.server.admin_url)
        return tuple(int(metrics.total(samples, f"parley_batch_operations_{part}")) for part in ("count", "sum"))


@pytest.fixture
def work(stack, server):
    return Work(stack, server)
