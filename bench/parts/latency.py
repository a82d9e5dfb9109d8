"""The time of a send: at half of the highest rate, and of a single client compared with one commit of PostgreSQL."""

from pathlib import Path

from generators import median_of, peak, repeated, run_load, run_pgbench
from stack import BASELINE


def _commit(bench):
    """pgbench prints only the mean; the third column of its log is the time of each transaction."""
    prefix = Path(bench.directory, "commit")
    figures = run_pgbench(bench, "commit", 1, ("--log", "--log-prefix", prefix))
    times = []
    for log in prefix.parent.glob("commit.*"):
        times += sorted(int(line.split()[2]) for line in log.read_text("ascii").splitlines())
        log.unlink()
    for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99)):
        figures[name] = times[int(len(times) * share)] / 1000
    return figures


def measure(bench):
    half = {}
    for protocol in ("h1", "h2c"):
        rate = peak(bench, protocol) / 2
        half[protocol] = repeated(bench, lambda: run_load(bench, "send", protocol, rate=rate), "p99_ms")
        print(f"send at half of the peak, {protocol}: {rate:,.0f}/s, p99 {half[protocol]['p99_ms']:.1f} ms", flush=True)
    connection = bench.stack.connect(BASELINE)
    connection.cursor().execute("CREATE TABLE IF NOT EXISTS one_row (payload text NOT NULL)")
    connection.close()
    single, commit = [], []
    run_load(bench, "send", "h1", [1])
    for _ in range(bench.arguments.repeats):
        commit.append(_commit(bench))
        single.append(run_load(bench, "send", "h1", [1]))
    result = {"half": half, "single": median_of(single, "p50_ms"), "commit": median_of(commit, "p50_ms")}
    print(f"a single client's send: p50 {result['single']['p50_ms']:.2f} ms, one commit "
          f"{result['commit']['p50_ms']:.2f} ms", flush=True)
    return result
