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
