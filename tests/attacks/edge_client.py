"""Raw connections to the edge, from any loopback address, and HTTP/2 frames written by hand."""

import socket
import ssl


def edge_port(stack):
    return int(stack.edge_url.rsplit(":", 1)[1])


def tls_socket(stack, protocols, source=None, timeout=20):
    """source: the client's address. All of 127.0.0.0/8 is this machine, so one machine can be many clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(protocols)
    plain = socket.create_connection(("127.0.0.1", edge_port(stack)), timeout=timeout,
                                     source_address=(source, 0) if source else None)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain)


def request_bytes(method, target, headers=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def read_to_the_end(connection):
    """Until the other side closes or resets."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except (ConnectionError, ssl.SSLError):
        pass
    return data


# HTTP/2 frames: https://www.rfc-editor.org/rfc/rfc9113

DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _string(text):
    data = text.encode()
    if len(data) < 127:
        return bytes((len(data),)) + data
    rest, out = len(data) - 127, bytearray((127,))
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes(out) + bytes((rest,)) + data


def header_block(fields):
    """Literal fields that are not indexed, without Huffman coding: simple to write, and each stands for itself."""
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in fields)


def request_block(method, path, *fields):
    return header_block([(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path), *fields])


def h2_socket(edge, source=None, settings=b""):
    """A connection over which frames are written by hand. It reads nothing by itself."""
    connection = tls_socket(edge, ["h2"], source)
    connection.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))
    return connection


def read_frames(connection):
    """(kind, flags, stream, payload) of each frame, until the other side closes."""
    data = b""
    while True:
        while len(data) >= 9:
            length = int.from_bytes(data[:3], "big")
            if len(data) < 9 + length:
                break
            yield data[3], data[4], int.from_bytes(data[5:9], "big") & 0x7FFFFFFF, data[9:9 + length]
            data = data[9 + length:]
        try:
            piece = connection.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return
        if not piece:
            return
        data += piece
