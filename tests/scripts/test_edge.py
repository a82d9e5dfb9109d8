"""HAProxy in front: its own errors have the API's form, bad requests do not reach the server, slow clients harm no other
client, pages are compressed, and an EventSource reconnects."""

import contextlib
import gzip
import json
import re
import select
import socket
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.events
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
    """A user's id, and the header that authenticates them."""
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
    """The server answers bodies up to twice its limit, so that a client of HTTP/2 certainly sees the answer."""
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
def test_a_request_that_cannot_be_parsed_is_closed_without_an_answer(stack, request_bytes):
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
    """The request is answered as if it did not ask for an upgrade."""
    with tls_socket(stack, ["http/1.1"]) as connection:
        connection.sendall(b"GET /docs HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol.encode() +
                           b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_a_client_that_does_not_read_stops_no_other(stack, edge, caller):
    user, headers = caller
    peer = create_user(stack)
    for number in range(100):
        response = httpx.post(stack.url + "/v1/messages", headers=headers, json={
            "recipientId": str(peer), "clientMessageId": f"m{number}", "messageContent": "a" * 60_000})
        assert response.status_code == 201
    path = f"/v1/conversations/{min(user, peer)}-{max(user, peer)}/messages?pageSize=100"
    stalled = [stall(stack, path, headers) for _ in range(4)]
    try:
        # Each answer's head has arrived, and the rest of the page does not fit into the sockets' buffers. An answer that
        # waits for it would come after stream_stall (30 s) at the earliest.
        for connection in stalled:
            assert select.select([connection], [], [], 30)[0]
        begin = time.monotonic()
        for _ in range(10):
            assert edge.get(f"/v1/users/{user}", headers=headers).status_code == 200
        assert time.monotonic() - begin < 20
    finally:
        for connection in stalled:
            connection.close()


def stall(stack, path, headers):
    """Requests 6 MB over HTTP/2 and reads nothing of it."""
    connection = tls_socket(stack, ["h2"])
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    client.send_headers(1, [(":method", "GET"), (":path", path), (":scheme", "https"), (":authority", "localhost"),
                            ("authorization", headers["Authorization"])], end_stream=True)
    connection.sendall(client.data_to_send())
    return connection


def raw_get(edge, path, headers=(), accept="gzip"):
    """The answer, and its body as it was sent."""
    with edge.stream("GET", path, headers={**dict(headers), "Accept-Encoding": accept}) as response:
        return response, b"".join(response.iter_raw())


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
def test_pages_are_compressed_for_those_who_accept_it(edge, path):
    plain, body = raw_get(edge, path, accept="identity")
    assert "content-encoding" not in plain.headers
    packed, packed_body = raw_get(edge, path)
    assert packed.headers["content-encoding"] == "gzip" and "accept-encoding" in packed.headers["vary"].lower()
    assert gzip.decompress(packed_body) == body and len(packed_body) < len(body) / 2


def test_a_page_of_a_user_is_compressed_and_revalidated(stack, edge, caller):
    """The edge makes the ETag weak, and the server accepts it in both forms."""
    user, headers = caller
    peer = create_user(stack)
    for number in range(4):
        assert httpx.post(stack.url + "/v1/messages", headers=headers, json={
            "recipientId": str(peer), "clientMessageId": unique("m"), "messageContent": f"{number}" * 400}).status_code == 201
    path = f"/v1/conversations/{min(user, peer)}-{max(user, peer)}/messages"
    response, body = raw_get(edge, path, headers)
    assert response.status_code == 200 and response.headers["content-encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(body))["messages"]) == 4
    vary = response.headers["vary"].lower()
    assert all(name in vary for name in ("accept-encoding", "authorization", "cookie"))
    etag = response.headers["etag"]
    assert etag.startswith('W/"')
    for known in (etag, etag[2:], f'"1", {etag}'):
        assert edge.get(path, headers={**headers, "If-None-Match": known}).status_code == 304
    assert edge.get(path, headers={**headers, "If-None-Match": 'W/"1"'}).status_code == 200


def test_small_answers_and_tokens_are_not_compressed(stack, edge, caller):
    user, headers = caller
    response, _ = raw_get(edge, f"/v1/users/{user}", headers)
    assert "content-encoding" not in response.headers and "no-transform" in response.headers["cache-control"]
    account = {"username": unique("edge"), "password": "correct horse"}
    assert httpx.post(stack.url + "/v1/users", json=account).status_code == 201
    response = edge.post("/v1/sessions", json=account, headers={"Accept-Encoding": "gzip"})
    assert response.status_code == 201 and "content-encoding" not in response.headers
    assert response.headers["cache-control"] == "no-store, no-transform"


def test_streams_are_not_compressed(edge, caller):
    headers = {**caller[1], "Accept-Encoding": "gzip"}
    with edge.stream("GET", "/v1/updates/stream?lastUpdatedTimestamp=0", headers=headers) as response:
        assert response.status_code == 200 and "content-encoding" not in response.headers
        assert b"event: delta" in first_bytes_with(response, b"event: delta")


def first_bytes_with(response, part):
    data = b""
    for chunk in response.iter_raw():
        data += chunk
        if part in data:
            return data
    return data


def test_the_root_leads_to_the_docs(edge):
    answer = edge.get("/")
    assert answer.status_code == 307 and answer.headers["location"] == "/docs"
    assert edge.get("/", follow_redirects=True).text.lower().startswith("<!doctype html>")


def test_a_trailing_slash_is_redirected(stack, edge, caller):
    headers = caller[1]
    assert edge.get("/docs/", follow_redirects=True).status_code == 200
    answer = edge.get("/v1/conversations/?pageSize=5", headers=headers)
    assert answer.status_code == 308 and answer.headers["location"] == "/v1/conversations?pageSize=5"
    assert edge.get("/v1/conversations/?pageSize=5", headers=headers, follow_redirects=True).status_code == 200
    message = {"recipientId": str(create_user(stack)), "clientMessageId": unique("m"), "messageContent": "hi"}
    assert edge.post("/v1/messages/", headers=headers, json=message, follow_redirects=True).status_code == 201


def assert_comes_again(response):
    """Checks that the answer is an empty stream that only says when to reconnect; returns the milliseconds."""
    assert response.status_code == 200 and response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-store, no-transform"
    assert response.headers["x-request-id"].startswith("edge-")
    retry = re.fullmatch(r"retry: (\d+)\n\n", response.text)
    assert retry and 1000 <= int(retry[1]) <= 4000, response.text
    return int(retry[1])


@pytest.mark.parametrize("http2", [True, False], ids=["h2", "http1"])
def test_a_stream_reconnects_while_there_is_no_server(stack, caller, http2):
    """At different times; and it resumes from its cursor when a server is there. Only streams are answered in this way."""
    user, headers = caller
    peer = create_user(stack)
    stack.stop_service("parleyd")
    try:
        with httpx.Client(base_url=stack.edge_url, verify=stack.env["PARLEY_CA"], http2=http2, timeout=30) as client:
            retries = {assert_comes_again(client.get("/v1/updates/stream", headers=headers)) for _ in range(4)}
            assert len(retries) > 1
            assert is_problem(client.get("/v1/updates", headers=headers), 503, "overloaded")
            assert is_problem(client.post("/v1/updates/stream", headers=headers), 503, "overloaded")
    finally:
        stack.start_service("parleyd")
    peer_headers = {"Authorization": f"Bearer {tokens.mint(stack.jwt_key, peer)}"}
    cursor = httpx.get(stack.url + "/v1/updates", params={"timeout": 0}, headers=headers).json()["lastUpdatedTimestamp"]
    assert httpx.post(stack.url + "/v1/messages", headers=peer_headers, json={
        "recipientId": str(user), "clientMessageId": unique("m"), "messageContent": "while you were away"}).status_code == 201
    with httpx.Client(base_url=stack.edge_url, verify=stack.env["PARLEY_CA"], http2=http2, timeout=30) as client:
        with client.stream("GET", "/v1/updates/stream", headers={**headers, "Last-Event-ID": str(cursor)}) as response:
            assert b"while you were away" in first_bytes_with(response, b"while you were away")


class Stub:
    """Accepts HTTP/2 connections in the server's place: answers each request with a status, or closes the connection if
    status is None."""

    def __init__(self, port, status):
        self.status = status
        self.listener = socket.create_server(("127.0.0.1", port), reuse_port=True)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):  # HAProxy may reset it at the end
            self.answer(connection)

    def answer(self, connection):
        server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        server.initiate_connection()
        connection.sendall(server.data_to_send())
        while data := connection.recv(65536):
            for event in server.receive_data(data):
                if not isinstance(event, h2.events.RequestReceived):
                    continue
                if self.status is None:
                    return
                server.send_headers(event.stream_id, [(":status", self.status), ("retry-after", "1"), ("content-length", "0")],
                                    end_stream=True)
            connection.sendall(server.data_to_send())

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(30)


@pytest.mark.parametrize("status, seen", [("503", None), (None, None), ("429", 429), ("401", 401)],
                         ids=["503", "hangs-up", "429", "401"])
def test_answers_after_which_a_stream_reconnects(stack, caller, status, seen):
    """After a 503 and after a lost server, but not after an answer that will be the same the next time. Over HTTP/2 a
    lost server is a reset, after which an EventSource reconnects by itself; so that case is for HTTP/1.1."""
    stack.stop_service("parleyd")
    stub = Stub(int(stack.url.rsplit(":", 1)[1]), status)
    try:
        responses = []
        for path in ("/v1/updates/stream", "/v1/conversations"):
            with httpx.Client(base_url=stack.edge_url, verify=stack.env["PARLEY_CA"], http2=status is not None,
                              timeout=30) as client:
                responses.append(client.get(path, headers=caller[1]))
        if seen is None:
            assert_comes_again(responses[0])
        else:
            assert responses[0].status_code == seen
        assert responses[1].status_code == int(status or 502)
    finally:
        stub.close()
        stack.start_service("parleyd")


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
