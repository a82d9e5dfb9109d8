"""The cost of a send with more messages in the tables, more shards, databases and idle waiters. Each on a stack of its own."""

import argparse
import dataclasses
import shutil
from contextlib import contextmanager, nullcontext
from pathlib import Path

from fill import add_history, add_waiters, fill, wait_for_outbox, write_users
from generators import repeated, run_load
from held_streams import HeldStreams
from population import Population
from stack import Stack

USERS, PEERS = 1000, 5
SETTINGS = {"users": USERS, "peers": PEERS, "messages": 1}
# Each message has two rows, and each conversation one message.
ROWS_AT_FIRST = 2 * USERS * PEERS
# Each database has at least one shard.
SHARDS, MIDDLE = (2, 4, 16, 64), 16
DATABASES, USUAL_DATABASES = (1, 2, 4), 2
ROWS = (10**5, 10**6)
ROWS_FULL = (10**7,)
WAITERS = (1000, 10000, 20000)
STREAMS_EACH = 100


def _point(bench, what):
    """Measures sends, and counts the rows of the message tables in the middle of the runs."""
    rows = []

    def run():
        rows.append(bench.stack.message_rows())
        return run_load(bench, "send", "h2c")

    figures = repeated(bench, run)
    wait_for_outbox(bench.stack)
    figures["rows"] = (rows[-bench.arguments.repeats] + bench.stack.message_rows()) // 2
    cpu = figures["cpu_us"]
    print(f"{what}: {figures['rate']:,.0f} sends/s, CPU us: PostgreSQL {cpu['PostgreSQL']:.0f}, "
          f"parleyd {cpu['parleyd']:.0f}", flush=True)
    return figures


def _open_stack(bench, shards, databases):
    arguments = argparse.Namespace(**{**vars(bench.arguments), **SETTINGS})
    directory = Path(bench.directory, f"growth-{shards}-{databases}")
    directory.mkdir(mode=0o755)
    stack = Stack(str(directory / "stack"), arguments.parleyd, shards, databases)
    population = Population(USERS, PEERS, 1, shards)
    return dataclasses.replace(bench, arguments=arguments, stack=stack, directory=directory, population=population,
                               users_file=directory / "users")


def _grow_messages(bench, first):
    levels = (2 * 10**4,) if bench.arguments.short else ROWS + (ROWS_FULL if bench.arguments.full else ())
    points, each, size = [{"filled": ROWS_AT_FIRST, **first}], 1, None
    for level in levels:
        before = bench.stack.shard_bytes(), bench.stack.message_rows()
        add_history(bench.stack, bench.population, each, level // ROWS_AT_FIRST - 1)
        each = level // ROWS_AT_FIRST
        size = (bench.stack.shard_bytes() - before[0]) / (bench.stack.message_rows() - before[1])
        points.append({"filled": level, **_point(bench, f"{level:,} message rows filled")})
    return {"points": points, "bytes_per_row": size}


def _wait(bench, first):
    points = [{"waiters": 0, **first}]
    for waiters in (100,) if bench.arguments.short else WAITERS:
        streams = HeldStreams(bench, bench.directory / f"waiters-{waiters}", waiters // STREAMS_EACH, STREAMS_EACH)
        with streams if waiters else nullcontext():
            points.append({"waiters": waiters, **_point(bench, f"{waiters:,} idle waiters")})
    return points


@contextmanager
def _filled_stack(bench, shards, databases):
    inner = _open_stack(bench, shards, databases)
    try:
        fill(inner.stack, inner.population, baseline=False)
        write_users(inner.users_file, inner.stack, inner.population)
        yield inner
    finally:
        inner.stack.remove()
        shutil.rmtree(inner.directory)


def _measure_middle(inner, result):
    """Measures waiters and messages in a stack of the usual size."""
    first = _point(inner, f"{MIDDLE} shards")
    counts = (100,) if inner.arguments.short else WAITERS
    ids = add_waiters(inner.stack, counts[-1])
    for count in counts:
        write_users(inner.directory / f"waiters-{count}", inner.stack, inner.population, ids[:count])
    result["waiters"] = _wait(inner, first)
    result["messages"] = _grow_messages(inner, first)
    return first


def measure(bench):
    result = {"shards": [], "databases": []}
    for shards in (MIDDLE,) if bench.arguments.short else SHARDS:
        with _filled_stack(bench, shards, USUAL_DATABASES) as inner:
            point = _measure_middle(inner, result) if shards == MIDDLE else _point(inner, f"{shards} shards")
            result["shards"].append({"shards": shards, **point})
    middle = next(point for point in result["shards"] if point["shards"] == MIDDLE)
    for databases in (USUAL_DATABASES,) if bench.arguments.short else DATABASES:
        if databases == USUAL_DATABASES:
            result["databases"].append({"databases": databases, **middle})
            continue
        with _filled_stack(bench, MIDDLE, databases) as inner:
            result["databases"].append({"databases": databases, **_point(inner, f"{databases} databases")})
    return result
