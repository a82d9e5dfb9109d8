"""Reads what parleyd logged: JSON lines, and whatever a sanitizer or an assertion printed.

A line of level error or worse that a test has not announced fails the test, as does any line that
is not JSON.
"""

import json
import os

# What libraries print on stderr in their own format, harmless and provoked by bad input on purpose.
FOREIGN = ("detected an invalid file path",)


class LogReader:
    """Remembers how far it has read; `take` gives the lines since then."""

    def __init__(self, path):
        self.path = path
        self._offset = 0

    def skip(self):
        self._offset = os.path.getsize(self.path) if os.path.exists(self.path) else 0

    def take(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path, "rb") as stream:
            stream.seek(self._offset)
            data = stream.read()
        end = data.rfind(b"\n") + 1
        self._offset += end
        return [line.decode("utf-8", "replace") for line in data[:end].splitlines() if line]


def decode(line):
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def unexpected(lines, expected_events=()):
    """The lines that must not be there. expected_events: events that may have level error."""
    found = []
    for line in lines:
        value = decode(line)
        if value is None:
            if not any(text in line for text in FOREIGN):
                found.append(line)
        elif value.get("level") in ("error", "fatal", "critical"):
            if value.get("event") not in expected_events:
                found.append(line)
    return found


SECRETS = ("Bearer ", "eyJ", "parley_token", "password\":\"")


def leaks(lines, texts=()):
    """Lines that hold a token, a password or one of the given texts."""
    return [line for line in lines if any(text in line for text in SECRETS + tuple(texts))]
