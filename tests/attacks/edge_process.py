"""A test's own HAProxy with the stack's configuration and other settings (PARLEY_EDGE_...), and what it does."""

import os
import shutil
import signal
import subprocess
import tempfile

from edge_client import tls_socket
from harness.stack import SLOWNESS, free_port, wait_until


def haproxy_directory(stack):
    """Where scripts/stack has put the edge's files: below the link `base` if there is one."""
    base = os.path.join(stack.directory, "base")
    return os.path.join(base if os.path.exists(base) else stack.directory, "haproxy")


class Edge:
    """Looks like a Stack to edge_client. `settings`: PARLEY_EDGE_ADDRESS_CONNECTIONS=5 and so on."""

    def __init__(self, stack, server_port=None, **settings):
        self.port = free_port()
        self.directory = tempfile.mkdtemp(prefix="edge-")
        files = haproxy_directory(stack)
        server_port = server_port or int(stack.url.rsplit(":", 1)[1])
        environment = {**os.environ, "PARLEY_EDGE_BIND": f"127.0.0.1:{self.port}",
                       "PARLEY_EDGE_CERTIFICATE": os.path.join(files, "server.pem"),
                       "PARLEY_EDGE_SERVER": f"127.0.0.1:{server_port}", "PARLEY_EDGE_MAXCONN": "4000",
                       **{name: str(value) for name, value in settings.items()}}
        self.access_log, self.log = (os.path.join(self.directory, name) for name in ("access.log", "log"))
        with open(self.access_log, "wb") as access, open(self.log, "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                ["/usr/sbin/haproxy", "-db", "-f", os.path.join(files, "haproxy.cfg")], stdin=subprocess.DEVNULL,
                stdout=access, stderr=log, env=environment, start_new_session=True)
        try:
            wait_until(self._answers, 20 * SLOWNESS, "the edge answers")
        except BaseException:
            self.close()
            raise

    edge_url = property(lambda self: f"https://localhost:{self.port}")
    pid = property(lambda self: self.process.pid)

    def _answers(self):
        assert self.process.poll() is None, self.read_log()
        try:
            tls_socket(self, ["http/1.1"]).close()
        except OSError:
            return False
        return True

    def read_log(self):
        with open(self.log, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def resident_mib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as stream:
            return next(int(line.split()[1]) for line in stream if line.startswith("VmRSS:")) / 1024

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def close(self):
        """Fails if it has died before."""
        died = self.process.poll()
        if died is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        log = self.read_log()
        shutil.rmtree(self.directory, ignore_errors=True)
        assert died is None, f"the edge died with {died}: {log[-2000:]}"
