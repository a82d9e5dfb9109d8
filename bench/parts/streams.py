"""The cost of idle event streams: memory of parleyd and of the edge for each, and CPU while nothing happens."""

import time
from contextlib import ExitStack
from pathlib import Path

from cpu import Meter
from held_streams import EdgeStreams, HeldStreams, most_connections

LEVELS = (1000, 5000, 10000, 20000)
# Every stream has two heartbeats in this time.
IDLE_S = 30
# Streams on one connection: as an application's server has them, or a proxy that shares connections.
SHARED = 100
# By then, late frees and allocations that occur only once have happened.
SETTLE_S = 2


def _rss(pid):
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ValueError(pid)


def _levels(bench, most):
    levels = (50, 100) if bench.arguments.short else LEVELS
    return sorted({min(level, most - 1, bench.arguments.users - 1) for level in levels})


def _climb(bench, levels, services, open_more):
    """open_more(first, count) opens streams of `count` users and returns how many were opened. Measures memory at each level, beyond
    that of one stream, and CPU at the last."""
    stack, short = bench.stack, bench.arguments.short
    stack.restart_parleyd()
    pids = {name: stack.pid(name) for name in services}
    settle_s, idle_s = (0, 1) if short else (SETTLE_S, IDLE_S)
    open_more(0, 1)
    time.sleep(settle_s)
    before = {name: _rss(pid) for name, pid in pids.items()}
    points, opened = [], 0
    for level in levels:
        opened += open_more(1 + opened, level - opened)
        time.sleep(settle_s)
        points.append({"streams": opened, "bytes": {
            name: (_rss(pid) - before[name]) / opened for name, pid in pids.items()}})
    with Meter({name: stack.pid(name) for name in (*services, "postgresql")}) as meter:
        time.sleep(idle_s)
    cores = {name: meter.seconds[name] / idle_s for name in (*services, "postgresql")}
    said = ", ".join(f"{name} {size:,.0f} bytes each, {cores[name]:.3f} cores"
                     for name, size in points[-1]["bytes"].items())
    print(f"{opened} idle streams: {said}", flush=True)
    return {"points": points, "idle_cores": cores, "idle_seconds": idle_s}


def _direct(bench, on_each):
    lines = bench.users_file.read_text("ascii").splitlines(keepends=True)
    with ExitStack() as held:
        def open_more(first, count):
            users = Path(bench.directory, f"users-{first}")
            # parley-load needs at least two users, even for one stream.
            users.write_text("".join(lines[first : first + max(count, 2)]), "ascii")
            streams = HeldStreams(bench, users, max(1, count // on_each), min(on_each, count))
            return held.enter_context(streams).count

        most = most_connections() if on_each == 1 else LEVELS[-1]
        return _climb(bench, _levels(bench, most), ["parleyd"], open_more)


def _through_edge(bench):
    tokens = [line.split()[1] for line in bench.users_file.read_text("ascii").splitlines()]
    with EdgeStreams(bench.stack) as edge:
        def open_more(first, count):
            return edge.open(tokens[first : first + count])

        return _climb(bench, _levels(bench, most_connections(2)), ["parleyd", "haproxy"], open_more)


def measure(bench):
    result = {"shared": _direct(bench, SHARED), "own": _direct(bench, 1)}
    if bench.arguments.edge:
        result["edge"] = _through_edge(bench)
    return result
