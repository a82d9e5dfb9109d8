"""Parses text/event-stream strictly by the rules of the HTML standard."""


class Event:
    __slots__ = ("name", "data", "id")

    def __init__(self, name, data, event_id):
        self.name, self.data, self.id = name, data, event_id

    def __repr__(self):
        return f"Event({self.name!r}, {self.data[:80]!r}, id={self.id!r})"


class Parser:
    """Takes bytes and returns events. A client that reconnects uses `retry` and `comments`."""

    def __init__(self):
        self._buffer = b""
        self._name, self._data, self._id = "", [], None
        self.last_id = None
        self.retry = None
        self.comments = 0

    def feed(self, data):
        self._buffer += data
        events = []
        while b"\n" in self._buffer:
            line, self._buffer = self._buffer.split(b"\n", 1)
            event = self._line(line.rstrip(b"\r").decode("utf-8"))
            if event is not None:
                events.append(event)
        return events

    def _line(self, line):
        if line == "":
            return self._dispatch()
        if line.startswith(":"):
            self.comments += 1
            return None
        field, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id":
            self._id = value
        elif field == "retry":
            assert value.isdigit(), f"retry: {value!r}"
            self.retry = int(value)
        else:
            raise AssertionError(f"unknown field in the event stream: {line!r}")
        return None

    def _dispatch(self):
        if self._id is not None:
            self.last_id = self._id
        event = Event(self._name or "message", "\n".join(self._data), self._id) if self._data else None
        self._name, self._data, self._id = "", [], None
        return event
