"""The time from when a send was due until its event arrives on the recipient's stream, at half of the highest rate."""

from generators import peak, repeated, run_load

CONNECTIONS = {"h1": [200], "h2c": [8, "--streams", 25]}


def measure(bench):
    result = {}
    receivers = min(100, bench.arguments.users // 4)

    def run(protocol, rate):
        figures = run_load(bench, "push", protocol, CONNECTIONS[protocol], rate, options=("--receivers", receivers))
        for name in ("p50", "p99"):
            figures[f"event_{name}_ms"] = figures["event_latency_us"][name] / 1000
        return figures

    for protocol in CONNECTIONS:
        rate = peak(bench, protocol) / 2
        result[protocol] = repeated(bench, lambda: run(protocol, rate), "event_p99_ms")
        print(f"send to event, {protocol}: {rate:,.0f}/s, p50 {result[protocol]['event_p50_ms']:.1f} ms, "
              f"p99 {result[protocol]['event_p99_ms']:.1f} ms", flush=True)
    return result
