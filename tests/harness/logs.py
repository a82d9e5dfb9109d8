"""Reads the log of parleyd: JSON lines, and the output of sanitizers and assertions.

A line of level error fails the test unless the test has announced it. Any line that is not JSON fails the test too.
"""

import json
import os

# Harmless lines that libraries print on stderr in their own format, when tests send bad input on purpose.
FOREIGN = ("detected an invalid file path",)


class LogReader:
    """Remembers how far it has read; `take` returns the lines after that."""

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
    """The lines that must not be in the log. expected_events: events that may have level error."""
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


SECRETS = ("Bearer ", "eyJ", "__Host-parley", "parley-refresh", "refreshToken", "password\":\"")


def leaks(lines, texts=()):
    """The lines with a token, a password or one of the given texts."""
    return [line for line in lines if any(text in line for text in SECRETS + tuple(texts))]
