"""Every answer carries the headers that a browser needs, whoever makes it: parleyd, its HTTP library, or the edge."""

import contextlib
import pathlib
import re
import socket
import threading

import httpx
import pytest

from edge_client import read_to_the_end, request_bytes, tls_socket
from edge_process import Edge

from harness.client import unique
from harness.contract import REPOSITORY


@pytest.fixture(name="edge")
def make_edge(stack):
    with client_of(stack) as client:
        yield client


def client_of(edge, **options):
    return httpx.Client(base_url=edge.edge_url, verify=False, timeout=30, **options)


def check(headers, status, tls=True):
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    if tls:
        assert int(re.fullmatch(r"max-age=(\d+)", headers["strict-transport-security"])[1]) >= 365 * 24 * 3600
    if status >= 400:
        assert "no-store" in headers["cache-control"], headers


def bearer(user):
    return {"Authorization": f"Bearer {user.token}"}


@pytest.mark.parametrize("http2", [True, False], ids=["h2", "http1"])
def test_answers_of_the_server(stack, alice, http2):
    account = {"username": unique("headers"), "password": "correct horse"}
    with client_of(stack, http2=http2) as edge:
        for method, path, options, status in (
            ("GET", "/docs", {}, 200),
            ("GET", "/openapi.json", {}, 200),
            ("GET", "/", {}, 307),
            ("GET", "/v1/capabilities", {}, 200),
            ("POST", "/v1/users", {"json": account}, 201),
            ("GET", "/v1/conversations", {"headers": bearer(alice)}, 200),
            ("GET", "/v1/conversations", {"headers": {**bearer(alice), "If-None-Match": "*"}}, 304),
            ("GET", "/v1/conversations/", {"headers": bearer(alice)}, 308),
            ("GET", "/v1/users/me/export", {"headers": bearer(alice)}, 200),
            ("GET", "/v1/conversations", {}, 401),
            ("GET", "/nowhere", {}, 404),
            ("DELETE", "/docs", {}, 405),
            ("POST", "/v1/messages", {"headers": bearer(alice), "content": b" " * 600_000}, 413),
            ("POST", "/v1/messages", {"headers": bearer(alice), "content": b"x"}, 415),
            ("POST", "/v1/messages", {"headers": bearer(alice), "json": {}}, 422),
            ("POST", "/v1/sessions", {"json": account}, 201),  # last: from here on there is a cookie
        ):
            answer = edge.request(method, path, **options)
            assert answer.status_code == status, (method, path, answer.text)
            check(answer.headers, status)


def test_a_stream(edge, alice):
    with edge.stream("GET", "/v1/updates/stream", headers=bearer(alice)) as answer:
        assert answer.status_code == 200
        check(answer.headers, 200)


def test_an_error_of_the_http_library(stack):
    """A broken chunk: libh2o's own answer, which parleyd replaces. The edge does not let it through."""
    port = int(stack.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")
        head = read_to_the_end(connection).split(b"\r\n\r\n")[0].decode().lower()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    assert head.startswith("http/1.1 400 ")
    check(headers, 400, tls=False)


def test_subdomains_can_be_included(stack):
    edge = Edge(stack, PARLEY_EDGE_HSTS="max-age=63072000; includeSubDomains")
    try:
        with client_of(edge) as client:
            assert client.get("/docs").headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
    finally:
        edge.close()


def test_refusals_of_the_edge(stack):
    edge = Edge(stack, PARLEY_EDGE_ADDRESS_REQUESTS_10S=2)
    try:
        with client_of(edge) as client:
            answers = [client.get("/docs") for _ in range(4)]
        assert [answer.status_code for answer in answers][-1] == 429
        for answer in answers:
            check(answer.headers, answer.status_code)
    finally:
        edge.close()
    with tls_socket(stack, ["http/1.1"]) as connection:
        connection.sendall(request_bytes("POST", "/v1/messages", [("Content-Length", "9000000")]))
        head = read_to_the_end(connection).split(b"\r\n\r\n")[0].decode().lower()
    assert head.startswith("http/1.1 413 ")
    check(dict(line.split(": ", 1) for line in head.split("\r\n")[1:]), 413)


class HangsUp:
    """A server that takes connections and closes them at once."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        return self

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                self.listener.accept()[0].close()

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(10)


def test_errors_of_the_edge_about_its_server(stack, alice):
    """A server that hangs up, and none; for a page and for a stream, whose error looks like a stream."""
    with HangsUp() as server:
        edge = Edge(stack, server_port=server.port)
        try:
            check_errors(edge, alice, {502, 503})
        finally:
            edge.close()
    edge = Edge(stack, server_port=server.port)
    try:
        check_errors(edge, alice, {503})
    finally:
        edge.close()


def check_errors(edge, alice, statuses):
    with client_of(edge) as client:
        answer = client.get("/v1/conversations", headers=bearer(alice))
        assert answer.status_code in statuses
        check(answer.headers, answer.status_code)
        answer = client.get("/v1/updates/stream", headers=bearer(alice))
        assert answer.status_code == 200 and "no-store" in answer.headers["cache-control"]
        check(answer.headers, 200)


def test_no_answer_of_the_configuration_may_be_kept():
    """500 and 504 too, which no test provokes."""
    text = pathlib.Path(REPOSITORY, "conf", "haproxy.cfg").read_text(encoding="utf-8")
    answers = re.findall(r"^ *(?:http-error|http-\w+ return) .*$", text, re.M)
    assert len(answers) >= 10
    for line in answers:
        assert re.search(r'hdr Cache-Control "?no-store', line), line
