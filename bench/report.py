"""Writes RESULTS.md and results.json."""

import json
import os
import platform
import subprocess
import sys
import time

PARTS = ("parleyd", "PgBouncer", "PostgreSQL", "load generator")


def _version(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")[0]


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _cpu(cpu_us):
    return [f"{cpu_us.get(part, 0):.0f}" for part in PARTS]


def write_report(directory, arguments, rows):
    text = f"""# Results

Made by `bench/run {' '.join(sys.argv[1:])}` on {time.strftime('%Y-%m-%d')}: {platform.machine()}, {os.cpu_count()} cores, all of it
on one machine, load generators included. {_version('psql', '--version')}.
{arguments.users:,} users with {2 * arguments.peers} conversations of {arguments.messages} messages of 160 bytes; parley-load
in a closed loop with {arguments.clients} connections (h2c: 8 connections with 25 requests at once on each), pgbench with 16; medians of {arguments.repeats} runs of {arguments.seconds} s, baseline and Parley in turn.

The ratio is the median of the pairs' ratios. The baseline is prepared pgbench on tables with the same columns and indexes in
the same PostgreSQL (`bench/baseline/`): for a send, one transaction per message with both inserts and both conversation
upserts, in one call of a function.

{_table(['', 'Parley, 1/s', 'baseline, 1/s', 'ratio', 'p99, ms'],
        [[row['title'], f"{row['parley']['rate']:,.0f}", f"{row['baseline']['rate']:,.0f}", f"{row['ratio']:.2f}",
          f"{row['parley']['p99_ms']:.1f}"] for row in rows])}

CPU time per request in microseconds:

{_table(['', *PARTS], [line for row in rows for line in (
        [row['title'], *_cpu(row['parley']['cpu_us'])],
        ['its baseline', *_cpu({k: v for k, v in row['baseline']['cpu_us'].items() if k in ('PostgreSQL', 'load generator')})],
    )[: 2 if row['protocol'] == 'h1' else 1]])}
"""
    (directory / "RESULTS.md").write_text(text, encoding="utf-8")
    (directory / "results.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {directory / 'RESULTS.md'}")
