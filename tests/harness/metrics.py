"""Reads Prometheus text from the admin port."""

import re
import time
import urllib.request

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^}]*\})? (\S+)$")


def parse(text):
    """{(name, frozenset of label pairs): value}; refuses a line that is neither a sample nor a comment."""
    samples = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.match(line)
        assert match, f"not Prometheus text: {line!r}"
        labels = frozenset(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or ""))
        assert (match.group(1), labels) not in samples, f"sample twice: {line!r}"
        samples[match.group(1), labels] = float(match.group(3))
    return samples


def scrape(admin_url):
    with urllib.request.urlopen(admin_url + "/metrics", timeout=10) as response:
        return parse(response.read().decode("utf-8"))


def total(samples, name, **labels):
    """The sum over every sample of that name whose labels include the given ones."""
    wanted = set(labels.items())
    found = [v for (n, ls), v in samples.items() if n == name and wanted <= ls]
    assert found, f"no metric {name} {labels}"
    return sum(found)


def wait_for(admin_url, name, predicate, timeout=10, **labels):
    deadline = time.monotonic() + timeout
    while True:
        value = total(scrape(admin_url), name, **labels)
        if predicate(value):
            return value
        assert time.monotonic() < deadline, f"{name} {labels} is {value} after {timeout} s"
        time.sleep(0.1)


def waiters(server):
    """Long-polls and streams of the server that wait."""
    return total(scrape(server.admin_url), "parley_push_waiters")


def wait_for_waiters(server, count, timeout=30):
    """Waits until exactly this many wait: for a server of a test's own."""
    wait_for(server.admin_url, "parley_push_waiters", lambda value: value == count, timeout)


def wait_for_more_waiters(server, before, more=1, patience=5):
    """Waits until this many more wait than before, so that a later event meets them. On a server that tests share, some
    of the earlier ones may end meanwhile and hide the new ones. So the test continues after a while, and may then prove
    less."""
    deadline = time.monotonic() + patience
    while waiters(server) < before + more and time.monotonic() < deadline:
        time.sleep(0.02)
