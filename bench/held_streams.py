"""Opens event streams and holds them: directly at parleyd over h2c, or through the edge over TLS."""

import json
import resource
import socket
import ssl
import subprocess
import sys
from urllib.parse import urlsplit

OPEN_LIMIT_S = 60
# Open files that the programs need besides the streams.
SPARE_FILES = 500


def most_connections(files_each=1):
    """Returns how many streams one program can hold."""
    return (resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_FILES) // files_each


class HeldStreams:
    """with HeldStreams(...): ...; parley-load holds them, one for each user of the file."""

    def __init__(self, bench, users_file, connections, streams):
        self.command = [bench.arguments.parley_load, "--kind", "streams", "--protocol", "h2c", "--peers", 1,
                        "--connections", connections, "--streams", streams, "--users", users_file, bench.stack.url]

    def __enter__(self):
        self.process = subprocess.Popen([str(word) for word in self.command], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.count = self._check("opened")
        return self

    def _check(self, when):
        line = self.process.stdout.readline()
        state = json.loads(line) if line else {}
        if not state or state["open"] != state["wanted"]:
            self.process.kill()
            self.process.wait()
            sys.exit(f"bench/run: not all streams were {when}: {state}")
        return state["open"]

    def __exit__(self, *failure):
        self.process.stdin.close()
        if failure[0] is None:
            self._check("there at the end")
        self.process.wait()


class EdgeStreams:
    """Each stream has a TLS connection of its own over HTTP/1.1, like a browser or an application."""

    def __init__(self, stack):
        address = urlsplit(stack.env["PARLEY_HTTPS_URL"])
        self.host, self.port = address.hostname, address.port
        self.context = ssl.create_default_context(cafile=stack.env["PARLEY_CA"])
        self.connections = []

    def __enter__(self):
        return self

    def open(self, tokens):
        for token in tokens:
            connection = self.context.wrap_socket(
                socket.create_connection(("127.0.0.1", self.port), OPEN_LIMIT_S), server_hostname=self.host)
            self.connections.append(connection)
            connection.sendall(f"GET /v1/updates/stream HTTP/1.1\r\nHost: {self.host}\r\n"
                               f"Authorization: Bearer {token}\r\n\r\n".encode())
            answer = connection.recv(4096)
            if b" 200 " not in answer.split(b"\r\n")[0]:
                sys.exit(f"bench/run: the edge did not open a stream: {answer[:300]!r}")
        return len(tokens)

    def __exit__(self, *_):
        for connection in self.connections:
            connection.close()
