"""HAProxy survives floods of HTTP/2 frames, of headers, and clients that send or read slowly, and other clients are served
meanwhile.

Each flood goes on for a few seconds over one or more connections, and opens a new connection when the edge closes one."""

import contextlib
import ssl
import time

import pytest

from edge_bystander import EdgeBystander, check_served
from edge_client import (ACK, CONTINUATION, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
                         h2_socket, header_block, read_to_the_end, request_block, request_bytes, tls_socket)
from edge_process import Edge

from harness.stack import SLOWNESS

SECONDS = 4
ATTACKER = "127.0.2.1"
# One attacker's flood keeps one connection of HAProxy and a few requests busy.
GROWTH_MIB = 60
NO_WINDOW = b"\x00\x04" + (0).to_bytes(4, "big")


@pytest.fixture(scope="module", name="edge")
def make_edge(stack):
    edge = Edge(stack)
    yield edge
    edge.close()


@pytest.fixture(name="bystander")
def make_bystander(edge, alice, bob):
    return EdgeBystander(edge, alice, bob)


def server_mib(stack):
    with open(f"/proc/{stack.pid('parleyd')}/status", encoding="ascii") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS:")) / 1024


def attack_beside(stack, edge, bystander, name, attack):
    """attack(until) attacks until that time; afterwards the attack's connections may still be open."""
    quiet = bystander.measure(2)
    before = edge.resident_mib(), server_mib(stack)

    def measure():
        bystander.start(SECONDS)
        try:
            attack(time.monotonic() + SECONDS)
        finally:
            measured = bystander.finish()
        return measured

    attacked = check_served(quiet, measure, SLOWNESS)
    grown = edge.resident_mib() - before[0], server_mib(stack) - before[1]
    print(f"{name}: p99 {quiet.p99 * 1000:.1f} ms -> {attacked.p99 * 1000:.1f} ms of {len(attacked.seconds)}, "
          f"edge {grown[0]:.1f} MiB, server {grown[1]:.1f} MiB")
    assert grown[0] < GROWTH_MIB and grown[1] < GROWTH_MIB * SLOWNESS, grown


def flood(edge, until, make_frames):
    """Sends what make_frames(first odd stream id) returns, again and again; returns how many frames and connections it took."""
    sent = connections = 0
    while time.monotonic() < until:
        try:
            with h2_socket(edge, ATTACKER) as connection:
                connections += 1
                connection.settimeout(1)
                stream = 1
                while time.monotonic() < until and stream < 2**31 - 1000:
                    frames, count, stream = make_frames(stream)
                    connection.sendall(frames)
                    sent += count
        except (OSError, ssl.SSLError):
            time.sleep(0.01)
    return sent, connections


REQUEST = request_block("GET", "/v1/capabilities")


def rapid_reset(stream):
    """CVE-2023-44487: requests that are cancelled at once."""
    frames = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, number, REQUEST) + frame(RST_STREAM, 0, number, (8).to_bytes(4, "big"))
                      for number in range(stream, stream + 200, 2))
    return frames, 200, stream + 200


def made_you_reset(stream):
    """CVE-2025-8671: requests that a wrong frame makes the other side cancel: a window update of nothing."""
    frames = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, number, REQUEST) + frame(WINDOW_UPDATE, 0, number, (0).to_bytes(4, "big"))
                      for number in range(stream, stream + 200, 2))
    return frames, 200, stream + 200


def continuation(stream):
    """CVE-2024-27316: headers without an end."""
    return (frame(HEADERS, 0, stream, b"\x82") + frame(CONTINUATION, 0, stream, b"\x00\x01a\x01b" * 3000) * 50), 51, stream + 2


def empty_continuation(stream):
    return frame(HEADERS, 0, stream, b"\x82") + frame(CONTINUATION, 0, stream) * 1000, 1001, stream + 2


def ping(stream):
    return frame(PING, 0, 0, b"12345678") * 1000, 1000, stream


def settings(stream):
    return frame(SETTINGS, 0, 0, b"\x00\x03\x00\x00\x00\x64") * 1000, 1000, stream


def settings_ack(stream):
    return frame(SETTINGS, ACK, 0) * 1000, 1000, stream


def window(stream):
    return frame(WINDOW_UPDATE, 0, 0, (1).to_bytes(4, "big")) * 1000, 1000, stream


def priority(stream):
    return frame(2, 0, stream, (0).to_bytes(4, "big") + b"\x10") * 1000, 1000, stream


def empty_data(stream):
    """CVE-2019-9518: frames without content on an open request."""
    return (frame(HEADERS, END_HEADERS, stream, request_block("POST", "/v1/sessions")) + frame(0, 0, stream) * 1000), 1001, stream + 2


