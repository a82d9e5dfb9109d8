"""The main table: sends and reads of Parley, of a plain schema, and of ejabberd, measured in turn."""

import statistics
from pathlib import Path

from fill import wait_for_outbox
from generators import median_of, run_load, run_pgbench
from stack import CACHE_BYTES

PROTOCOLS = ("h1", "h2c")
# Users whose pages are read when the cache is measured: after the warm-up all of them are cached.
HOT_USERS = 1000
WARM_UP_S = 20
READS = (("fetchConversation, page of 20", "conversations"), ("fetchMessages, page of 50", "messages"))


def _row(title, protocol, parley, other, against):
    """other: runs that were made in turn with those of parley."""
    ratio = statistics.median(p["rate"] / o["rate"] for p, o in zip(parley, other))
    row = {"title": title if protocol == "h1" else f"{title}, h2c", "protocol": protocol, "against": against,
           "ratio": ratio, "other": median_of(other), "parley": median_of(parley)}
    print(f"{row['title']}: Parley {row['parley']['rate']:,.0f}/s, {against} {row['other']['rate']:,.0f}/s, "
          f"ratio {ratio:.2f}", flush=True)
    return row


def _hot_users(bench):
    path = Path(bench.directory, "hot-users")
    with open(bench.users_file, encoding="ascii") as users:
        path.write_text("".join(line for line, _ in zip(users, range(HOT_USERS))), "ascii")
    return path


def _compare(bench, title, script, kind, is_hot=False):
    """Returns a row for each protocol. Each side is warmed up by a run that does not count. Sends need a long one: PostgreSQL logs
    a whole page when it is first changed after a checkpoint, and the server looks up users that it does not know yet."""
    users = _hot_users(bench) if is_hot else None
    options = ("-D", f"users={min(HOT_USERS, bench.arguments.users)}") if is_hot else ()
    other, parley = [], {protocol: [] for protocol in PROTOCOLS}
    if not bench.arguments.short:
        seconds = WARM_UP_S if kind == "send" else None
        run_pgbench(bench, f"baseline/{script}", options=options, seconds=seconds)
        run_load(bench, kind, PROTOCOLS[0], users=users, seconds=seconds)
    for _ in range(bench.arguments.repeats):
        other.append(run_pgbench(bench, f"baseline/{script}", options=options))
        for protocol in PROTOCOLS:
            parley[protocol].append(run_load(bench, kind, protocol, users=users))
    return [_row(title, protocol, runs, other, "baseline") for protocol, runs in parley.items()]


def _compare_ejabberd(bench):
    from ejabberd.server import Ejabberd  # needs packages that are installed only for it

    stack, arguments = bench.stack, bench.arguments
    place = Path(bench.directory, "ejabberd")
    with Ejabberd(place, stack.superuser("postgres"), stack.pid("postgresql"), arguments.xmpp_load,
                  arguments.clients) as ejabberd:
        ejabberd.load(max(1, round(arguments.seconds / 3)))
        other, parley = [], []
        for _ in range(arguments.repeats):
            other.append(ejabberd.load(max(1, round(arguments.seconds))))
            parley.append(run_load(bench, "send", "h1"))
    return _row("sendMessage against ejabberd", "h1", parley, other, "ejabberd")


def measure(bench):
    stack = bench.stack
    before = stack.shard_bytes(), stack.message_rows()
    rows = _compare(bench, "sendMessage", "send", "send")
    for row in rows:
        bench.peaks[row["protocol"]] = row["parley"]["rate"]
    if bench.arguments.ejabberd:
        rows.append(_compare_ejabberd(bench))
    wait_for_outbox(stack)
    # Each message is a row in each of the two mailboxes.
    grown = (stack.shard_bytes() - before[0]) / (stack.message_rows() - before[1]) * 2
    for caching, settings in (("cached", ()), ("no cache", ("cache.size=0",))):
        if settings:
            stack.restart_parleyd(*settings)
        for title, kind in READS:
            rows += _compare(bench, f"{title}, {caching}", kind, kind, is_hot=not settings)
    stack.restart_parleyd()
    return {"rows": rows, "cache_bytes": CACHE_BYTES, "bytes_per_message": grown}
