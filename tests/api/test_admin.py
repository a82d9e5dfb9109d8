"""Proves the admin listener: metrics are Prometheus text with the figures that operators need, health and readiness are
reported correctly, and nothing of this is served on the API's port."""

import re
import urllib.error
import urllib.request

from harness import metrics
from harness.stack import Parleyd, wait_until


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, dict(response.headers), response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def test_metrics_are_well_formed(stack):
    status, headers, text = fetch(stack.admin_url + "/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain")
    samples = metrics.parse(text)
    typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    helped = set(re.findall(r"^# HELP (\S+) ", text, re.M))
    for name, labels in samples:
        family = re.sub(r"_(bucket|sum|count)$", "", name) if name not in typed else name
        assert family in typed and family in helped, name
        assert name.startswith("parley_"), name
        assert not any(value.isdigit() and len(value) > 9 for _, value in labels), f"an id in {name} {labels}"
        if typed[family] == "counter":
            assert name.endswith("_total"), name
    assert not [name for name, kind in typed.items() if kind not in ("counter", "gauge", "histogram")]


def test_metrics_cover_each_subject(stack):
    names = " ".join(name for name, _ in metrics.scrape(stack.admin_url))
    for subject in ("request", "batch", "queue|lane_operations", "pool|lane|connection", "push|waiter|stream",
                    "outbox|relay"):
        assert re.search(subject, names), f"no metric about {subject}"


def test_requests_are_counted(stack, api, alice, bob):
    def sends():
        return metrics.total(metrics.scrape(stack.admin_url), "parley_http_requests_total",
                             operation="sendMessage")

    api.as_user(alice).send(bob, "warm").expect(201)
    before = sends()
    for i in range(5):
        api.as_user(alice).send(bob, f"{i}").expect(201)
    assert sends() - before == 5


def test_health_and_readiness(stack):
    assert fetch(stack.admin_url + "/healthz")[0] == 200
    assert fetch(stack.admin_url + "/readyz")[0] == 200
    assert fetch(stack.admin_url + "/nothing")[0] == 404
    assert fetch(stack.admin_url + "/v1/users/1")[0] == 404


def test_readiness_follows_the_database(stack):
    """Without its databases the process is alive but not ready; it recovers by itself."""
    server = Parleyd(stack, proxied=True).start()
    try:
        server.set_proxies("refuse")
        wait_until(lambda: fetch(server.admin_url + "/readyz")[0] == 503, 20, "not ready")
        status, _, text = fetch(server.admin_url + "/readyz")
        assert status == 503 and "password" not in text and "host=" not in text
        assert fetch(server.admin_url + "/healthz")[0] == 200
        server.set_proxies("pass")
        wait_until(lambda: fetch(server.admin_url + "/readyz")[0] == 200, 20, "ready again")
    finally:
        server.close()
