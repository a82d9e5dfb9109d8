"""Runs the load generators. Each run gives a dictionary: requests, rate, failed, latencies, and CPU us per request by part."""

import json
import re
import subprocess
import sys
from pathlib import Path

from cpu import Meter
from stack import BASELINE

BENCH = Path(__file__).resolve().parent
# h1: clients of applications. h2c: the edge, which has few connections with many requests at once on each.
H2C_CONNECTIONS, H2C_STREAMS = 8, 25
BASELINE_CLIENTS = 16
# Longer than any run takes.
UNTIL_STOPPED_S = 100000


def measured(stack, command, read, pids=None):
    """read(output) returns the figures, `requests` among them, or None. Adds the cost of the run per request."""
    wal = stack.wal_position()
    with Meter(pids or stack.pids()) as meter:
        done = subprocess.run(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, check=False,
        )
    figures = read(done.stdout) if done.returncode == 0 else None
    if figures is None or figures["requests"] == 0:
        sys.exit(f"bench/run: {command[0]} failed:\n{done.stdout}{done.stderr}")
    figures["cpu_us"] = {name: used / figures["requests"] * 1e6 for name, used in meter.seconds.items()}
    figures["wal_bytes"] = (stack.wal_position() - wal) / figures["requests"]
    return figures


def run_pgbench(bench, script, clients=BASELINE_CLIENTS, options=(), seconds=None):
    """Runs a pgbench script of this directory on the baseline's database."""
    arguments = bench.arguments
    command = [
        "pgbench", "-n", "-M", "prepared", "-c", clients, "-j", min(2, clients), "-T",
        max(1, round(seconds or arguments.seconds)),
        "-D", f"users={arguments.users}", "-D", f"peers={arguments.peers}", "-D", f"bytes={arguments.content_bytes}",
        *options, "-f", BENCH / f"{script}.pgbench", bench.stack.superuser(BASELINE),
    ]
    pattern = (
        r"actually processed: (?P<requests>\d+)[\s\S]*failed transactions: (?P<failed>\d+)"
        r"[\s\S]*latency average = (?P<mean_ms>[\d.]+)[\s\S]*tps = (?P<rate>[\d.]+)"
    )

    def read(output):
        found = re.search(pattern, output)
        return {name: float(value) for name, value in found.groupdict().items()} if found else None

    return measured(bench.stack, command, read)


def run_load(bench, kind, protocol, connections=None, rate=None, users=None, options=(), seconds=None):
    """Runs parley-load: in a closed loop, or in an open loop if a rate is given."""
    arguments = bench.arguments
    if connections is None:
        connections = [arguments.clients] if protocol == "h1" else [H2C_CONNECTIONS, "--streams", H2C_STREAMS]
    command = [
        arguments.parley_load, "--kind", kind, "--protocol", protocol, "--connections", *connections,
        "--seconds", seconds or arguments.seconds, "--users", users or bench.users_file, "--peers", arguments.peers,
        "--zipf", "--content-bytes", arguments.content_bytes, "--validate",
        *(["--rate", f"{rate:.0f}"] if rate else []), *options, bench.stack.url,
    ]

    def read(output):
        figures = json.loads(output)
        figures["failed"] += figures.get("lost", 0) + figures.get("doubled", 0)
        if figures["failed"]:
            bench.failures.append(f"{kind}, {protocol}: {figures['failed']} failed: {figures['failed_by_status']}")
        for name in ("p50", "p99"):
            figures[f"{name}_ms"] = figures["latency_us"][name] / 1000
        return figures

    return measured(bench.stack, command, read)


class Heartbeats:
    """with Heartbeats(bench, users_file, rate) as heartbeats: ...; each user in turn announces to be online. heartbeats.figures"""

    def __init__(self, bench, users_file, rate):
        self.bench = bench
        self.command = [
            bench.arguments.parley_load, "--kind", "presence", "--protocol", "h2c", "--connections", H2C_CONNECTIONS,
            "--streams", H2C_STREAMS, "--users", users_file, "--peers", 1, "--rate", f"{rate:.0f}", "--seconds", UNTIL_STOPPED_S,
            bench.stack.url,
        ]

    def __enter__(self):
        self.process = subprocess.Popen([str(word) for word in self.command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        output = self.process.communicate()[0]
        if failure[0] is None:
            self.figures = json.loads(output)
            if self.figures["failed"] or self.figures["rate"] < 0.98 * self.figures["intended_rate"]:
                self.bench.failures.append(f"heartbeats: {self.figures['rate']:.0f}/s, {self.figures['failed_by_status']} failed")


def peak(bench, protocol):
    """The rate of sends in a closed loop, measured once. The parts at "half of the peak" take half of it."""
    if protocol not in bench.peaks:
        bench.peaks[protocol] = repeated(bench, lambda: run_load(bench, "send", protocol))["rate"]
    return bench.peaks[protocol]


def median_of(results, by="rate"):
    """Returns the run whose `by` is the median, so all reported figures are of one run."""
    middle = dict(sorted(results, key=lambda result: result[by])[len(results) // 2])
    middle["failed"] = sum(result["failed"] for result in results)
    middle["all"] = [round(result[by], 3) for result in results]
    return middle


def repeated(bench, run, by="rate"):
    """Returns the median of several runs, after one to warm up."""
    if not bench.arguments.short:
        run()
    return median_of([run() for _ in range(bench.arguments.repeats)], by)
