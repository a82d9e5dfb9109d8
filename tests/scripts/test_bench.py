"""bench/run measures every part, its pages are made of the measurements, and bench/pairs compares two checkouts."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree

import pytest

from harness.contract import REPOSITORY

BENCH = os.path.join(REPOSITORY, "bench")
PLOTS = {"cpu.svg", "clients-rate.svg", "clients-latency.svg", "streams-memory.svg", "growth-messages.svg", "growth-waiters.svg"}


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(name="written", scope="module")
def written_by_a_short_run(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bench")
    build = os.path.join(REPOSITORY, os.environ.get("PARLEY_BUILD_DIR", "build/release"))
    run(os.path.join(BENCH, "run"), "--short", "--output", directory, "--parleyd", os.path.join(build, "src/parleyd"),
        "--parley-load", os.path.join(build, "bench/load/parley-load"),
        "--bare-h2o", os.path.join(build, "bench/bare/bare-h2o"))
    return directory


@pytest.mark.timeout(300)
def test_every_part_is_measured(written):
    parts = json.loads((written / "results.json").read_text())
    assert set(parts) == {"comparison", "latency", "push", "clients", "streams", "presence", "static", "receipts",
                          "groups", "events", "growth"}
    rows = {row["title"]: row for row in parts["comparison"]["figures"]["rows"]}
    assert len(rows) == 10
    for row in rows.values():
        assert row["parley"]["rate"] > 0 and row["other"]["rate"] > 0 and row["parley"]["failed"] == 0
        assert set(row["parley"]["cpu_us"]) == {"parleyd", "PgBouncer", "PostgreSQL", "load generator"}
    assert rows["sendMessage"]["parley"]["wal_bytes"] > 200
    # Both copies of 160 bytes, and their indexes.
    assert parts["comparison"]["figures"]["bytes_per_message"] > 400
    for push in parts["push"]["figures"].values():
        assert push["received"] == push["sent"] > 0
    for receipts in parts["receipts"]["figures"].values():
        assert receipts["rate"] > 0 and receipts["failed"] == 0
    small, large = parts["events"]["figures"][0], parts["events"]["figures"][-1]
    assert small["members"] == 2 and large["members"] > 16 and abs(small["bytes"] - large["bytes"]) < 50
    assert set(parts["streams"]["figures"]) == {"shared", "own", "edge"}
    presence = parts["presence"]["figures"]
    assert {way: window["online"] for way, window in presence["idle"].items()} == {"nobody": 0, "heartbeats": 200, "streams": 200}
    for beats in (presence["heartbeats"], presence["heartbeats"]["peak"]):
        assert beats["requests"] > 200 and beats["failed"] == 0


@pytest.mark.timeout(300)
def test_pages_and_plots_are_made_of_the_results(written):
    assert {path.name for path in (written / "plots").iterdir()} == PLOTS
    before = {path: path.read_bytes() for path in written.rglob("*") if path.is_file()}
    for path, content in before.items():
        if path.suffix == ".svg":
            xml.etree.ElementTree.fromstring(content)
    run(os.path.join(BENCH, "report.py"), written)
    assert {path: path.read_bytes() for path in written.rglob("*") if path.is_file()} == before


@pytest.mark.timeout(300)
def test_capacity_is_computed(written):
    parts = json.loads((written / "results.json").read_text())
    sends = parts["comparison"]["figures"]["rows"][1]["parley"]
    page = (written / "CAPACITY.md").read_text()
    cores = -int(-(10**10 / 86400 * sends["cpu_us"]["PostgreSQL"] / 1e6) // 1)
    assert f"| busy cores of PostgreSQL | {cores:,} |" in page
    assert f"| WAL, with the whole pages after a checkpoint | {sends['wal_bytes']:,.0f} |" in page


@pytest.mark.timeout(300)
def test_two_checkouts_are_compared():
    """Here a checkout with itself. Each side makes its own sends."""
    lines = run(os.path.join(BENCH, "pairs"), REPOSITORY, "--only", "send", "--pairs", "2", "--seconds", "0.3", "--users", "50").splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["send", protocol, figure] for protocol in ("h1", "h2c") for figure in ("parleyd", "PostgreSQL", "rate")]
    for line in lines:
        before, after = (float(number.replace(",", "")) for number in re.findall(r"([\d,]+\.\d)(?: us|/s)", line))
        assert before > 0 and after > 0
