"""HTTP/1.1 over a socket: pipelining, malformed bytes, and readers that stop reading."""

import socket
import time
import urllib.parse


class Closed(Exception):
    pass


class H1Connection:
    def __init__(self, url, timeout=30, receive_buffer=None):
        parts = urllib.parse.urlsplit(url)
        self.host = f"{parts.hostname}:{parts.port}"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect((parts.hostname, parts.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def encode(self, method, target, headers=(), body=None):
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{k}: {v}" for k, v in headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")

    def send(self, data):
        self.socket.sendall(data)

    def _fill(self):
        try:
            data = self.socket.recv(262144)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(f"closed with {len(self._buffer)} bytes unread: {self._buffer[:100]!r}")
        self._buffer += data

    def read_until(self, mark):
        while mark not in self._buffer:
            self._fill()
        head, self._buffer = self._buffer.split(mark, 1)
        return head

    def read_exactly(self, count):
        while len(self._buffer) < count:
            self._fill()
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        return data

    def read_head(self):
        """(status, headers with lower-case names)"""
        lines = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ")[:2]
        assert version.startswith("HTTP/1."), lines[0]
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(status), headers

    def read_chunk(self):
        """One chunk of a chunked body; b"" is the end."""
        size = int(self.read_until(b"\r\n").split(b";")[0], 16)
        data = self.read_exactly(size)
        self.read_exactly(2)
        return data

    def read_response(self):
        status, headers = self.read_head()
        if status in (204, 304):
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                chunk = self.read_chunk()
                if not chunk:
                    return status, headers, body
                body += chunk
        return status, headers, self.read_exactly(int(headers["content-length"]))

    def is_closed_within(self, seconds):
        """Reads and ignores further bytes. True if the server closes the connection in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.socket.settimeout(max(0.05, deadline - time.monotonic()))
            try:
                if not self.socket.recv(65536):
                    return True
            except (TimeoutError, socket.timeout):
                return False
            except OSError:
                return True
        return False
