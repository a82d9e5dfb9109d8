"""One stack with an edge per pytest worker, shared by its tests.

After each test the server's log must have no unexpected error, and parleyd and HAProxy must be the same processes as before."""

import pytest

from harness import logs
from harness.client import Api, unique
from harness.contract import Contract
from harness.stack import Stack


@pytest.fixture(scope="session")
def contract():
    return Contract()


@pytest.fixture(scope="session")
def stack():
    started = Stack.start(edge=True)
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def processes_survive(request):
    if "stack" not in request.fixturenames:
        yield
        return
    stack = request.getfixturevalue("stack")
    before = [stack.pid(name) for name in ("parleyd", "haproxy")]
    reader = logs.LogReader(stack.parleyd_log)
    reader.skip()
    yield
    lines = reader.take()
    found = logs.unexpected(lines) + logs.leaks(lines)
    assert not found, "unexpected in the log of parleyd:\n" + "\n".join(found[:40])
    assert before == [stack.pid(name) for name in ("parleyd", "haproxy")], "a process was restarted during this test"
    assert stack.parleyd_pid() is not None, "parleyd died"


@pytest.fixture(scope="session")
def api(stack, contract):
    made = Api(stack.url, contract, stack.jwt_key)
    yield made
    made.close()


@pytest.fixture
def alice(api):
    return api.make_user(unique("alice"))


@pytest.fixture
def bob(api):
    return api.make_user(unique("bob"))
