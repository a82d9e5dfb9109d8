"""Proves promise 9 against clients that ask for the largest pages there can be, many at once: the server's memory stays
bounded, and others are served at once. Both are measured; README.md has the numbers."""

import pytest

from harness.client import conversation_id
from own_server import bystander, check_served, mine, server  # pylint: disable=unused-import

# As long as a message may be, and JSON has six bytes for each of its characters.
LARGEST = "\x01" * 65535
READS = pytest.mark.parametrize("reads", [True, False], ids=["read", "not-read"])


@pytest.fixture
def conversation(mine, bob):
    """Of 100 of the largest messages."""
    for _ in range(100):
        mine.send(bob, LARGEST).expect(201)
    return f"/v1/conversations/{conversation_id(mine.user.id, bob.id)}/messages"


@READS
def test_equal_pages(server, mine, bystander, conversation, reads):
    """100 streams of one connection ask for one page."""
    answers = check_served(bystander, server.url, [mine.user.token], [f"{conversation}?pageSize=100"],
                           reads=reads)
    assert not reads or answers["200"] > 0


@READS
def test_different_pages(server, mine, bystander, conversation, reads):
    """100 streams of one connection ask for 70 different pages."""
    answers = check_served(bystander, server.url, [mine.user.token],
                           [f"{conversation}?pageSize={size}" for size in range(31, 101)], reads=reads)
    assert not reads or answers["200"] > 0
