"""HAProxy in front: its own errors are the API's, what is not for the server stays out, slow clients harm nobody."""

import json
import socket
import ssl
import time

import h2.config
import h2.connection
import httpx
import pytest

from harness import tokens
from harness.client import unique


@pytest.fixture(scope="module", name="edge")
def make_edge(stack):
    with httpx.Client(base_url=stack.edge_url, verify=stack.env["PARLEY_CA"], http2=True, timeout=30) as client:
        yield client


@pytest.fixture(scope="module", name="caller")
def make_caller(stack):
    """A user's id, and the header that speaks for them."""
    user = create_user(stack)
    return user, {"Authorization": f"Bearer {tokens.mint(stack.jwt_key, user)}"}


def create_user(stack):
    admin = tokens.mint(stack.jwt_key, 1, scope="admin")
    response = httpx.post(stack.url + "/v1/users", headers={"Authorization": f"Bearer {admin}"},
                          json={"username": unique("edge")})
    return int(response.json()["userId"])


def is_problem(response, status, code):
    body = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert body["status"] == status and body["code"] == code and body["type"] == f"/docs#problem-{code}"
    assert body["requestId"] == response.headers["x-request-id"]
    return True


def tls_socket(stack, protocols):
    context = ssl.create_default_context(cafile=stack.env["PARLEY_CA"])
    context.set_alpn_protocols(protocols)
    port = int(stack.edge_url.rsplit(":", 1)[1])
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10), server_hostname="localhost")


def read_to_the_end(connection):
    return b"".join(iter(lambda: connection.recv(4096), b""))


def test_both_protocols_reach_the_server(stack, edge):
    assert edge.get("/docs").http_version == "HTTP/2"
    with httpx.Client(base_url=stack.edge_url, verify=stack.env["PARLEY_CA"]) as client:
        assert client.get("/docs").http_version == "HTTP/1.1"


def test_a_body_over_the_servers_cap_and_over_the_edges(stack, edge, caller):
    """The server answers up to twice its cap, where a client of HTTP/2 surely sees the answer."""
    headers = {**caller[1], "Content-Type": "application/json"}
    assert is_problem(edge.post("/v1/messages", content=b" " * 600_000, headers=headers), 413, "body-too-large")
    with tls_socket(stack, ["http/1.1"]) as connection:
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nContent-Length: 1100000\r\n\r\n")
        head, body = read_to_the_end(connection).split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ") and b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "body-too-large"


@pytest.mark.parametrize("request_bytes", [
    b"GARBAGE\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nBad Header: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nLong: " + b"a" * 40_000 + b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
], ids=["garbage", "header-name", "long-header", "two-lengths", "encoding"])
def test_what_cannot_be_parsed_is_closed_without_an_answer(stack, request_bytes):
    with tls_socket(stack, ["http/1.1"]) as connection:
        answer = b""
        try:
            connection.sendall(request_bytes)
            answer = connection.recv(4096)
        except (ConnectionError, ssl.SSLEOFError):
            pass  # closed before all was sent
        assert answer == b""


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
def test_no_upgrade_passes(stack, protocol):
    """The request is answered as if it had not asked."""
    with tls_socket(stack, ["http/1.1"]) as connection:
        connection.sendall(b"GET /docs HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol.encode() +
                           b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_read_stops_nobody_else(stack, edge, caller):
    user, headers = caller
    peer = create_user(stack)
    for number in range(100):
        response = httpx.post(stack.url + "/v1/messages", headers=headers, json={
            "recipientId": str(peer), "clientMessageId": f"m{number}", "messageContent": "a" * 60_000})
        assert response.status_code == 201
    path = f"/v1/conversations/{min(user, peer)}-{max(user, peer)}/messages?pageSize=100"
    stalled = [stall(stack, path, headers) for _ in range(4)]
    try:
        time.sleep(1)
        for _ in range(10):
            begin = time.monotonic()
            assert edge.get(f"/v1/users/{user}", headers=headers).status_code == 200
            assert time.monotonic() - begin < 2
    finally:
        for connection in stalled:
            connection.close()


def stall(stack, path, headers):
    """Asks over HTTP/2 for 6 MB and reads none of it."""
    connection = tls_socket(stack, ["h2"])
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(1, [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", "localhost"),
                            ("authorization", headers["Authorization"])], end_stream=True)
    connection.sendall(client.data_to_send())
    return connection


def test_a_server_that_restarts_is_waited_for(stack, edge):
    stack.kill("parleyd")
    stack.start_service("parleyd")
    assert edge.get("/docs").status_code == 200


def test_no_server(stack, edge):
    stack.stop_service("parleyd")
    try:
        answer = edge.get("/v1/conversations")
        assert is_problem(answer, 503, "overloaded") and answer.headers["retry-after"] == "2"
    finally:
        stack.start_service("parleyd")
