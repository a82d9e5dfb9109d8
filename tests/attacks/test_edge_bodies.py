"""Bodies that are sent slowly or never end take nothing from other clients, and end.

The edge under test is small: 500 connections, of which 350 may be streams at the server, 125 other requests and 20 with a large
body. An attacker without an account opens few connections with 100 requests on each."""

import contextlib
import socket
import time

import pytest

from edge_bystander import EdgeBystander, check_served
from edge_client import (DATA, END_HEADERS, HEADERS, RST_STREAM, END_STREAM, frame, h2_socket, read_frames, read_to_the_end,
                         request_block, request_bytes, tls_socket)
from edge_process import Edge

from harness.stack import SLOWNESS

SMALL = {"PARLEY_EDGE_MAXCONN": 500, "PARLEY_EDGE_STREAMS": 350, "PARLEY_EDGE_REQUESTS": 125, "PARLEY_EDGE_LARGE_REQUESTS": 20,
         "PARLEY_EDGE_ADDRESS_OPEN_LARGE_REQUESTS": 5}
STREAMS = 100
JSON = ("content-type", "application/json")
# Arrives whole or not within this; conf/haproxy.cfg says 10 s.
BODY_DEADLINE = 10


@pytest.fixture(name="edge")
def make_edge(stack):
    edge = Edge(stack, **SMALL)
    yield edge
    edge.close()


def half_sent(length, part, *fields):
    """The frames of 100 requests that stop in the middle of their body."""
    fields = (JSON, *fields) + ((("content-length", str(length)),) if length else ())
    block = request_block("POST", "/v1/sessions", *fields)
    frames = []
    for number in range(STREAMS):
        stream = 2 * number + 1
        frames.append(frame(HEADERS, END_HEADERS, stream, block))
        for at in range(0, part, 16384):
            frames.append(frame(DATA, 0, stream, b" " * min(16384, part - at)))
    return b"".join(frames)


def open_attack(edge, frames, count, addresses=1):
    connections = []
    for number in range(count):
        connection = h2_socket(edge, source=f"127.0.1.{1 + number % addresses}")
        # The edge may stop reading, or refuse: then the rest of the attack stays in the socket.
        connection.settimeout(0.5)
        with contextlib.suppress(OSError):
            connection.sendall(frames)
        connections.append(connection)
    return connections


