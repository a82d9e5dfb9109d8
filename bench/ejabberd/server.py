"""ejabberd with its message archive in a given PostgreSQL server, and a load that is compared with Parley's sends.

with Ejabberd(directory, superuser_dsn, postgresql_pid, xmpp_load) as ejabberd:
    result = ejabberd.load(seconds)

It runs in the directory, on a port of its own, without Erlang's distribution, so without epmd and cookie. Its
database and role are created at the start and dropped at the end.
"""

import grp
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import string
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import psycopg2
import psycopg2.extensions

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent))

from cpu import Meter  # noqa: E402

NAME = "ejabberd"  # of its database, of its role, and of the user that it runs as if started by root
SCHEMA = Path("/usr/share/ejabberd/sql/pg.sql")
# ejabberd's default. With 4 it is slower; with 24 and 40 it is not faster on two cores.
SQL_POOL_SIZE = 10
# Without these, schedulers spin while they wait: that takes CPU from PostgreSQL and counts as ejabberd's.
ERLANG_OPTIONS = "+K true +P 250000 +sbwt none +sbwtdcpu none +sbwtdio none".split()
START_LIMIT_S = 60
STOP_LIMIT_S = 30

BOTH_COPIES = """
SELECT count(*) FROM (
    SELECT FROM archive WHERE txt LIKE %s || '-%%' GROUP BY txt
    HAVING count(*) = 2
       AND min(username) || '@localhost' = min(bare_peer) AND max(username) || '@localhost' = max(bare_peer)
       AND min(username) <> max(username)
) AS message"""


def install():
    """Installs Debian's packages if they are missing; their service is not started."""
    done = subprocess.run(
        ["bash", "-c", '. "$1/scripts/lib/common.bash" && . "$1/scripts/lib/install.bash" && install_packages ejabberd',
         "bench/ejabberd", ROOT], check=False,
    )
    if done.returncode != 0:
        sys.exit(done.returncode)


def _free_port():
    """Returns a port below 32768, where the kernel takes no port for outgoing connections."""
    for _ in range(100):
        port = random.randrange(10240, 32240)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    sys.exit("bench/ejabberd: no free TCP port found in 10240 to 32240")


class Ejabberd:
    """A running ejabberd with users u0000, u0001 and so on."""

    def __init__(self, directory, superuser_dsn, postgresql_pid, xmpp_load, clients=200):
        install()
        self.directory, self.xmpp_load, self.clients = Path(directory), str(xmpp_load), clients
        self.superuser_dsn, self.postgresql_pid = superuser_dsn, postgresql_pid
        self.port, self.password = _free_port(), secrets.token_hex(16)
        self.process = None

    def __enter__(self):
        try:
            self._create_database()
            self._start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    def _database(self, name):
        connection = psycopg2.connect(psycopg2.extensions.make_dsn(self.superuser_dsn, dbname=name))
        connection.autocommit = True
        return connection

    def _create_database(self):
        with self._database("postgres").cursor() as cursor:
            cursor.execute(f"CREATE ROLE {NAME} LOGIN PASSWORD %s", (self.password,))
            cursor.execute(f"CREATE DATABASE {NAME} OWNER {NAME} TEMPLATE template0")
        with self._database(NAME).cursor() as cursor:
            cursor.execute(f"SET ROLE {NAME}")
            cursor.execute(SCHEMA.read_text(encoding="utf-8"))
            cursor.execute(
                "INSERT INTO users (username, password) SELECT 'u' || lpad(n::text, 4, '0'), %s"
                " FROM generate_series(0, %s) AS n", (self.password, self.clients - 1),
            )
            cursor.execute("RESET ROLE")
            cursor.execute("VACUUM ANALYZE")

    def _start(self):
        self.directory.mkdir()
        template = string.Template((HERE / "ejabberd.yml").read_text(encoding="utf-8"))
        config = self.directory / "ejabberd.yml"
        config.touch(0o600)
        config.write_text(template.substitute(
            port=self.port, sql_port=psycopg2.extensions.parse_dsn(self.superuser_dsn)["port"], database=NAME,
            role=NAME, password=self.password, sql_pool_size=SQL_POOL_SIZE,
        ), encoding="utf-8")
        self.log = self.directory / "ejabberd.log"
        command = ["setpriv", "--pdeathsig", "TERM"]
        if os.getuid() == 0:
            # The schema of its package. PostgreSQL is reached over TCP, like a server on another machine.
            uid, gid = pwd.getpwnam(NAME).pw_uid, grp.getgrnam(NAME).gr_gid
            for path in (self.directory, config):
                os.chown(path, uid, gid)
            command += ["--reuid", NAME, "--regid", NAME, "--init-groups", "--inh-caps=-all"]
        # The same as `ejabberdctl foreground`, but for any user.
        command += ["--", "erl", *ERLANG_OPTIONS, "-noinput", "-mnesia", "dir", f'"{self.directory}/mnesia"',
                    "-s", "ejabberd"]
        environment = {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.directory),
            "ERL_LIBS": f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}", "ERL_CRASH_DUMP_BYTES": "0",
            "EJABBERD_CONFIG_PATH": str(config), "EJABBERD_LOG_PATH": str(self.log),
        }
        with open(self.directory / "output.log", "ab") as output:
            self.process = subprocess.Popen(command, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, start_new_session=True)
        self._wait_until_it_answers()

    def _wait_until_it_answers(self):
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        words = "".join(path.read_text(errors="replace")[-2000:] for path in sorted(self.directory.glob("*.log")))
        sys.exit(f"bench/ejabberd: ejabberd does not start:\n{words}")

    def _remove(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        with self._database("postgres").cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
            cursor.execute(f"DROP ROLE IF EXISTS {NAME}")
        shutil.rmtree(self.directory, ignore_errors=True)

    def load(self, seconds):
        """Makes one run; logging in is not counted. Returns the same as measured() of bench/run: rate, failed, p50_ms, p99_ms,
        cpu_us by part, requests; and seconds. Ends the program if the archive lacks a copy."""
        run = secrets.token_hex(4)
        command = [self.xmpp_load, "--port", self.port, "--password", self.password, "--clients", self.clients,
                   "--seconds", seconds, "--run", run]
        with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:
            if process.stdout.readline() != "ready\n":
                sys.exit("bench/ejabberd: the clients could not log in")
            with Meter({"ejabberd": self.process.pid, "PostgreSQL": self.postgresql_pid}) as meter:
                output = process.communicate("go\n")[0]
        if process.returncode != 0:
            sys.exit("bench/ejabberd: the load failed")
        figures = json.loads(output)
        messages = figures["messages"]
        self._check_archive(run, messages)
        return {
            "rate": figures["rate"],
            "failed": figures["failed"],
            "p50_ms": figures["p50_us"] / 1000,
            "p99_ms": figures["p99_us"] / 1000,
            "cpu_us": {name: used / max(messages, 1) * 1e6 for name, used in meter.seconds.items()},
            "seconds": figures["seconds"],
            "requests": messages,
        }

    def _check_archive(self, run, messages):
        with self._database(NAME).cursor() as cursor:
            cursor.execute(BOTH_COPIES, (run,))
            archived = cursor.fetchone()[0]
        if archived < messages:
            sys.exit(f"bench/ejabberd: of {messages} messages the archive has both copies of {archived}")
