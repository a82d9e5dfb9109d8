#!/usr/bin/python3 -B
"""Writes results.json, and from it RESULTS.md, CAPACITY.md and plots/. As a program it reads the existing results.json."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import capacity
import figures
from markdown import section, table

PARTS = figures.PARTS


def settings_of(arguments):
    """Stored with each part, because parts can be measured in separate runs."""
    names = ("users", "peers", "messages", "content_bytes", "clients", "seconds", "repeats")
    version = subprocess.run(["psql", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return {"command": " ".join(["bench/run", *sys.argv[1:]]), "made": time.strftime("%Y-%m-%d"), "machine": platform.machine(), "cores": os.cpu_count(),
            "postgresql": version.removeprefix("psql (PostgreSQL) "), **{name: getattr(arguments, name) for name in names}}


def merged(directory, measured):
    """Adds the parts of an earlier run that this one did not measure."""
    path = directory / "results.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {**(kept if isinstance(kept, dict) else {}), **measured}


def _cpu(run):
    return [f"{run['cpu_us'].get(part, 0):.0f}" for part in PARTS]


def _ms(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def comparison(found):
    rows = [[row["title"], f"{row['parley']['rate']:,.0f}", f"{row['other']['rate']:,.0f}", f"{row['ratio']:.2f}",
             _ms(row["parley"]["p99_ms"])] for row in found["rows"]]
    cpu = []
    for row in found["rows"]:
        cpu.append([row["title"], *_cpu(row["parley"])])
        if row["protocol"] == "h1":
            with_ejabberd = row["against"] == "ejabberd"
            cells = _cpu(row["other"])
            # The other side's server is shown in place of parleyd; what parleyd used meanwhile is not its cost.
            cells[:2] = [f"{row['other']['cpu_us']['ejabberd']:.0f} (ejabberd)" if with_ejabberd else "", ""]
            cpu.append([row["against"] if with_ejabberd else "its baseline", *cells])
    return f"""The other side is prepared pgbench with 16 clients on tables with the same columns and indexes in the same PostgreSQL
(`baseline/`): for a send, one transaction per message with both inserts and both conversation upserts, in one call of a
function. For ejabberd see `ejabberd/`. The ratio is the median of the ratios of runs in turn. The cache has
{found['cache_bytes'] >> 20} MB for each worker.

{table(['', 'Parley, 1/s', 'other, 1/s', 'ratio', 'p99, ms'], rows)}

CPU time per request in microseconds:

{table(['', *PARTS], cpu)}

![CPU per request](plots/cpu.svg)
"""


def latency(found):
    rows = [[f"half of the peak, {protocol}", f"{run['intended_rate']:,.0f}", _ms(run["p50_ms"]), _ms(run["p99_ms"]),
             f"{run['backlog_max']:,}"] for protocol, run in found["half"].items()]
    for title, run in (("a single client, one after the other", found["single"]),
                       ("PostgreSQL: one row, one commit, one client", found["commit"])):
        rows.append([title, f"{run['rate']:,.0f}", _ms(run["p50_ms"]), _ms(run["p99_ms"]), ""])
    return f"""Half of the peak is an open loop: sends are due at fixed times, and latency counts from these times. The last column is the highest
number of due sends that waited for a free connection.

{table(['send', '1/s', 'p50, ms', 'p99, ms', 'waiting'], rows)}
"""


def push(found):
    rows = [[protocol, f"{run['intended_rate']:,.0f}", run["receivers"], _ms(run["event_p50_ms"]),
             _ms(run["event_p99_ms"]), run["lost"], run["doubled"]] for protocol, run in found.items()]
    return f"""The time from when a send was due until its event arrives on the recipient's stream, at half of the peak.

{table(['', '1/s', 'listeners', 'p50, ms', 'p99, ms', 'lost', 'doubled'], rows)}
"""


def receipts(found):
    titles = {"one": "the reader's side alone", "both": "both sides"}
    rows = []
    for name, run in found.items():
        side, protocol = name.split(", ")
        rows.append([f"{titles[side]}, {protocol}", f"{run['rate']:,.0f}", _ms(run["p50_ms"]), _ms(run["p99_ms"]), *_cpu(run)])
    return f"""Each receipt reads a conversation to its end, and few conversations are read twice: a receipt that comes within a second after another of the same
conversation would wait. "Both sides" means two mailboxes: one transaction if they are in one database, as half of them are, and otherwise two
and an entry of the change outbox. CPU time per request in microseconds.