def header_bomb(stream):
    """One long field in the table, and many references to it: 4 MB of headers in 5 KB."""
    block = header_block([(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/docs")])
    block += b"\x40" + b"\x01x" + b"\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 1000
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, block), 1, stream + 2


FLOODS = [rapid_reset, made_you_reset, continuation, empty_continuation, ping, settings, settings_ack, window, priority, empty_data,
          header_bomb]


@pytest.mark.parametrize("make_frames", FLOODS, ids=[function.__name__ for function in FLOODS])
def test_a_flood_of_frames(stack, edge, bystander, make_frames):
    taken = []
    attack_beside(stack, edge, bystander, make_frames.__name__, lambda until: taken.append(flood(edge, until, make_frames)))
    print(f"    frames, connections: {taken}")
    assert taken[0][0] > 100


def test_a_header_bomb_is_refused(edge):
    """Nothing of it reaches the server: the edge ends the connection or the request."""
    with h2_socket(edge, ATTACKER) as connection:
        connection.sendall(header_bomb(1)[0])
        connection.settimeout(5)
        assert b"openapi" not in read_to_the_end(connection)


def test_slow_headers(stack, edge, bystander):
    """500 connections that send a header a byte at a time are closed after 10 s."""
    connections = []

    def attack(until):
        for number in range(500 - len(connections)):
            connection = tls_socket(edge, ["http/1.1"], f"127.0.2.{1 + number % 5}")
            connection.sendall(b"GET /docs HTTP/1.1\r\nHost: a\r\nX: ")
            connections.append(connection)
        while time.monotonic() < until:
            for connection in connections:
                with contextlib.suppress(OSError):  # closed: it was open for 10 s
                    connection.sendall(b"x")
            time.sleep(0.5)

    attack_beside(stack, edge, bystander, "slow headers", attack)
    begin = time.monotonic()
    for connection in connections:
        with connection:
            connection.settimeout(max(0.1, begin + 15 * SLOWNESS - time.monotonic()))
            assert read_to_the_end(connection) == b""


def test_header_lines_without_end(stack, edge, bystander):
    """The connection is closed without an answer."""
    answers = []

    def attack(until):
        while time.monotonic() < until:
            with tls_socket(edge, ["http/1.1"], ATTACKER) as connection:
                with contextlib.suppress(OSError):
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
                    for _ in range(1000):
                        connection.sendall(b"x-a: " + b"y" * 1000 + b"\r\n")
                answers.append(read_to_the_end(connection))

    attack_beside(stack, edge, bystander, "header lines", attack)
    assert answers and not any(answers)


# As the defaults, for an edge of 500 connections.
SMALL = {"PARLEY_EDGE_MAXCONN": 500, "PARLEY_EDGE_STREAMS": 350, "PARLEY_EDGE_REQUESTS": 125, "PARLEY_EDGE_LARGE_REQUESTS": 20,
         "PARLEY_EDGE_ADDRESS_STREAMS": 50, "PARLEY_EDGE_ADDRESS_OPEN_REQUESTS": 25,
         "PARLEY_EDGE_ADDRESS_OPEN_LARGE_REQUESTS": 5}


@pytest.mark.parametrize("path", ["/openapi.json", "/%6Fpenapi.json", "/v1/capabilities", "/v1/conversations", "/v1/updates/stream", "/nowhere"])
def test_slow_readers(stack, alice, bob, path):
    """1,100 requests whose answers nobody reads, from one address without an account: it gets its share and no more."""
    edge = Edge(stack, **SMALL)
    connections, taken = [], []
    block = request_block("GET", path)
    frames = b"".join(frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, block) for number in range(100))

    def attack(until):
        while len(connections) < 11:
            connections.append(h2_socket(edge, ATTACKER, NO_WINDOW))
            connections[-1].sendall(frames)
        time.sleep(1)
        taken.append(edge.open_files() - files)
        time.sleep(max(0, until - time.monotonic()))

    try:
        files = edge.open_files()
        attack_beside(stack, edge, EdgeBystander(edge, alice, bob), f"slow readers {path}", attack)
        print(f"    {taken} files")
        assert taken[0] < 11 + 50 + 20
    finally:
        for connection in connections:
            connection.close()
        edge.close()


def test_readers_that_stop_over_http1(stack, edge, bystander):
    """Pages that are asked for one behind the other and never read."""
    connections = []

    def attack(until):
        while len(connections) < 50:
            connection = tls_socket(edge, ["http/1.1"], ATTACKER)
            connection.settimeout(0.2)
            with contextlib.suppress(OSError):
                connection.sendall(request_bytes("GET", "/openapi.json") * 20)
            connections.append(connection)
        time.sleep(max(0, until - time.monotonic()))

    attack_beside(stack, edge, bystander, "http1 readers", attack)
    for connection in connections:
        connection.close()
