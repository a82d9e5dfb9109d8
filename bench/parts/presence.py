"""The cost of users who are online, by open streams or by announcements: CPU, what PostgreSQL writes, and sends at the same time.

Nobody sends to these users, because the cost of an event is not a cost of being online.
"""

import re
import time
import urllib.request
from contextlib import nullcontext
from pathlib import Path

from cpu import Meter
from fill import add_waiters, settle, wait_for_outbox, write_users
from generators import Heartbeats, median_of, repeated, run_load
from held_streams import HeldStreams

ONLINE = 20000
STREAMS_EACH = 100
# Below [push] presence_timeout, 30 s: a user whose announcement is a third late stays online.
INTERVAL_S = 20
WARM_UP_S = 20


def _online(stack):
    with urllib.request.urlopen(stack.env["PARLEY_ADMIN_URL"] + "/metrics") as answer:
        found = re.search(r'^parley_presence_users\{state="online"\} (\d+)', answer.read().decode(), re.MULTILINE)
    return int(found[1])


def _window(bench, what, seconds):
    """Measures without adding load: cores, and what PostgreSQL wrote by its own count."""
    stack = bench.stack
    before = stack.written()
    with Meter(stack.pids()) as meter:
        time.sleep(seconds)
    after = stack.written()
    found = {"seconds": seconds, "online": _online(stack), **{name: after[name] - before[name] for name in after},
             "cores": {name: meter.seconds[name] / seconds for name in stack.pids()}}
    print(f"{what}: {found['online']:,} online, parleyd {found['cores']['parleyd']:.3f} cores, "
          f"PostgreSQL {found['cores']['PostgreSQL']:.3f}, WAL {found['wal_bytes']:,} bytes", flush=True)
    return found


def _measure_sends(bench, ways):
    """Measures in turn, because the cost of sends drifts. Users who go offline leave nothing behind that costs."""
    runs = {way: [] for way in ways}
    for _ in range(bench.arguments.repeats):
        for way, online in ways.items():
            with online:
                runs[way].append(run_load(bench, "send", "h2c"))
            wait_for_outbox(bench.stack)
    result = {}
    for way, those in runs.items():
        result[way] = {**median_of(those), "costs": [sum(run["cpu_us"][name] for name in bench.stack.pids()) for run in those]}
        print(f"{way}: {result[way]['rate']:,.0f} sends/s, CPU us: "
              + ", ".join(f"{cost:.0f}" for cost in result[way]["costs"]), flush=True)
    return result


def _measure_heartbeats(bench, users, count, interval_s):
    """First as many announcements as the server accepts, so that each thread knows all users; then as many as are needed to stay online."""
    peak = repeated(bench, lambda: run_load(bench, "presence", "h2c", users=users))
    with Heartbeats(bench, users, count / interval_s) as heartbeats:
        window = _window(bench, "by heartbeats", interval_s)
    return {**heartbeats.figures, "peak": peak, "window": window}


def measure(bench):
    short = bench.arguments.short
    count = 2 * STREAMS_EACH if short else ONLINE
    interval_s = 1 if short else INTERVAL_S
    users = write_users(Path(bench.directory, "online"), bench.stack, bench.population, add_waiters(bench.stack, count))
    settle(bench.stack, bench.stack.databases)
    streams = HeldStreams(bench, users, count // STREAMS_EACH, STREAMS_EACH)
    heartbeats = Heartbeats(bench, users, count / interval_s)
    bench.stack.restart_parleyd()
    # Everything that writes comes after this, so that its background work is not counted.
    idle = {"nobody": _window(bench, "nobody online", interval_s)}
    beats = _measure_heartbeats(bench, users, count, interval_s)
    idle["heartbeats"] = beats.pop("window")
    with streams:
        idle["streams"] = _window(bench, "by streams", interval_s)
    run_load(bench, "send", "h2c", seconds=None if short else WARM_UP_S)
    sends = _measure_sends(bench, {"nobody": nullcontext(), "heartbeats": heartbeats, "streams": streams})
    cores = idle["heartbeats"]["cores"]
    beats["cpu_us"] = {name: (cores[name] - idle["nobody"]["cores"][name]) * interval_s / count * 1e6 for name in cores}
    for title, cpu_us in ((f"a heartbeat at {beats['peak']['rate']:,.0f}/s", beats["peak"]["cpu_us"]),
                          (f"at {beats['rate']:,.0f}/s", beats["cpu_us"])):
        print(f"{title}: " + ", ".join(f"{name} {used:.1f} us" for name, used in cpu_us.items()), flush=True)
    return {"interval_s": interval_s, "idle": idle, "heartbeats": beats, "sends": sends}
