"""No request gets around a limit of the edge by the way in which it is written."""

import asyncio
import json

import pytest

from edge_client import read_to_the_end, request_bytes, tls_socket
from harness.h2conn import H2Connection, StreamReset

# The edge's limit is 1 MiB. 2^32 + 100 and 2^64 - 1 are 100 and -1 for who takes 32 bits of them.
TOO_LARGE = [1048577, 2**31, 2**32 - 1, 2**32, 2**32 + 100, 2**33 + 1, 2**63 - 1, 2**63 + 7, 2**64 - 1]


@pytest.mark.parametrize("length", TOO_LARGE)
def test_a_body_over_the_limit_is_refused_whatever_its_length(stack, length):
    with tls_socket(stack, ["http/1.1"]) as connection:
        connection.sendall(request_bytes("POST", "/v1/messages", [("Content-Length", str(length))]))
        head, _, body = read_to_the_end(connection).partition(b"\r\n\r\n")
    if length < 2**63:
        assert head.startswith(b"HTTP/1.1 413 ") and json.loads(body)["code"] == "body-too-large"
    else:
        # HAProxy itself takes no length that it cannot count.
        assert head == b"" or head.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("length", TOO_LARGE)
def test_a_body_over_the_limit_is_refused_over_http2(stack, length):
    async def main():
        connection = await H2Connection.open(stack.edge_url)
        try:
            stream = connection.start("POST", "/v1/messages", [("content-length", str(length))], end=False)
            return await stream.wait_headers(10)
        except StreamReset:
            return None
        finally:
            await connection.close()

    status = asyncio.run(main())
    assert status == 413 or status is None and length >= 2**63


def test_a_body_below_the_limit_passes(stack):
    """It reaches the server, which answers 401: the request has no token."""
    with tls_socket(stack, ["http/1.1"]) as connection:
        connection.sendall(request_bytes("POST", "/v1/messages", [("Content-Length", "200000"), ("Connection", "close")])
                           + b" " * 200_000)
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 401 ")
