"""Writes CAPACITY.md, the page for planners. Every number is from results.json or from the assumptions named here."""

from markdown import settings, table

SERVICES = ("parleyd", "PgBouncer", "PostgreSQL")
# The assumptions: ten billion messages a day, evenly or with peaks; a year; cores of a machine.
MESSAGES_A_DAY = 10**10
PEAKS = (1, 2, 3)
DAY_S = 86400
DAYS_A_YEAR = 365
DATABASE_CORES = (16, 32, 64)
BUSY = 0.5
STREAMS = 10**6


def _up(value):
    return f"{-int(-value // 1):,}"


def _cost(figures):
    sends = next(row["parley"] for row in figures["rows"] if row["title"] == "sendMessage, h2c")
    return {"cpu": {name: sends["cpu_us"][name] for name in SERVICES}, "wal": sends["wal_bytes"],
            "disk": figures["bytes_per_message"], "rate": sends["rate"]}


def _message(cost):
    total = sum(cost["cpu"].values())
    rows = [[f"CPU of {name}", f"{used:.1f} us", f"{1e6 / used:,.0f}" if used else "", f"{used / total:.0%}"]
            for name, used in cost["cpu"].items()]
    rows.append(["CPU of all three", f"{total:.1f} us", f"{1e6 / total:,.0f}", "100%"])
    return f"""## One message

Sent over cleartext HTTP/2, and acknowledged when both copies are written and durable.

{table(['', 'a message', 'messages/s for each core', 'share of CPU'], rows)}

| | bytes a message |
| --- | --- |
| WAL, with the whole pages after a checkpoint | {cost['wal']:,.0f} |
| disk: tables and indexes, both copies | {cost['disk']:,.0f} |

The measured rate is {cost['rate']:,.0f} messages/s, with all of this and the load generator on the cores of one machine.
"""


def _plan(cost):
    head = ["", *(f"{peak} times the mean" for peak in PEAKS)]
    rates = [MESSAGES_A_DAY / DAY_S * peak for peak in PEAKS]
    rows = [["messages/s", *(f"{rate:,.0f}" for rate in rates)]]
    for name, used in cost["cpu"].items():
        rows.append([f"busy cores of {name}", *(_up(rate * used / 1e6) for rate in rates)])
    for cores in DATABASE_CORES:
        rows.append([f"database servers of {cores} cores, {BUSY:.0%} busy",
                     *(_up(rate * cost["cpu"]["PostgreSQL"] / 1e6 / cores / BUSY) for rate in rates)])
    rows.append(["WAL, MB/s, all databases", *(f"{rate * cost['wal'] / 1e6:,.0f}" for rate in rates)])
    disk = MESSAGES_A_DAY * cost["disk"]
    return f"""## {MESSAGES_A_DAY // 10**9} B messages a day

{MESSAGES_A_DAY:,} messages a day are {rates[0]:,.0f}/s if they come evenly. The busiest hour is higher; choose the column that fits your
traffic. Each number is the rate multiplied by the cost of one message, rounded up.

{table(head, rows)}

Disk: {disk / 1e12:,.1f} TB a day, {disk * DAYS_A_YEAR / 1e15:,.2f} PB a year, before replicas and backups.
WAL: {MESSAGES_A_DAY * cost['wal'] / 1e12:,.1f} TB a day to archive, and to each replica.
"""


def _reads(figures):
    rows = []
    for row in figures["rows"]:
        if row["protocol"] == "h2c" and not row["title"].startswith("send"):
            cpu = row["parley"]["cpu_us"]
            rows.append([row["title"].removesuffix(", h2c"), *(f"{cpu[name] * 1e4 / 1e6:.2f}" for name in SERVICES)])
    return f"""## Reads

Busy cores for each 10,000 requests/s:

{table(['', *SERVICES], rows)}
"""


def _streams(parts):
    if "streams" not in parts:
        return ""
    rows = []
    names = {"shared": "h2c, connections shared", "own": "h2c, a connection for each", "edge": "through the edge over TLS"}
    for way, climb in parts["streams"]["figures"].items():
        top = climb["points"][-1]
        cores = {name: climb["idle_cores"][name] / top["streams"] * STREAMS for name in top["bytes"]}
        rows.append([names[way], *(
            f"{top['bytes'][name] * STREAMS / 1e9:,.1f} GB, {cores[name]:.1f} cores" if name in top["bytes"] else ""
            for name in ("parleyd", "haproxy"))])
    return f"""## {STREAMS:,} idle event streams

Resident memory and busy cores, without the kernel's socket buffers:

{table(['', 'parleyd', 'HAProxy'], rows)}
"""


def _bottleneck(cost, parts):
    first = max(cost["cpu"], key=cost["cpu"].get)
    total = sum(cost["cpu"].values())
    said = [f"- **{first}** takes {cost['cpu'][first] / total:.0%} of the CPU of a send: its cores are used up first. "
            + {"PostgreSQL": "More databases take more.",
               "parleyd": "More servers take more: each can serve every user.",
               "PgBouncer": "More processes take more: one or several for each database."}[first]]
    if cost["cpu"]["PgBouncer"]:
        most = 1e6 / cost["cpu"]["PgBouncer"]
        databases = 1e6 / cost["cpu"]["PostgreSQL"]
        said.append(f"- **PgBouncer** is one thread: {most:,.0f} messages/s for each process, as many as "
                    f"{most / databases:.0f} cores of PostgreSQL. A larger database server needs a second process.")
    said.append(f"- **WAL** is one stream for each database server: {cost['wal'] * 1e4 / 1e6:,.0f} MB/s for each "
                "10,000 messages/s, to its disk and to each replica.")
    if "growth" in parts:
        points = parts["growth"]["figures"]["messages"]["points"]
        costs = [sum(point["cpu_us"][name] for name in SERVICES) for point in points]
        said.append(f"- **Size**: with {points[-1]['rows']:,} message rows a send takes {costs[-1] / costs[0]:.2f} times the CPU "
                    f"that it takes with {points[0]['rows']:,}. More rows, and tables that do not fit in "
                    "memory, are not measured here.")
    return "## What is used up next\n\n" + "\n".join(said) + "\n"


def page(parts):
    """The whole page, or None if sends were not measured."""
    if "comparison" not in parts:
        return None
    figures = parts["comparison"]["figures"]
    cost = _cost(figures)
    head = f"""# Capacity

Computed by `report.py` from `results.json`; [RESULTS.md](RESULTS.md) has the measurements.
{settings(parts['comparison']['settings'])}

The numbers are the cost on that machine, multiplied. Other cores are faster or slower, and TLS at the edge, replicas, backups and
a network between the parts are not included. Measure with `bench/run` on the kind of machine that you want to use before you buy many.
"""
    return "\n".join([head, _message(cost), _plan(cost), _reads(figures),
                      *filter(None, [_streams(parts)]), _bottleneck(cost, parts)])