{table(['', '1/s', 'p50, ms', 'p99, ms', *PARTS], rows)}
"""


def groups(found):
    rows = []
    for point in found:
        copies, run = point["members"] + 1, point["run"]
        largest = [other for other in found if other["senders"] == point["senders"]][-1]
        cost = _cost(run) / copies
        rows.append([point["senders"], point["members"], f"{run['rate']:,.0f}", f"{run['rate'] * copies:,.0f}", _ms(run["p50_ms"]),
                     _ms(run["p99_ms"]), f"{cost:.0f}", f"{cost / (_cost(largest['run']) / (largest['members'] + 1)):.2f}"])
    return f"""Sends to groups that Zipf's law chooses; "at once" is the number of sends in flight. The copies of a message are those of the members and the group's
own. "CPU a copy" is the CPU time of all three services in microseconds; the last column compares it with the largest group.

{table(['at once', 'members', 'sends/s', 'copies/s', 'p50, ms', 'p99, ms', 'CPU a copy', 'to the largest'], rows)}
"""


def events(found):
    rows = [[f"{point['members']:,}", f"{point['bytes']:,}"] for point in found]
    return f"""The event of the message "hi" in a group named "Trip", on the stream of a member: the message and the conversation, with the frame of the event.

{table(['members', 'bytes'], rows)}
"""


def clients(found):
    rows = [[point["clients"], f"{point['parley']['rate']:,.0f}", _ms(point["parley"]["p50_ms"]),
             _ms(point["parley"]["p99_ms"]),
             *([f"{point['baseline']['rate']:,.0f}", _ms(point["baseline"]["mean_ms"])] if "baseline" in point else ["", ""])]
            for point in found]
    return f"""Sends over HTTP/1.1 with a connection for each client, and the baseline with the same number of clients.

{table(['clients', 'Parley, 1/s', 'p50, ms', 'p99, ms', 'baseline, 1/s', 'mean, ms'], rows)}

![Rate](plots/clients-rate.svg)
![Latency](plots/clients-latency.svg)
"""


def streams(found):
    names = {"shared": "h2c, 100 on each connection", "own": "h2c, a connection for each",
             "edge": "HTTP/1.1 over TLS through the edge, a connection for each"}
    rows = []
    for way, climb in found.items():
        top = climb["points"][-1]
        rows.append([names[way], f"{top['streams']:,}", *(
            f"{top['bytes'][name]:,.0f}" if name in top["bytes"] else "" for name in ("parleyd", "haproxy")), *(
            f"{climb['idle_cores'][name]:.3f}" if name in climb["idle_cores"] else ""
            for name in ("parleyd", "haproxy", "postgresql"))])
    seconds = next(iter(found.values()))["idle_seconds"]
    head = ["", "streams", "parleyd, bytes each", "HAProxy, bytes each", "parleyd, cores", "HAProxy, cores",
            "PostgreSQL, cores"]
    return f"""Resident memory beyond that of one stream, divided by the number of streams, without the kernel's buffers. CPU while only heartbeats are
sent, as a share of one core over {seconds} s. Each connection takes a file descriptor (at the edge
two), so the limit of open files bounds the number of streams.

{table(head, rows)}

![Memory](plots/streams-memory.svg)
"""


def presence(found):
    ways = {"nobody": "nobody", "heartbeats": "by announcements", "streams": "by streams"}
    beats = found["heartbeats"]
    idle = [[ways[way], f"{window['online']:,}", *(f"{window['cores'][part]:.1%}" for part in PARTS[:3]),
             *(f"{window[what]:,}" for what in ("rows_written", "wal_bytes", "commits"))]
            for way, window in found["idle"].items()]
    costs = [[f"{rate:,.0f}", *(f"{max(0, cpu_us[part]):.1f}" for part in PARTS[:3])]
             for rate, cpu_us in ((beats["rate"], beats["cpu_us"]), (beats["peak"]["rate"], beats["peak"]["cpu_us"]))]
    sends = []
    for way, run in found["sends"].items():
        # The cost of the announcements that came during one send.
        own = sum(beats["cpu_us"].values()) * beats["intended_rate"] / run["rate"] if way == "heartbeats" else 0
        ratios = sorted((cost - own) / first for cost, first in zip(run["costs"], found["sends"]["nobody"]["costs"]))
        sends.append([ways[way], f"{run['rate']:,.0f}", *_cpu(run)[:3], f"{_cost(run):.0f}", f"{own:.0f}",
                      f"{ratios[len(ratios) // 2]:.2f}", f"{ratios[0]:.2f} to {ratios[-1]:.2f}"])
    return f"""Users to whom nobody sends are online by an open stream, 100 of them on each connection, or by an announcement every {found['interval_s']} s
