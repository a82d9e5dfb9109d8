"""The plots of the results: each is (file name, SVG)."""

import plot

PARTS = ("parleyd", "PgBouncer", "PostgreSQL", "load generator")
US = "CPU per send, microseconds"


def comparison(figures):
    rows = []
    for row in figures["rows"]:
        rows.append((row["title"], row["parley"]["cpu_us"]))
        if row["protocol"] == "h1":
            # What parleyd and the pooler used meanwhile is not the other side's cost.
            others = {name: used for name, used in row["other"]["cpu_us"].items() if name not in PARTS[:2]}
            rows.append(("its baseline" if row["against"] == "baseline" else row["against"], others))
    names = [*PARTS, "ejabberd"] if any("ejabberd" in cpu_us for _, cpu_us in rows) else PARTS
    yield "cpu.svg", plot.bars("CPU per request", "microseconds", names,
                               [(title, [cpu_us.get(name, 0) for name in names]) for title, cpu_us in rows])


def clients(figures):
    def curve(side, name):
        return [(point["clients"], point[side][name]) for point in figures if side in point]

    yield "clients-rate.svg", plot.lines(
        "Sends against clients", "clients, one request at a time each", "sends per second",
        [("Parley", curve("parley", "rate")), ("baseline", curve("baseline", "rate"))], log_x=True)
    yield "clients-latency.svg", plot.lines(
        "Latency of sends against clients", "clients, one request at a time each", "ms",
        [("Parley, p50", curve("parley", "p50_ms")), ("Parley, p99", curve("parley", "p99_ms")),
         ("baseline, mean", curve("baseline", "mean_ms"))], log_x=True, log_y=True)


def streams(figures):
    names = {"shared": "parleyd, shared", "own": "parleyd, own", "edge": "parleyd, edge"}
    series = [(names[way], [(point["streams"], point["bytes"]["parleyd"] / 1000) for point in found["points"]])
              for way, found in figures.items()]
    if "edge" in figures:
        series.append(("HAProxy, TLS", [(point["streams"], point["bytes"]["haproxy"] / 1000)
                                        for point in figures["edge"]["points"]]))
    yield "streams-memory.svg", plot.lines("Memory of an idle stream", "streams", "KB per stream", series)


def growth(figures):
    def curves(points, key):
        return [(part, [(point[key], point["cpu_us"][part]) for point in points]) for part in PARTS[:3]]

    messages, waiters, shards = figures["messages"]["points"], figures["waiters"], figures["shards"]
    if len(messages) > 1:
        yield "growth-messages.svg", plot.lines("Cost of a send against stored messages", "rows in the message tables", US,
                                                curves(messages, "rows"), log_x=True)
    if len(shards) > 1:
        yield "growth-shards.svg", plot.lines("Cost of a send against shards", "shards", US, curves(shards, "shards"),
                                              log_x=True)
    yield "growth-waiters.svg", plot.lines("Cost of a send against idle waiters", "idle waiters", US,
                                           curves(waiters, "waiters"))


DRAWN = {"comparison": comparison, "clients": clients, "streams": streams, "growth": growth}


def write(directory, parts):
    """Draws the plots of the parts that were measured, and leaves the others as they are."""
    directory.mkdir(exist_ok=True)
    for part, draw in DRAWN.items():
        if part in parts:
            for name, svg in draw(parts[part]["figures"]):
                (directory / name).write_text(svg, encoding="utf-8")
