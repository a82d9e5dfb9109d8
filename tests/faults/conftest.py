"""A stack without a parleyd for each pytest worker. The tests start and kill their own servers, and kill PostgreSQL and
PgBouncer while these run. Each test leaves the stack healthy."""

import pytest

from harness.client import Api, unique
from harness.contract import Contract
from harness.ids import username_shard
from harness.stack import Parleyd, Stack
from steps import PLACES

@pytest.fixture(scope="session")
def contract():
    return Contract()


@pytest.fixture(scope="session")
def stack():
    stack = Stack.start(edge=False, parleyd=False)
    yield stack
    stack.stop()


@pytest.fixture(autouse=True)
def healed(request):
    yield
    if "stack" in request.fixturenames:
        stack = request.getfixturevalue("stack")
        stack.start_service("postgresql")
        stack.start_service("pgbouncer")


@pytest.fixture
def server(stack):
    """A parleyd behind proxies; its log is checked when the test ends."""
    server = Parleyd(stack, {"push": {"heartbeat": 1}}, proxied=True).start()
    yield server
    server.set_proxies("pass")
    server.close_and_judge()


@pytest.fixture
def api(server, stack, contract):
    api = Api(server.url, contract, stack.jwt_key)
    yield api
    api.close()


def users_at(api, stack, place):
    """Two users, in one shard, in two shards of one database or in two databases."""
    databases = stack.shards_by_database()
    first, second = (databases[name] for name in sorted(databases)[:2])
    shards = {"same-shard": (first[0], first[0]), "same-database": (first[0], first[1]),
              "other-database": (first[0], second[0])}[place]
    users = []
    for shard in shards:
        name = unique("f")
        while username_shard(name, stack.shards) != shard:
            name = unique("f")
        users.append(api.make_user(name))
    return users


@pytest.fixture(params=PLACES)
def pair(request, api, stack):
    return users_at(api, stack, request.param)


@pytest.fixture
def far_pair(request, api, stack):
    """Two users in two databases. The directory is in the first one's database, or with "swapped" in the other's."""
    pair = users_at(api, stack, "other-database")
    return pair[::-1] if getattr(request, "param", None) == "swapped" else pair