(`PUT /v1/presence` over h2c). During {found['idle']['nobody']['seconds']:g} s without other load: CPU as a share of one core, and what PostgreSQL wrote by its
own count:

{table(['online', 'users', *PARTS[:3], 'rows written', 'WAL, bytes', 'commits'], idle)}

CPU microseconds for each announcement: at the rate that keeps the users online (less what is used while nobody is online), and at the highest rate. At the first rate p99 is
{_ms(beats['latency_us']['p99'] / 1000)} ms:

{table(['announcements, 1/s', *PARTS[:3]], costs)}

Sends over h2c at the same time, CPU microseconds for each. The ratio compares the sum, less the cost of the announcements, with the run with nobody
online before it: the median of {len(found['sends']['nobody']['costs'])}, and their range.

{table(['online', 'sends, 1/s', *PARTS[:3], 'sum, us', 'announcements, us', 'ratio', 'range'], sends)}
"""


def static(found):
    rows = [[row["title"], f"{row['parleyd']['rate']:,.0f}", f"{row['libh2o']['rate']:,.0f}",
             f"{row['parleyd']['rate'] / row['libh2o']['rate']:.2f}", f"{row['parleyd']['cpu_us']['server']:.2f}",
             f"{row['libh2o']['cpu_us']['server']:.2f}",
             f"{row['libh2o']['cpu_us']['server'] / row['parleyd']['cpu_us']['server']:.2f}",
             f"{row['parleyd']['server_cores']:.2f}, {row['libh2o']['server_cores']:.2f}"] for row in found]
    head = ["", "parleyd, 1/s", "libh2o, 1/s", "ratio", "parleyd, CPU us", "libh2o, CPU us", "ratio", "cores used"]
    return f"""`/openapi.json` over h2c, compared with the same bytes and headers from a program that uses libh2o only (`bare/`). Each server has one thread, and
h2load sends the requests. The 304 has no body, so it shows best what parleyd adds to a request; the document is large.
If a server used less than one core, h2load was the limit, and only the ratio of CPU is of use.

{table(head, rows)}
"""


def growth(found):
    def rows(points, key):
        return [[f"{point[key]:,}", f"{point['rate']:,.0f}", *_cpu(point)[:3], f"{cost:.0f}",
                 f"{cost / costs[0]:.2f}"] for costs in [[_cost(point) for point in points]]
                for point, cost in zip(points, costs)]

    head = ["sends, 1/s", *PARTS[:3], "sum, us", "to the first"]
    return f"""Sends over h2c, CPU microseconds per send. Rows are counted in the middle of the measurement.

{table(['message rows', *head], rows(found['messages']['points'], 'rows'))}

{table(['shards', *head], rows(found['shards'], 'shards'))}

{table(['databases', *head], rows(found['databases'], 'databases'))}

{table(['idle waiters', *head], rows(found['waiters'], 'waiters'))}

![Messages](plots/growth-messages.svg)
![Shards](plots/growth-shards.svg)
![Waiters](plots/growth-waiters.svg)
"""


def _cost(point):
    return sum(point["cpu_us"][part] for part in PARTS[:3])


SECTIONS = (
    ("comparison", "Sends and reads", comparison), ("latency", "Latency of a send", latency),
    ("push", "Send to event", push), ("receipts", "Receipts", receipts),
    ("groups", "Sends to groups", groups), ("events", "Events of groups", events), ("clients", "Sends against clients", clients),
    ("streams", "Idle streams", streams), ("presence", "Users who are online", presence),
    ("growth", "Cost of a send as things grow", growth),
    ("static", "Static responses compared with bare libh2o", static),
)


def write(directory, parts):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "results.json").write_text(json.dumps(parts, indent=1) + "\n", encoding="utf-8")
    figures.write(directory / "plots", parts)
    text = """# Results

Made by `bench/run`; [CAPACITY.md](CAPACITY.md) is the page for planners. Everything ran on one machine, with the load generators,
so compare rates only within a section. Each figure is the median of repeated runs
after a run to warm up.
"""
    for name, title, body in SECTIONS:
        if name in parts:
            text += "\n" + section(title, parts[name]["settings"], body(parts[name]["figures"]))
    (directory / "RESULTS.md").write_text(text, encoding="utf-8")
    page = capacity.page(parts)
    if page:
        (directory / "CAPACITY.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    where = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    write(where, merged(where, {}))
