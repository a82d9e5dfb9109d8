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
