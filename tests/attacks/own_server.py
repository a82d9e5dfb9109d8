"""A parleyd of a test's own with the default configuration, a bystander on it, and what the bystander must be given while
others attack. For the tests that attack parleyd itself, without the edge."""

import pytest

import h2_flood
from harness.bystander import Bystander
from harness.client import Api, unique
from harness.stack import SLOWNESS, Parleyd

GROWTH_MIB = 150
P99 = 0.1
SECONDS = 6


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


def check_served(bystander, record_property, url, tokens, targets, **options):
    """Floods the server, and returns the answers by status. The bystander is served meanwhile, and memory does not grow much."""
    quiet = bystander.measure(2)
    attack = h2_flood.start(url, tokens, targets, seconds=SECONDS, **options)
    attacked = bystander.measure(SECONDS)
    answers = h2_flood.finish(attack)
    record_property("quiet", str(quiet))
    record_property("attacked", str(attacked))
    print(f"quiet: {quiet}\nattacked: {attacked}\nanswers: {answers}")
    assert not attacked.failures, attacked.failures[:3]
    assert attacked.growth < GROWTH_MIB * SLOWNESS, str(attacked)
    assert attacked.send_p99 < P99 * SLOWNESS, str(attacked)
    assert attacked.read_p99 < P99 * SLOWNESS, str(attacked)
    return answers["answers"]
