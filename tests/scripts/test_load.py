"""bench/load/parley-load reports what it has measured: against a server that misbehaves on purpose."""

import collections
import json
import os
import queue
import socketserver
import subprocess
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest

from harness.contract import REPOSITORY

PROGRAM = os.path.join(REPOSITORY, os.environ.get("PARLEY_BUILD_DIR", "build/release"), "bench", "load", "parley-load")
USERS = 40


class Stub:
    """Answers with the result of `answer(number, method, path, body)`: a status and a body, or None to close the
    connection. Keeps the requests. The events of a stream are put into streams[user]."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.users = collections.Counter()
        self.lock = threading.Lock()
        self.streams = {}
        stub = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    first = self.rfile.peek(3)[:3]
                    (serve_h2 if first == b"PRI" else serve_h1)(stub, self)
                except ConnectionError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128
            block_on_close = False

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def take(self, method, path, body):
        with self.lock:
            self.requests.append((method, path, body))
            number = len(self.requests)
        return self.answer(number, method, path, body)

    def close(self):
        for events in self.streams.values():
            events.put(None)
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def serve_h1(stub, handler):
    while line := handler.rfile.readline():
        method, path, _ = line.decode().split()
        headers = {}
        while (line := handler.rfile.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        assert headers["host"] and headers["content-type"] == "application/json"
        user = headers["authorization"].removeprefix("Bearer token-")
        if path == "/v1/updates/stream":
            return serve_stream(stub, handler, user)
        with stub.lock:
            stub.users[user] += 1
        answer = stub.take(method, path, handler.rfile.read(int(headers.get("content-length", 0))))
        if answer is None:
            return None
        status, body = answer
        handler.wfile.write(b"HTTP/1.1 %d Status\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
    return None


def serve_stream(stub, handler, user):
    events = stub.streams.setdefault(user, queue.Queue())
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"event: delta\nid: 1\ndata: {}\n\n"
    while piece is not None:
        # In two chunks, so that lines arrive in pieces.
        for part in (piece[:40], piece[40:]):
            if part:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        piece = events.get()


def serve_h2(stub, handler):
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    requests = {}
    while True:
        handler.wfile.write(connection.data_to_send())
        data = handler.rfile.read1(65536)
        if not data:
            return
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                requests[event.stream_id] = (dict(event.headers), b"")
            elif isinstance(event, h2.events.DataReceived):
                headers, body = requests[event.stream_id]
                requests[event.stream_id] = (headers, body + event.data)
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                headers, body = requests.pop(event.stream_id)
                assert len(body) == int(headers.get("content-length", 0))
                answer = stub.take(headers[":method"], headers[":path"], body)
                if answer is None:
                    connection.reset_stream(event.stream_id)
                    continue
                connection.send_headers(event.stream_id, [(":status", str(answer[0]))])
                connection.send_data(event.stream_id, answer[1], end_stream=True)


@pytest.fixture(name="load")
def make_load(tmp_path):
    """load(answer, option...): runs the program on a stub; returns the stub and what it printed."""
    users = tmp_path / "users"
    users.write_text("".join(f"{10 ** 17 + i} token-{i}\n" for i in range(USERS)), "ascii")
    stubs = []

    def load(answer, *options):
        stub = answer if isinstance(answer, Stub) else Stub(answer)
        stubs.append(stub)
        address = f"http://127.0.0.1:{stub.server.server_address[1]}"
        command = [PROGRAM, "--users", users, "--peers", "3", *options, address]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return stub, [json.loads(line) for line in done.stdout.splitlines()]

    yield load
    for stub in stubs:
        stub.close()


PROTOCOLS = (("h1", "--connections", "4"), ("h2c", "--connections", "2", "--streams", "2"))


def created(*_):
    return 201, b'{"duplicate":false}'


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sends_are_unique_and_counted(load, protocol):
    stub, (result,) = load(created, "--protocol", *protocol, "--seconds", "0.5", "--content-bytes", "23")
    assert result["failed"] == 0 and result["requests"] > 20
    # The last answers of each connection come after the end, and do not count.
    assert result["requests"] <= len(stub.requests) <= result["requests"] + 4
    assert result["rate"] == pytest.approx(result["requests"] / result["seconds"], rel=0.01)
    bodies = [json.loads(body) for method, path, body in stub.requests if (method, path) == ("POST", "/v1/messages")]
    assert len({body["clientMessageId"] for body in bodies}) == len(bodies) == len(stub.requests)
    assert all(body["messageContent"] == "parley160!parley160!par" for body in bodies)
    assert {int(body["recipientId"]) - 10 ** 17 for body in bodies} <= set(range(USERS))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_receipts(load, protocol):
    stub, (result,) = load(lambda *_: (204, b""), "--protocol", *protocol, "--kind", "receipts", "--seconds", "0.3")
    assert result["failed"] == 0 and result["requests"] > 0
    for method, path, body, *_ in stub.requests:
        low, high = path.removeprefix("/v1/conversations/").removesuffix("/receipts").split("-")
        assert method == "POST" and 0 < int(high) - int(low) <= 10
        assert json.loads(body) == {"type": "read", "messageId": str(2**63 - 1)}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_failures_are_counted_by_status(load, protocol):
    def answer(number, *_):
        if number % 10 == 0:
            return None
        return (503, b"no") if number % 10 == 1 else (200, b"" if number % 10 == 2 else b"{}")

    stub, (result,) = load(answer, "--protocol", *protocol, "--kind", "messages", "--validate", "--seconds", "0.5")
    tenth = len(stub.requests) / 10
    failed = result["failed_by_status"]
    assert set(failed) == {"503", "lost", "invalid"}
    assert all(abs(count - tenth) <= 6 for count in failed.values()), (tenth, failed)
    assert result["failed"] == sum(failed.values())
    assert stub.requests[0][1].startswith("/v1/conversations/10000000") and not stub.requests[0][2]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_open_loop_counts_the_time_of_a_standstill(load, protocol):
    """The server stops for half a second of two: a quarter of the requests wait, 250 ms on average. A closed loop would
    have only four slow requests."""
    stands = threading.Lock()
    begin = time.monotonic()

    def answer(number, *_):
        nonlocal begin
        if number == 1:
            begin = time.monotonic()
        with stands:
            if 0.5 < time.monotonic() - begin < 1:
                time.sleep(begin + 1 - time.monotonic())
        return 201, b"{}"

    _, (result,) = load(answer, "--protocol", *protocol, "--rate", "200", "--seconds", "2")
    assert result["requests"] + result["backlog"] == 400 and result["failed"] == 0
    assert 80 <= result["backlog_max"] <= 100
    latency = result["latency_us"]
    assert latency["p50"] < 100_000 and 200_000 < latency["p90"] < latency["max"]
    assert 450_000 < latency["max"] < 700_000


def test_push_counts_lost_and_doubled_messages(load):
    """Of every ten messages the server loses one, sends one twice, and one late."""
    stub = Stub(None)

    def answer(number, _, path, body):
        message = json.loads(body)
        user = str(int(message["recipientId"]) - 10 ** 17)
        event = b'id: 2\ndata: {"messages":[{"clientMessageId":"%s"}]}\n\n' % message["clientMessageId"].encode()
        late = 0.3 if number % 10 == 3 else 0
        for _ in range({1: 0, 2: 2}.get(number % 10, 1)):
            threading.Timer(late, stub.streams[user].put, (event,)).start()
        return 201, b"{}"

    stub.answer = answer
    _, (result,) = load(stub, "--kind", "push", "--receivers", "8", "--rate", "200", "--seconds", "1", "--connections", "4")
    assert (result["requests"], result["failed"], result["receivers"]) == (200, 0, 8)
    assert (result["sent"], result["received"], result["lost"], result["doubled"]) == (200, 180, 20, 20)
    assert result["event_latency_us"]["p50"] < 100_000 and 300_000 <= result["event_latency_us"]["p99"] < 500_000
    receivers = {json.loads(body)["recipientId"] for *_, body in stub.requests}
    assert receivers == {str(10 ** 17 + 5 * i) for i in range(8)}


def test_presence_of_each_user_in_turn(load):
    stub, (result,) = load(lambda *_: (204, b""), "--kind", "presence", "--connections", "4", "--threads", "2",
                           "--rate", "200", "--seconds", "1")
    assert (result["requests"], result["failed"]) == (200, 0)
    assert {request for request in stub.requests} == {("PUT", "/v1/presence", b"")}
    assert set(stub.users.values()) == {200 // USERS} and len(stub.users) == USERS


def test_streams_are_held(load):
    stub, lines = load(created, "--kind", "streams", "--connections", "70", "--threads", "2", "--seconds", "0.3")
    assert [(line["at"], line["open"], line["refused"]) for line in lines] == [("opened", 70, 0), ("end", 70, 0)]
    assert set(stub.streams) == {str(i) for i in range(USERS)} and not stub.requests
