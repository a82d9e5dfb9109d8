"""Asks for many things at once over HTTP/2 connections, for a while, in a process of its own.

Each connection keeps as many streams open as the server allows, up to 100: for an answer that is there it asks again.
The windows of the connections are as large as they can be. With `reads` false it takes no byte of the answers.

    python3 h2_flood.py      reads the arguments of `start` as JSON, prints {"answers": {status: count}, "bytes": n}
"""

import collections
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW_MAX = 2**31 - 1
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_STREAM, ACK = 1, 1
# A refusal costs little: an attacker who asks again at once would only measure how many requests there can be.
REFUSED_PAUSE = 0.2


def frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class Flood(threading.Thread):
    """One connection."""

    def __init__(self, url, token, targets, streams, end, reads):
        super().__init__()
        self.targets, self.streams, self.end, self.reads = itertools.cycle(targets), streams, end, reads
        self.token, self.answers, self.bytes = token, collections.Counter(), 0
        self.encoder, self.decoder, self.next_stream = hpack.Encoder(), hpack.Decoder(), 1
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=30)
        self.socket.sendall(PREFACE + frame(SETTINGS, 0, 0, b"\x00\x04" + WINDOW_MAX.to_bytes(4, "big"))
                            + frame(WINDOW_UPDATE, 0, 0, (WINDOW_MAX - 65535).to_bytes(4, "big")))

    def ask(self, count):
        data = b""
        for _ in range(count):
            block = self.encoder.encode([(":method", "GET"), (":scheme", "http"), (":authority", "localhost"),
                                         (":path", next(self.targets)), ("authorization", f"Bearer {self.token}")])
            data += frame(HEADERS, 5, self.next_stream, block)
            self.next_stream += 2
        self.socket.sendall(data)

    def run(self):
        try:
            self.ask(self.streams)
            if self.reads:
                self.read()
            else:
                time.sleep(max(0, self.end - time.monotonic()))
        except OSError:
            self.answers["lost"] += 1
        finally:
            self.socket.close()

    def read(self):
        buffer = bytearray()
        while time.monotonic() < self.end:
            self.socket.settimeout(max(0.01, self.end - time.monotonic()))
            try:
                piece = self.socket.recv(1 << 20)
            except TimeoutError:
                return
            if not piece:
                self.answers["closed"] += 1
                return
            self.bytes += len(piece)
            buffer += piece
            ended, refused = self.take_frames(buffer)
            if refused:
                time.sleep(REFUSED_PAUSE)
            if ended:
                self.ask(ended)

    def take_frames(self, buffer):
        """Takes the whole frames out of the buffer: how many streams have ended, and whether one was refused."""
        at, ended, refused = 0, 0, False
        while len(buffer) - at >= 9:
            length = int.from_bytes(buffer[at:at + 3], "big")
            if len(buffer) - at < 9 + length:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            if kind == HEADERS:
                fields = dict(self.decoder.decode(bytes(buffer[at + 9:at + 9 + length])))
                self.answers[fields[":status"]] += 1
                refused = refused or fields[":status"] in ("422", "429", "503")
            elif kind in (SETTINGS, PING) and not flags & ACK:
                self.socket.sendall(frame(kind, ACK, 0, b"" if kind == SETTINGS else bytes(buffer[at + 9:at + 9 + length])))
            elif kind == GOAWAY:
                raise OSError("GOAWAY")
            ended += kind in (DATA, HEADERS) and flags & END_STREAM
            at += 9 + length
        del buffer[:at]
        return ended, refused


def start(url, tokens, targets, connections=1, streams=100, seconds=8, reads=True):
    """Starts the process. Connection number i has token number i; the tokens are used in turn."""
    order = {"url": url, "tokens": tokens, "targets": targets, "connections": connections, "streams": streams,
             "seconds": seconds, "reads": reads}
    process = subprocess.Popen([sys.executable, "-B", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    json.dump(order, process.stdin)
    process.stdin.close()
    process.stdin = None
    return process


def finish(process):
    """The answers by status, and their bytes."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return json.loads(output)


def main(order):
    end = time.monotonic() + order["seconds"]
    floods = [Flood(order["url"], order["tokens"][i % len(order["tokens"])], order["targets"], order["streams"], end,
                    order["reads"]) for i in range(order["connections"])]
    for one in floods:
        one.start()
    for one in floods:
        one.join()
    answers = sum((one.answers for one in floods), collections.Counter())
    print(json.dumps({"answers": answers, "bytes": sum(one.bytes for one in floods)}))


if __name__ == "__main__":
    main(json.load(sys.stdin))
