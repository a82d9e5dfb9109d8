"""Rate and latency of sends against the number of clients, each with one request at a time."""

from generators import repeated, run_load, run_pgbench

# PostgreSQL's max_connections is 200, and Parley uses some of them.
BASELINE_MOST = 100


def measure(bench):
    points = []
    for clients in (4, 16) if bench.arguments.short else (1, 4, 16, 64, 200, 400):
        point = {"clients": clients, "parley": repeated(bench, lambda: run_load(bench, "send", "h1", [clients]))}
        if clients <= BASELINE_MOST:
            point["baseline"] = repeated(bench, lambda: run_pgbench(bench, "baseline/send", clients))
        points.append(point)
        print(f"{clients} clients: {point['parley']['rate']:,.0f}/s, p50 {point['parley']['p50_ms']:.1f} ms, "
              f"p99 {point['parley']['p99_ms']:.1f} ms", flush=True)
    return points
