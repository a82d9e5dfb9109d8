"""A static response of parleyd over h2c, compared with the same from bare libh2o, each on one thread.

Two responses are measured: a 304, which has no body and shows the cost of a request, and the OpenAPI document, which is large.
"""

import re
import subprocess
import urllib.request
from pathlib import Path

from generators import H2C_CONNECTIONS, H2C_STREAMS, measured, median_of

PATH = "/openapi.json"


class BareServer:
    def __init__(self, bench, content, headers):
        path = Path(bench.directory, "static")
        path.write_bytes(content)
        self.command = [bench.arguments.bare_h2o, path, headers["ETag"], headers["Content-Type"]]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def _run(bench, url, pid, headers):
    """h2load can send any request; parley-load cannot."""
    command = ["h2load", "-D", f"{bench.arguments.seconds * 1000:.0f}ms", "-c", H2C_CONNECTIONS, "-m", H2C_STREAMS, "-t", 1,
               *(word for header in headers for word in ("-H", header)), url + PATH]

    def read(output):
        done = re.search(r"requests: \d+ total, \d+ started, (\d+) done, \d+ succeeded, (\d+) failed", output)
        rate = re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", output)
        if not (done and rate):
            return None
        return {"requests": int(done[1]), "rate": float(rate[1]), "failed": int(done[2])}

    figures = measured(bench.stack, command, read, {"server": pid})
    figures["server_cores"] = figures["cpu_us"]["server"] * figures["requests"] / 1e6 / bench.arguments.seconds
    if figures["failed"]:
        bench.failures.append(f"{url}{PATH}: {figures['failed']} failed")
    return figures


def measure(bench):
    bench.stack.restart_parleyd("server.workers=1")
    with urllib.request.urlopen(bench.stack.url + PATH) as answer:
        content, headers = answer.read(), answer.headers
    rows = []
    with BareServer(bench, content, headers) as bare:
        for title, sent in (("304, no body", [f"If-None-Match: {headers['ETag']}"]), (f"{len(content):,} bytes", [])):
            runs = {"parleyd": [], "libh2o": []}
            for number in range(bench.arguments.repeats + 1):
                for name, url, pid in (("parleyd", bench.stack.url, bench.stack.pid("parleyd")),
                                       ("libh2o", bare.url, bare.process.pid)):
                    figures = _run(bench, url, pid, sent)
                    if number > 0:
                        runs[name].append(figures)
            rows.append({"title": title, **{name: median_of(results) for name, results in runs.items()}})
            print(f"{title}: parleyd {rows[-1]['parleyd']['rate']:,.0f}/s, libh2o {rows[-1]['libh2o']['rate']:,.0f}/s",
                  flush=True)
    bench.stack.restart_parleyd()
    return rows
