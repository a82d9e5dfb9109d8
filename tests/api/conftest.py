"""One stack per pytest worker, shared by its tests. Users are cheap, so every test has its own.

After each test the server's log must have no unexpected error. At the end of a whole run the tests must have seen every
status in the OpenAPI document.
"""

import os
import tempfile

import pytest

from harness import logs
from harness.client import Api, unique
from harness.contract import Contract
from harness.ids import username_shard
from harness.stack import Stack

HITS = "PARLEY_CONTRACT_HITS"

# Documented statuses that this suite need not see, each with its reason.
EXCEPTIONS = {
    ("*", "500"): "an internal error is a bug; no test knows one to provoke",
}


@pytest.fixture(scope="session")
def contract():
    contract = Contract()
    yield contract
    contract.save_hits(os.environ[HITS])


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    stack = Stack.start(edge=True)
    yield stack
    stack.stop()


@pytest.fixture(autouse=True)
def quiet_log(request):
    """Fails the test if parleyd logged an error that is not announced with @pytest.mark.expects_errors, printed a
    sanitizer's report, or died."""
    if "stack" not in request.fixturenames:
        yield
        return
    stack = request.getfixturevalue("stack")
    pid = stack.parleyd_pid()
    reader = logs.LogReader(stack.parleyd_log)
    reader.skip()
    yield
    marker = request.node.get_closest_marker("expects_errors")
    lines = reader.take()
    found = logs.unexpected(lines, marker.args if marker else ())
    assert not found, "unexpected in the log of parleyd:\n" + "\n".join(found[:40])
    leaked = logs.leaks(lines)
    assert not leaked, "secrets in the log of parleyd:\n" + "\n".join(leaked[:10])
    assert stack.parleyd_pid() == pid, "parleyd died or was restarted during this test"


@pytest.fixture(scope="session")
def api(stack, contract):
    api = Api(stack.url, contract, stack.jwt_key)
    yield api
    api.close()


@pytest.fixture(scope="session")
def api_h2c(stack, contract):
    api = Api(stack.url, contract, stack.jwt_key, http2=True)
    yield api
    api.close()


@pytest.fixture(scope="session")
def api_edge(stack, contract):
    api = Api(stack.edge_url, contract, stack.jwt_key, http2=True)
    yield api
    api.close()


@pytest.fixture
def alice(api):
    return api.make_user(unique("alice"))


@pytest.fixture
def bob(api):
    return api.make_user(unique("bob"))


def user_on(api, stack, shards):
    """A user whose home is one of the given shards."""
    while True:
        name = unique("s")
        if username_shard(name, stack.shards) in shards:
            return api.make_user(name)


@pytest.fixture(params=["same-shard", "same-database", "other-database"])
def pair(request, api, stack):
    """Two users, in each placement in which sends are written in a different way."""
    databases = stack.shards_by_database()
    first, second = (databases[name] for name in sorted(databases)[:2])
    places = {"same-shard": (first[0], first[0]), "same-database": (first[0], first[1]),
              "other-database": (first[0], second[0])}
    one, other = places[request.param]
    return user_on(api, stack, {one}), user_on(api, stack, {other})


def _is_whole_run(config):
    here = os.path.dirname(os.path.abspath(__file__))
    return (not config.option.keyword and not config.option.markexpr
            and not config.option.collectonly
            and any(os.path.abspath(arg) == here for arg in config.args))


def pytest_configure(config):
    config.addinivalue_line("markers", "expects_errors(*events): events that may have level error")
    if HITS not in os.environ:
        config.parley_hits = tempfile.TemporaryDirectory(prefix="parley-contract-")
        os.environ[HITS] = config.parley_hits.name


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    config = session.config
    if not hasattr(config, "parley_hits") or not _is_whole_run(config) or exitstatus not in (0, 1):
        return
    contract = Contract()
    contract.load_hits(os.environ[HITS])
    config.parley_missing = contract.missing(EXCEPTIONS)
    config.parley_seen = len(contract.hits)
    if config.parley_missing:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter, config):
    missing = getattr(config, "parley_missing", None)
    if missing is None:
        return
    terminalreporter.section("contract")
    terminalreporter.line(f"{config.parley_seen} (operation, status) pairs seen")
    for operation, status in missing:
        terminalreporter.line(f"documented, never seen: {operation} {status}", red=True)


def pytest_unconfigure(config):
    if hasattr(config, "parley_hits"):
        config.parley_hits.cleanup()
        os.environ.pop(HITS, None)
