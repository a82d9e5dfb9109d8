"""A throwaway PostgreSQL for one test run: a private directory, a Unix socket, no port.

Root runs it as the user postgres, because PostgreSQL refuses to run as root. fsync is off, because nothing here outlives
the run. stop() removes it with its directory, and the kernel ends it if the test run dies."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time

import psycopg2

BIN = "/usr/lib/postgresql/15/bin"

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "log_min_messages": "warning",
    "deadlock_timeout": "200ms",
    "autovacuum": "off",
    "timezone": "UTC",
}


def _as_postgres(*command):
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups", "--inh-caps=-all",
            "--pdeathsig", "INT", "--", *command]


class Cluster:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="parley-sql-")
        self.dsn = f"host={self.directory} port=5432 user=postgres dbname=postgres"
        self.process = None

    def start(self):
        if os.geteuid() == 0:
            postgres = pwd.getpwnam("postgres")
            os.chown(self.directory, postgres.pw_uid, postgres.pw_gid)
        data = os.path.join(self.directory, "data")
        subprocess.run(_as_postgres(f"{BIN}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
                                    "-E", "UTF8", "--locale=C.UTF-8"),
                       check=True, stdout=subprocess.DEVNULL, cwd="/")
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        with open(os.path.join(self.directory, "log"), "wb") as log:
            self.process = subprocess.Popen(
                _as_postgres(f"{BIN}/postgres", "-D", data, "-k", self.directory, *settings),
                stdout=log, stderr=log, cwd="/")
        self._wait_until_ready()

    def _wait_until_ready(self):
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg2.connect(self.dsn).close()
                return
            except psycopg2.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("PostgreSQL did not start:\n" + self.log())
                time.sleep(0.05)

    def log(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        if self.process is not None:
            subprocess.run(_as_postgres(f"{BIN}/pg_ctl", "-D", os.path.join(self.directory, "data"), "-m", "immediate",
                                        "-w", "stop"), stdout=subprocess.DEVNULL, cwd="/", check=False)
            self.process.wait(10)
        shutil.rmtree(self.directory)
