"""A person's view of scripts/quickstart at a terminal, and a client's view of the edge."""

import os
import shutil
import subprocess
import tempfile

import pytest

from harness.contract import REPOSITORY
from harness.stack import Stack, free_port, wait_until

QUICKSTART = os.path.join(REPOSITORY, "scripts", "quickstart")


class Quickstart:
    """One data directory and three ports. `start` runs the script on them until `stop`."""

    def __init__(self):
        self.parent = tempfile.mkdtemp(prefix="quickstart-")
        os.chmod(self.parent, 0o711)
        self.data = os.path.join(self.parent, "data")
        self.http_port, self.https_port, self.admin_port = free_port(), free_port(), free_port()
        self.log_path = os.path.join(self.parent, "said")
        self.process = None

    def environment(self, **changes):
        return {**os.environ, "PARLEY_DATA_DIR": self.data, "PARLEY_HTTP_PORT": str(self.http_port),
                "PARLEY_HTTPS_PORT": str(self.https_port), "PARLEY_ADMIN_PORT": str(self.admin_port), **changes}

    def start(self, **changes):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                [QUICKSTART, "--no-build"], env=self.environment(**changes), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True)
        wait_until(lambda: "Ctrl-C" in self.said() or self.process.poll() is not None, 60, "the quickstart runs")
        assert self.process.poll() is None, self.said()

    def refuse(self, **changes):
        """Runs it when it must not start; returns the one line that it prints."""
        result = subprocess.run([QUICKSTART, "--no-build"], env=self.environment(**changes), capture_output=True,
                                stdin=subprocess.DEVNULL, text=True, timeout=60, check=False)
        assert result.returncode == 1 and result.stdout == "", result
        lines = result.stderr.splitlines()
        assert len(lines) == 1, result.stderr
        return lines[0]

    def said(self):
        with open(self.log_path, encoding="utf-8") as stream:
            return stream.read()

    def pid(self, service):
        with open(os.path.join(self.data, "run", f"{service}.pid"), encoding="ascii") as stream:
            return int(stream.read())

    def stop(self, signal_number):
        self.process.send_signal(signal_number)
        return self.process.wait(30)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        shutil.rmtree(self.parent, ignore_errors=True)


@pytest.fixture
def quickstart():
    made = Quickstart()
    yield made
    made.close()


@pytest.fixture(scope="module")
def stack():
    started = Stack.start(edge=True)
    yield started
    started.stop()
