"""A client that sends and reads while others attack the server: how long each of its requests takes, and how much memory
the server uses meanwhile.

It runs in a process of its own, so that the work of an attack in the test's process does not slow it. Each round sends a
message and reads the newest page of that conversation, which no cache can have. It keeps one HTTP/1.1 connection.

    python3 bystander.py PORT PID SECONDS TOKEN RECIPIENT CONVERSATION      prints {"send": [...], "read": [...], ...}
"""

import contextlib
import dataclasses
import json
import math
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

PAUSE = 0.01
TIMEOUT = 30


@dataclasses.dataclass
class Measured:
    """Times in seconds, the server's resident memory in MiB at the start and at its highest, and what failed."""
    send: list
    read: list
    failures: list
    memory: float
    memory_max: float

    @property
    def send_p99(self):
        return p99(self.send)

    @property
    def read_p99(self):
        return p99(self.read)

    @property
    def growth(self):
        return self.memory_max - self.memory

    def __str__(self):
        return (f"send p99 {self.send_p99 * 1000:.0f} ms (longest {max(self.send) * 1000:.0f}), "
                f"read p99 {self.read_p99 * 1000:.0f} ms (longest {max(self.read) * 1000:.0f}), {len(self.read)} rounds, "
                f"memory {self.memory:.0f} to {self.memory_max:.0f} MiB, {len(self.failures)} failures")


def p99(seconds):
    return sorted(seconds)[math.ceil(len(seconds) * 0.99) - 1]


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as stream:
        return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS:")) / 1024


class Bystander:
    """server: a Parleyd. sender and recipient: Users that nobody attacks."""

    def __init__(self, server, sender, recipient):
        self.server, self.sender, self.recipient = server, sender, recipient
        self.process = None

    def start(self, seconds):
        low, high = sorted((int(self.sender.id), int(self.recipient.id)))
        port = str(urllib.parse.urlsplit(self.server.url).port)
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [sys.executable, "-B", __file__, port, str(self.server.process.pid), str(seconds), self.sender.token,
             self.recipient.id, f"{low}-{high}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def finish(self):
        output, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0
        return Measured(**json.loads(output))

    def measure(self, seconds):
        self.start(seconds)
        return self.finish()


class _Connection:
    def __init__(self, port, token):
        self.head = f"Host: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(self, method, target, body=b""):
        """Returns the status and the seconds until the whole answer was there."""
        start = time.monotonic()
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\n{self.head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, answer = data.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        while len(answer) < int(headers[b"content-length"]):
            answer += self._receive()
        return int(head.split(b" ")[1]), time.monotonic() - start

    def _receive(self):
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data


def _watch_memory(pid, measured, stop):
    while not stop.wait(0.02):
        with contextlib.suppress(OSError):
            measured.memory_max = max(measured.memory_max, resident_mib(pid))


def _round(connection, recipient, conversation, measured):
    body = json.dumps({"recipientId": recipient, "clientMessageId": uuid.uuid4().hex, "messageContent": "still here"}).encode()
    for times, method, target, content, wanted in (
            (measured.send, "POST", "/v1/messages", body, 201),
            (measured.read, "GET", f"/v1/conversations/{conversation}/messages?pageSize=20", b"", 200)):
        status, seconds = connection.exchange(method, target, content)
        times.append(seconds)
        if status != wanted:
            measured.failures.append(f"{method} {target}: {status}")


def main(port, pid, seconds, token, recipient, conversation):
    memory = resident_mib(pid)
    measured = Measured([], [], [], memory, memory)
    stop = threading.Event()
    watcher = threading.Thread(target=_watch_memory, args=(pid, measured, stop))
    watcher.start()
    connection = _Connection(int(port), token)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end and len(measured.failures) < 20:
        try:
            _round(connection, recipient, conversation, measured)
        except OSError as error:
            measured.failures.append(repr(error))
            connection = _Connection(int(port), token)
        time.sleep(PAUSE)
    stop.set()
    watcher.join()
    print(json.dumps(dataclasses.asdict(measured)))


if __name__ == "__main__":
    main(*sys.argv[1:])
