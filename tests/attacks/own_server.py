"""A parleyd of a test's own with the default configuration, a bystander on it, and what the bystander must be given while
others attack. For the tests that attack parleyd itself, without the edge."""

import pytest

import h2_flood
from harness.bystander import Bystander
from harness.client import Api, unique
from harness.stack import SLOWNESS, Parleyd

GROWTH_MIB = 150
P99 = 0.1
# On a machine that has other things to do, the limit is so many times the value without an attack, if that is more.
QUIET_FACTOR = 3
SECONDS = 6
ATTEMPTS = 3


@pytest.fixture
def server(stack):
    own = Parleyd(stack).start()
    yield own
    own.close_and_judge()


@pytest.fixture
def mine(server, stack, contract, alice):
    """alice on it."""
    api = Api(server.url, contract, stack.jwt_key)
    yield api.as_user(alice)
    api.close()


@pytest.fixture
def bystander(server, mine):
    one, other = (mine.make_user(unique("by")) for _ in range(2))
    return Bystander(server, one, other)


def attack_once(bystander, url, tokens, targets, limit, options):
    """The answers by status, what the bystander measured, and whether it was served in time."""
    quiet = bystander.measure(2)
    attack = h2_flood.start(url, tokens, targets, seconds=SECONDS, **options)
    attacked = bystander.measure(SECONDS)
    answers = h2_flood.finish(attack)
    print(f"quiet: {quiet}\nattacked: {attacked}\nanswers: {answers}")
    in_time = (attacked.send_p99 < max(limit * SLOWNESS, QUIET_FACTOR * quiet.send_p99)
               and attacked.read_p99 < max(limit * SLOWNESS, QUIET_FACTOR * quiet.read_p99))
    return answers["answers"], attacked, in_time


def check_served(bystander, url, tokens, targets, growth=GROWTH_MIB, limit=P99, **options):
    """Floods the server, and returns the answers by status. The bystander is served meanwhile, and memory grows by less than
    `growth` MiB. `limit`: of the p99 of the bystander, in seconds. Other work on the machine can hold the bystander up, but
    not each time."""
    for _ in range(ATTEMPTS):
        answers, attacked, in_time = attack_once(bystander, url, tokens, targets, limit, options)
        assert not attacked.failures, attacked.failures[:3]
        assert attacked.growth < growth * SLOWNESS, str(attacked)
        if in_time:
            return answers
    raise AssertionError(f"never in time; at last {attacked}")