ATTACKS = {
    "small": half_sent(1000, 100),
    "small-unknown-length": half_sent(None, 100),
    "no-byte": half_sent(1000, 0),
    "large": half_sent(500_000, 20_000),
    "large-unknown-length": half_sent(None, 20_000),
    # The headers fill most of the buffer, so the body that does not fit is short.
    "large-headers": half_sent(14_000, 13_000, *((f"x-{number}", "y" * 1000) for number in range(8))),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_half_sent_bodies_fill_nothing(stack, edge, alice, bob, attack):
    """1,100 requests on 11 connections, which once filled an edge of 500 connections."""
    bystander = EdgeBystander(edge, alice, bob)
    quiet = bystander.measure(2)
    before, files = edge.resident_mib(), edge.open_files()
    connections = open_attack(edge, ATTACKS[attack], 11)
    try:
        time.sleep(0.5)
        grown, taken = edge.resident_mib() - before, edge.open_files() - files
        attacked = check_served(quiet, lambda: bystander.measure(4), SLOWNESS)
    finally:
        for connection in connections:
            connection.close()
    print(f"{attack}: p99 {quiet.p99 * 1000:.1f} ms -> {attacked.p99 * 1000:.1f} ms, {grown:.1f} MiB, {taken} files")
    # 11 connections, the bystander's, and at most those to the server that 5 large bodies may have.
    assert taken < 40, f"{taken} descriptors"
    assert grown < 80, f"{grown:.0f} MiB"


def test_large_bodies_of_others_pass_meanwhile(stack, edge, alice, bob):
    connections = open_attack(edge, ATTACKS["large"], 3)
    try:
        body = b'{"recipientId":"%s","clientMessageId":"large","messageContent":"%s"}' % (bob.id.encode(), b"a" * 60_000)
        with tls_socket(edge, ["http/1.1"], "127.0.0.9") as connection:
            connection.sendall(request_bytes("POST", "/v1/messages", [
                ("Authorization", f"Bearer {alice.token}"), JSON, ("Content-Length", len(body)), ("Connection", "close")]) + body)
            assert read_to_the_end(connection).startswith(b"HTTP/1.1 201 ")
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_a_trickled_body_ends(stack, edge, protocol):
    """A byte each half second keeps no request open."""
    begin = time.monotonic()
    if protocol == "h2":
        connection = h2_socket(edge)
        connection.sendall(frame(HEADERS, END_HEADERS, 1, request_block("POST", "/v1/sessions", JSON, ("content-length", "1000"))))
    else:
        connection = tls_socket(edge, ["http/1.1"])
        connection.sendall(request_bytes("POST", "/v1/sessions", [JSON, ("Content-Length", "1000")]))
    with connection:
        connection.settimeout(0.5)
        while not has_ended(connection, protocol):
            assert time.monotonic() - begin < BODY_DEADLINE + 5 * SLOWNESS, "the request is still open"
            with contextlib.suppress(OSError):
                connection.sendall(frame(DATA, 0, 1, b" ") if protocol == "h2" else b" ")
    assert time.monotonic() - begin > BODY_DEADLINE - 2, "it ended for another reason"


def has_ended(connection, protocol):
    """Waits for half a second. True after a reset of the stream, an answer, or the end of the connection."""
    try:
        if protocol == "http/1.1":
            connection.recv(4096)
            return True
        for kind, flags, stream, _ in read_frames(connection):
            if stream == 1 and (kind == RST_STREAM or flags & END_STREAM):
                return True
        return True
    except socket.timeout:
        return False


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_a_trickled_large_body_ends_at_the_server(stack, edge):
    """It has a connection to the server, which is closed when no request has become complete on it in 65 s."""
    begin = time.monotonic()
    with tls_socket(edge, ["http/1.1"]) as connection:
        connection.sendall(request_bytes("POST", "/v1/sessions", [JSON, ("Content-Length", "500000")]) + b" " * 20_000)
        connection.settimeout(0.5)
        while not has_ended(connection, "http/1.1"):
            assert time.monotonic() - begin < 65 + 10 * SLOWNESS, "the request is still open"
            with contextlib.suppress(OSError):
                connection.sendall(b" ")
    assert time.monotonic() - begin > 30, "it ended for another reason"


def test_many_connections_from_many_addresses(stack, alice, bob):
    """44,000 half-sent requests on 440 connections: about what filled an edge of the default size, 20,000 connections."""
    edge = Edge(stack)
    try:
        bystander = EdgeBystander(edge, alice, bob)
        quiet = bystander.measure(2)
        before = edge.resident_mib()
        connections = open_attack(edge, ATTACKS["small"], 440, addresses=15)
        try:
            grown, taken = edge.resident_mib() - before, edge.open_files()
            attacked = check_served(quiet, lambda: bystander.measure(4), SLOWNESS)
        finally:
            for connection in connections:
                connection.close()
    finally:
        edge.close()
    print(f"440 connections: p99 {quiet.p99 * 1000:.1f} ms -> {attacked.p99 * 1000:.1f} ms, {grown:.1f} MiB, {taken} files")
    assert taken < 600 and grown < 1500


def test_requests_that_are_open_are_counted_for_each_address(stack, alice):
    """Over the limit the answer is 429; it is no more once the others have ended."""
    edge = Edge(stack, **SMALL, PARLEY_EDGE_ADDRESS_OPEN_REQUESTS=10)
    try:
        connections = open_attack(edge, ATTACKS["small"], 1)
        time.sleep(0.5)
        assert status_of(edge, "127.0.1.1", alice) == 429
        assert status_of(edge, "127.0.1.2", alice) == 200
        connections[0].close()
        deadline = time.monotonic() + 5 * SLOWNESS
        while status_of(edge, "127.0.1.1", alice) != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        edge.close()


def status_of(edge, source, user):
    with tls_socket(edge, ["http/1.1"], source) as connection:
        connection.sendall(request_bytes("GET", "/v1/conversations", [("Authorization", f"Bearer {user.token}"),
                                                                      ("Connection", "close")]))
        return int(read_to_the_end(connection).split(b" ")[1])
