"""An asyncio HTTP/2 client (prior knowledge, or TLS with ALPN). Tests can open many streams at once in a known order,
keep streams open, reset them, and withhold window updates."""

import asyncio
import ssl
import urllib.parse

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings


class StreamReset(Exception):
    def __init__(self, code):
        super().__init__(f"stream reset, error code {code}")
        self.code = code


class ConnectionEnded(Exception):
    pass


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body


class Connection(h2.connection.H2Connection):
    """python-h2 takes GOAWAY as the end of the connection. But a server that drains sends it first and finishes its
    streams afterwards."""

    def _receive_goaway_frame(self, frame):
        event = h2.events.ConnectionTerminated()
        event.error_code, event.last_stream_id = frame.error_code, frame.last_stream_id
        return [], [event]


class Stream:
    """Its chunks arrive in a queue: bytes; None at the end; an exception for a reset or a lost connection."""

    def __init__(self, connection, stream_id):
        self.connection, self.id = connection, stream_id
        self.status, self.headers = None, {}
        self.ended = False
        self._chunks = asyncio.Queue()
        self._headers_arrived = asyncio.Event()

    def put(self, item):
        if self.ended:
            return
        if not isinstance(item, bytes):
            self.ended = True
            self._headers_arrived.set()
        self._chunks.put_nowait(item)

    def on_headers(self, headers):
        self.headers = {k: v for k, v in headers if not k.startswith(":")}
        self.status = int(dict(headers)[":status"])
        self._headers_arrived.set()

    async def wait_headers(self, timeout=30):
        await asyncio.wait_for(self._headers_arrived.wait(), timeout)
        if self.status is None:
            await self.read(timeout)
            raise ConnectionEnded("no response")
        return self.status

    async def read(self, timeout=30):
        """The next chunk; b"" at the end of the response."""
        item = await asyncio.wait_for(self._chunks.get(), timeout)
        if isinstance(item, Exception):
            raise item
        return b"" if item is None else item

    async def response(self, timeout=30):
        async def collect():
            body = b""
            while True:
                chunk = await self.read(timeout)
                if not chunk:
                    return Response(self.status, self.headers, body)
                body += chunk

        return await asyncio.wait_for(collect(), timeout)

    def reset(self, code=8):
        self.connection.reset(self.id, code)


class H2Connection:
    """`windows=False` sends no window updates, like a client that has stopped reading."""

    def __init__(self, reader, writer, authority, scheme, windows=True, initial_window=None):
        self._reader, self._writer = reader, writer
        self.authority, self.scheme = authority, scheme
        self._windows = windows
        self.streams = {}
        self.closed = False
        self.goaway = None
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8",
                                           validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2 = Connection(config)
        if initial_window is not None:
            self.h2.local_settings = h2.settings.Settings(
                client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: initial_window})
        self.h2.initiate_connection()
        if windows:
            self.h2.increment_flow_control_window(1 << 28)
        self._window_opened = asyncio.Event()
        self._settings_arrived = asyncio.Event()
        self.flush()
        self._task = asyncio.ensure_future(self._receive())

    @classmethod
    async def open(cls, url, **options):
        parts = urllib.parse.urlsplit(url)
        context = None
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context)
        if context is not None:
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        connection = cls(reader, writer, f"{parts.hostname}:{parts.port}", parts.scheme, **options)
        await asyncio.wait_for(connection._settings_arrived.wait(), 30)
        connection._refuse_if_closed()
        return connection

    def _refuse_if_closed(self):
        """A stream that is opened after the end of the connection would wait for ever."""
        if self.closed:
            raise ConnectionEnded(f"connection ended, GOAWAY {self.goaway}")

    def flush(self):
        data = self.h2.data_to_send()
        if data and not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self):
        await self._writer.drain()

    @property
    def max_streams(self):
        return self.h2.remote_settings.max_concurrent_streams

    def start(self, method, path, headers=(), body=None, end=True, flush=True):
        """Sends a request whose body fits the windows, and returns its Stream. Requests are sent in the order of the
        calls."""
        self._refuse_if_closed()
        stream_id = self.h2.get_next_available_stream_id()
        stream = Stream(self, stream_id)
        self.streams[stream_id] = stream
        fields = [(":method", method), (":scheme", self.scheme), (":authority", self.authority),
                  (":path", path)]
        fields += [(k.lower(), v) for k, v in headers]
        if body is not None:
            fields.append(("content-length", str(len(body))))
        self.h2.send_headers(stream_id, fields, end_stream=end and body is None)
        if body is not None:
            frame = self.h2.max_outbound_frame_size
            for at in range(0, len(body), frame):
                self.h2.send_data(stream_id, body[at:at + frame])
            if end:
                self.h2.end_stream(stream_id)
        if flush:
            self.flush()
        return stream

    async def send_slowly(self, stream, data, end=True):
        """Sends a body that may be larger than the windows, as they open."""
        view = memoryview(data)
        while view:
            room = min(self.h2.local_flow_control_window(stream.id), self.h2.max_outbound_frame_size)
            if room <= 0:
                self._window_opened.clear()
                await asyncio.wait_for(self._window_opened.wait(), 30)
                continue
            self.h2.send_data(stream.id, bytes(view[:room]))
            view = view[room:]
            self.flush()
            await self.drain()
            if stream.ended:
                return
        if end and not stream.ended:
            self.h2.end_stream(stream.id)
            self.flush()

    async def request(self, method, path, headers=(), body=None, timeout=30):
        return await self.start(method, path, headers, body).response(timeout)

    def reset(self, stream_id, code=8):
        try:
            self.h2.reset_stream(stream_id, code)
        except h2.exceptions.StreamClosedError:
            return
        self.flush()

    async def _receive(self):
        try:
            while True:
                data = await self._reader.read(262144)
                if not data:
                    break
                for event in self.h2.receive_data(data):
                    self._on_event(event)
                self.flush()
        except (ConnectionError, h2.exceptions.ProtocolError, ssl.SSLError):
            pass
        finally:
            self._end()

    def _on_event(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self._settings_arrived.set()
            self._window_opened.set()
        elif isinstance(event, h2.events.WindowUpdated):
            self._window_opened.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = event.error_code
        elif stream is None:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            stream.on_headers(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            if self._windows and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            stream.put(event.data)
        elif isinstance(event, h2.events.StreamEnded):
            stream.put(None)
            self.streams.pop(event.stream_id, None)
        elif isinstance(event, h2.events.StreamReset):
            stream.put(StreamReset(event.error_code))
            self.streams.pop(event.stream_id, None)

    def _end(self):
        self.closed = True
        self._settings_arrived.set()
        self._window_opened.set()
        for stream in list(self.streams.values()):
            stream.put(ConnectionEnded(f"connection ended, GOAWAY {self.goaway}"))
        self.streams.clear()
        self._writer.close()

    async def close(self):
        if not self._writer.is_closing():
            self._writer.transport.abort()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
