"""Proves that malformed, smuggling-shaped and unusual HTTP/1.1 is answered or the connection is closed, and that it is
never misread: later requests and the rest of the server are not affected."""

import pytest

from harness.h1conn import Closed, H1Connection


@pytest.fixture
def connection(stack):
    with H1Connection(stack.url) as connection:
        yield connection


def exchange(connection, data):
    """Status of the first response, or None where the server just closed."""
    try:
        connection.send(data)
        return connection.read_head()[0]
    except (Closed, ConnectionError):
        return None


def is_served(stack, contract, user):
    with H1Connection(stack.url) as connection:
        target = f"/v1/users/{user.id}"
        connection.send(connection.encode("GET", target, [("Authorization", f"Bearer {user.token}")]))
        status, headers, body = connection.read_response()
        contract.check("GET", target, status, headers, body)
        return status == 200


MALFORMED = {
    "no method": b"/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "noise": bytes(range(256)) * 4,
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "space in a name": b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n",
    "space before the colon": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\rHost: x\r\r",
    "HTTP/3.7": b"GET / HTTP/3.7\r\nHost: x\r\n\r\n",
    "negative length": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "length of letters": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
    "length over 64 bits": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
    "chunk of letters": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n",
    "huge chunk": b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
    "preface cut short": b"PRI * HTTP/2.0\r\n\r\nSM\r\nxx",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed(stack, contract, connection, alice, data):
    connection.socket.settimeout(3)
    try:
        status = exchange(connection, data)
    except TimeoutError:
        status = None  # The server waits for the rest of a request.
    assert status is None or 400 <= status < 600
    assert is_served(stack, contract, alice)


@pytest.mark.parametrize("target", ["//", "/v1//users", "/v1/users/../../docs/x", "/%2e%2e/etc/passwd",
                                    "/../../etc/passwd", "/v1/users/%00", "/v1/users/%", "/v1/users/%zz", "/v1/users/%2e%2e/x", "*",
                                    "/" + "a" * 20000, "http://other.example/v1/x", "/v1/users/\xff".encode("latin-1")
                                    .decode("latin-1"), "/v1/users/1#x", "/?" + "a=1&" * 3000])
def test_strange_targets(stack, contract, connection, alice, target):
    connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n"
                    .encode("latin-1"))
    try:
        status, headers, body = connection.read_response()
        assert 400 <= status < 500
        assert headers["content-type"] == "application/problem+json", body[:200]
    except Closed:
        pass
    assert is_served(stack, contract, alice)


def test_smuggling_shapes(stack, contract, api, alice, bob):
    """Content-Length and chunked encoding together: the body is never read as a second request."""
    inner = (f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
             "Content-Type: application/json\r\nContent-Length: 3\r\n\r\n{}x").encode()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n".encode()
    shapes = [
        head + f"Content-Length: {len(inner) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode() + inner,
        head + b"Content-Length: 4\r\nContent-Length: 0\r\n\r\nabcd" + inner,
        head + b"Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\nabcd",
        head + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ]
    for shape in shapes:
        with H1Connection(stack.url, timeout=3) as connection:
            statuses = []
            connection.send(shape)
            try:
                while True:
                    status, _, _ = connection.read_response()
                    statuses.append(status)
            except (Closed, TimeoutError, ConnectionError, KeyError, ValueError):
                pass
            assert all(400 <= status < 500 for status in statuses), (shape, statuses)
    assert api.as_user(bob).fetch_conversation().expect(200)["conversations"] == []
    assert is_served(stack, contract, alice)


def test_chunked_body_is_accepted(contract, connection, alice, bob):
    body = f'{{"recipientId":"{bob.id}","clientMessageId":"c","messageContent":"hello"}}'.encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:1], body[1:30], body[30:]))
    connection.send(f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
                    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
                    + chunks + b"0\r\n\r\n")
    status, headers, answer = connection.read_response()
    contract.check("POST", "/v1/messages", status, headers, answer)
    assert status == 201


def test_expect_continue(contract, connection, alice, bob):
    body = f'{{"recipientId":"{bob.id}","clientMessageId":"c","messageContent":"hello"}}'.encode()
    connection.send(f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n"
                    f"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
                    .encode())
    assert connection.read_head()[0] == 100
    connection.send(body)
    status, headers, answer = connection.read_response()
    contract.check("POST", "/v1/messages", status, headers, answer)
    assert status == 201


def test_http10(stack, alice):
    with H1Connection(stack.url) as connection:
        connection.send(f"GET /v1/users/{alice.id} HTTP/1.0\r\nAuthorization: Bearer {alice.token}\r\n\r\n".encode())
        status, _, body = connection.read_response()
        assert status == 200 and alice.id.encode() in body
        assert connection.is_closed_within(5)


def test_connection_stays_open_after_errors(stack, contract, connection, alice):
    """The connection stays open after every kind of error, except errors of framing."""
    token = [("Authorization", f"Bearer {alice.token}")]
    for method, target, headers, body, expected in (
            ("GET", "/nothing", [], None, 404), ("DELETE", "/v1/users", [], None, 405),
            ("GET", "/v1/conversations", [], None, 401), ("GET", "/v1/conversations?x=1", token, None, 400),
            ("GET", "/v1/conversations?pageSize=0", token, None, 422),
            ("POST", "/v1/messages", token, b"{}", 415),
            ("POST", "/v1/messages", token + [("Content-Type", "application/json")], b"{", 400),
            ("POST", "/v1/messages", token + [("Content-Type", "application/json")], b"{}", 422),
            ("GET", f"/v1/users/{alice.id}", token, None, 200)):
        connection.send(connection.encode(method, target, headers, body))
        status, answer_headers, answer = connection.read_response()
        contract.check(method, target, status, answer_headers, answer)
        assert status == expected
