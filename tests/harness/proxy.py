"""A TCP proxy between parleyd and a database or pooler. Tests switch its faults on and off.

Modes: `pass` forwards; `refuse` closes open and new connections; `stall` forwards nothing and closes nothing (like a
machine that has vanished); `mute` forwards only to the database, so commits happen but their results never return: the
server does not know the outcome.
"""

import selectors
import socket
import threading

MODES = ("pass", "refuse", "stall", "mute")


class Proxy:
    def __init__(self, host, port):
        self.upstream = (host, port)
        self.mode = "pass"
        self._pairs = {}
        self._lock = threading.Lock()
        self._stopping = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._wake_r, self._wake_w = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, "accept")
        self._selector.register(self._wake_r, selectors.EVENT_READ, "wake")
        self._thread = threading.Thread(target=self._run, daemon=True, name="proxy")
        self._thread.start()

    def set(self, mode):
        assert mode in MODES
        with self._lock:
            self.mode = mode
            self._wake_w.send(b"x")

    def cut(self):
        """Closes every open connection; the mode stays."""
        with self._lock:
            self._wake_w.send(b"c")

    def close(self):
        self._stopping = True
        self._wake_w.send(b"x")
        self._thread.join(10)
        self._listener.close()
        self._wake_r.close()
        self._wake_w.close()
        self._selector.close()

    def _run(self):
        while not self._stopping:
            for key, _ in self._selector.select(1):
                if key.data == "accept":
                    self._accept()
                elif key.data == "wake":
                    if b"c" in self._wake_r.recv(4096) or self.mode == "refuse":
                        self._drop_all()
                    self._watch()
                else:
                    self._forward(key.fileobj)
        self._drop_all()

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        if self.mode == "refuse":
            client.close()
            return
        try:
            server = socket.create_connection(self.upstream, timeout=5)
        except OSError:
            client.close()
            return
        for one, other, side in ((client, server, "client"), (server, client, "server")):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs[one] = (other, side)
            if self._is_read(side):
                self._selector.register(one, selectors.EVENT_READ, side)

    def _is_read(self, side):
        return self.mode == "pass" or (self.mode == "mute" and side == "client")

    def _watch(self):
        for one, (_, side) in list(self._pairs.items()):
            registered = one in self._selector.get_map()
            if self._is_read(side) and not registered:
                self._selector.register(one, selectors.EVENT_READ, side)
            elif registered and not self._is_read(side):
                self._selector.unregister(one)

    def _forward(self, source):
        if source not in self._pairs:
            return
        target = self._pairs[source][0]
        try:
            data = source.recv(65536)
            if data:
                target.sendall(data)
                return
        except OSError:
            pass
        self._drop(source)

    def _drop(self, one):
        other = self._pairs.pop(one, (None, None))[0]
        if other is None:
            return
        self._pairs.pop(other, None)
        for end in (one, other):
            if end in self._selector.get_map():
                self._selector.unregister(end)
            end.close()

    def _drop_all(self):
        for one in list(self._pairs):
            self._drop(one)
