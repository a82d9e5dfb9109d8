"""A private stack (PostgreSQL, PgBouncer, parleyd, HAProxy) from scripts/stack, and a test's own parleyd beside or
instead of the stack's.

PARLEY_BUILD_DIR names the build that the stack runs (default build/release).
"""

import atexit
import configparser
import contextlib
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import psycopg2

from harness import logs
from harness.contract import REPOSITORY
from harness.proxy import Proxy

BUILD_DIR = os.path.join(REPOSITORY, os.environ.get("PARLEY_BUILD_DIR", "build/release"))
PARLEYD = os.path.join(BUILD_DIR, "src", "parleyd")
# Time limits are multiplied by this, because sanitizers and a busy machine make everything slower.
IS_SANITIZED = any(word in BUILD_DIR for word in ("asan", "tsan"))
SLOWNESS = int(os.environ.get("PARLEY_TEST_SLOWNESS", 0)) or (
    4 if any(word in BUILD_DIR for word in ("asan", "tsan", "debug")) else 1)
SANITIZER_ENVIRONMENT = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "TSAN_OPTIONS": "second_deadlock_stack=1:exitcode=99",
}


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


# Limit for something that came by its wake-up and not by the next heartbeat (15 s), also on a busy machine.
PROMPTLY = min(5 * SLOWNESS, 12)


def cpu_seconds(pid):
    """The processor time that a process has used: its cost, whatever else the machine does."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stream:
        fields = stream.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(predicate, timeout, what):
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(0.02)


_given_ports = set()


def free_port():
    """A free port below the range of outgoing connections, which clients do not use. Never returns a port twice."""
    while True:
        port = random.SystemRandom().randrange(10240, 32000)
        with socket.socket() as probe:
            if port not in _given_ports and probe.connect_ex(("127.0.0.1", port)) != 0:
                _given_ports.add(port)
                return port


def dsn_fields(dsn):
    return dict(part.split("=", 1) for part in shlex.split(dsn))


def is_ready(admin_url):
    try:
        with urllib.request.urlopen(admin_url + "/readyz", timeout=2) as response:
            return response.status == 200
    except (OSError, urllib.error.URLError):
        return False


class Stack:
    def __init__(self, directory, options):
        self.directory, self.options = directory, options
        self.env = {}

    @classmethod
    def start(cls, edge=False, parleyd=True, shards=16, settings=()):
        """settings: "section.key=value" for parley.ini."""
        # Processes of other users must be able to reach it, so it must not be under a directory of mode 700.
        directory = tempfile.mkdtemp(prefix="parley-test-")
        os.chmod(directory, 0o711)
        options = ["--parleyd", PARLEYD, "--shards", str(shards)]
        options += [] if edge else ["--no-edge"]
        options += [] if parleyd else ["--no-parleyd"]
        if IS_SANITIZED and os.geteuid() == 0:
            # A process that has changed its user cannot be traced, and the leak check of ASan traces it.
            options += ["--set", "server.user=root"]
        for setting in settings:
            options += ["--set", setting]
        for name, value in SANITIZER_ENVIRONMENT.items():
            options += ["--env", f"{name}={value}"]
        stack = cls(os.path.join(directory, "data"), options)
        atexit.register(stack._remove)
        stack.command("start", *options)
        return stack

    def command(self, action, *arguments):
        result = subprocess.run([os.path.join(REPOSITORY, "scripts", "stack"), action, *arguments, "--dir",
                                 self.directory], capture_output=True, text=True, timeout=180, check=False,
                                stdin=subprocess.DEVNULL)
        assert result.returncode == 0, f"stack {action} {arguments}: {result.stderr}{result.stdout}"
        env_file = os.path.join(self.directory, "stack.env")
        if os.path.exists(env_file):
            with open(env_file, encoding="utf-8") as stream:
                self.env = dict(word.split("=", 1) for word in shlex.split(stream.read()))

    def stop(self):
        """Stops everything in order and removes it. Reports of sanitizers at the end are errors too."""
        if not os.path.exists(self.directory):
            return
        try:
            reader = logs.LogReader(self.parleyd_log)
            reader.skip()
            self.command("stop")
            found = logs.unexpected(reader.take())
            assert not found, "parleyd at its end:\n" + "\n".join(found[:60])
        finally:
            self._remove()

    def _remove(self):
        if os.path.exists(self.directory):
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                self.command("remove")
        shutil.rmtree(os.path.dirname(self.directory), ignore_errors=True)

    url = property(lambda self: self.env["PARLEY_URL"])
    edge_url = property(lambda self: self.env["PARLEY_HTTPS_URL"])
    admin_url = property(lambda self: self.env["PARLEY_ADMIN_URL"])
    config_path = property(lambda self: self.env["PARLEY_CONFIG"])
    parleyd_log = property(lambda self: os.path.join(self.directory, "log", "parleyd.log"))
    databases = property(lambda self: self.env["PARLEY_DATABASES"].split())

    @property
    def jwt_key(self):
        with open(self.env["PARLEY_JWT_KEY"], "rb") as stream:
            return stream.read().rstrip()

    def write_key(self, name, key):
        """Writes a file that only the user of parleyd can read; returns its path."""
        path = os.path.join(self.directory, name)
        config = configparser.RawConfigParser(strict=False)
        config.read(self.config_path)
        with open(path, "wb", opener=lambda *arguments: os.open(*arguments, 0o600)) as stream:
            stream.write(key)
        if os.geteuid() == 0:
            shutil.chown(path, config["server"]["user"])
        return path

    @property
    def shards(self):
        return int(self.options[self.options.index("--shards") + 1])

    def pid(self, service):
        with open(os.path.join(self.directory, "run", f"{service}.pid"), encoding="ascii") as stream:
            return int(stream.read())

    def parleyd_pid(self):
        pid = self.pid("parleyd")
        return pid if is_alive(pid) else None

    # Services

    def start_service(self, name):
        self.command("start", name)

    def stop_service(self, name):
        self.command("stop", name)

    def kill(self, name, signal_number=signal.SIGKILL):
        """For PostgreSQL, kill -9 of the postmaster; its children notice it and end by themselves."""
        pid = self.pid(name)
        os.kill(pid, signal_number)
        if signal_number in (signal.SIGKILL, signal.SIGQUIT):
            wait_until(lambda: not is_alive(pid), 20, f"{name} dies")

    # SQL, as the owner or the superuser, without the pooler

    def connect(self, database, role="OWNER"):
        connection = psycopg2.connect(self.env[f"{database.upper()}_{role}_DSN"])
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def session(self, database, role="SUPERUSER", autocommit=True):
        connection = self.connect(database, role)
        connection.autocommit = autocommit
        try:
            yield connection.cursor()
        finally:
            connection.close()

    def query(self, database, statement, parameters=(), role="SUPERUSER"):
        with self.session(database, role) as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else None

    def shards_by_database(self):
        directory = configparser.RawConfigParser(strict=False)
        directory.read(self.config_path)
        database = dsn_fields(directory["directory"]["dsn"])["dbname"]
        placed = {}
        for shard, name in self.query(database, "SELECT shard, database_name FROM directory.shard ORDER BY 1"):
            placed.setdefault(name, []).append(shard)
        return placed

    @contextlib.contextmanager
    def mailboxes_held(self, user):
        """Makes reads and writes of mailboxes of the user's shard wait until the block ends or the connection is closed."""
        with self.session(self.database_of(user.id), autocommit=False) as cursor:
            cursor.execute(f"LOCK {self.schema_of(user.id)}.mailbox IN ACCESS EXCLUSIVE MODE")
            yield cursor.connection

    def wait_until_blocked(self, user):
        """Waits until a statement of the server waits for a lock in the user's database."""
        wait_until(lambda: self.query(self.database_of(user.id), "SELECT count(*) FROM pg_stat_activity WHERE usename = "
                                      "'parley_server' AND datname = current_database() AND wait_event_type = 'Lock'") != [(0,)],
                   20 * SLOWNESS, "a statement waits for the lock")

    def database_of(self, user_id):
        shard = int(user_id) >> 50
        return next(name for name, shards in self.shards_by_database().items() if shard in shards)

    def schema_of(self, user_id):
        return f"shard_{int(user_id) >> 50:04d}"


class Parleyd:
    """A test's own parleyd on the stack's databases. It may have other settings, use proxies, and be killed. `overrides`:
    {"section": {"key": value}}; a value None removes the key."""

    def __init__(self, stack, overrides=None, proxied=False):
        self.stack = stack
        self.directory = tempfile.mkdtemp(prefix="parleyd-")
        atexit.register(self.close)
        self.log_path = os.path.join(self.directory, "log")
        self.process = None
        self.proxies, self.direct_proxies = {}, {}
        self.port, self.admin_port = free_port(), free_port()
        config = configparser.RawConfigParser(strict=False)
        config.optionxform = str
        config.read(stack.config_path)
        config["server"]["http_port"], config["server"]["admin_port"] = str(self.port), str(self.admin_port)
        if proxied:
            self._insert_proxies(config)
        for section, values in (overrides or {}).items():
            if section not in config:
                config.add_section(section)
            for key, value in values.items():
                if value is None:
                    config.remove_option(section, key)
                else:
                    config[section][key] = str(value)
        self.config_path = os.path.join(self.directory, "parley.ini")
        with open(self.config_path, "w", encoding="utf-8") as stream:
            config.write(stream, space_around_delimiters=False)

    def _insert_proxies(self, config):
        pooler, server = (int(self.stack.env[f"PARLEY_{n}_PORT"]) for n in ("PGBOUNCER", "POSTGRESQL"))
        directory = dsn_fields(config["directory"]["dsn"])["dbname"]
        for name in self.stack.databases:
            section = config[f"database {name}"]
            self.proxies[name] = Proxy("127.0.0.1", pooler)
            self.direct_proxies[name] = Proxy("127.0.0.1", server)
            section["dsn"] = self._through(self.proxies[name], section["dsn"])
            section["direct_dsn"] = self._through(self.direct_proxies[name], section["direct_dsn"])
        config["directory"]["dsn"] = self._through(self.direct_proxies[directory], config["directory"]["dsn"])

    @staticmethod
    def _through(proxy, dsn):
        fields = {**dsn_fields(dsn), "host": "127.0.0.1", "port": str(proxy.port)}
        return " ".join(f"{k}={v}" for k, v in fields.items())

    url = property(lambda self: f"http://127.0.0.1:{self.port}")
    admin_url = property(lambda self: f"http://127.0.0.1:{self.admin_port}")

    def set_proxies(self, mode, databases=None):
        """Sets the mode of the proxies of the databases (default: all), both pooled and direct."""
        for name in databases or self.proxies:
            self.proxies[name].set(mode)
            self.direct_proxies[name].set(mode)

    def spawn(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                [PARLEYD, "-c", self.config_path], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **SANITIZER_ENVIRONMENT}, start_new_session=True)
        return self

    def start(self, timeout=30):
        """Returns when it is ready. If it does not become ready, it is removed."""
        self.spawn()
        try:
            wait_until(lambda: self.process.poll() is not None or is_ready(self.admin_url), timeout * SLOWNESS,
                       "parleyd is ready")
            assert self.process.poll() is None, f"parleyd exited {self.process.returncode}: {self.log()[-2000:]}"
        except BaseException:
            self.close()
            raise
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def kill(self):
        self.process.kill()
        self.process.wait(20)

    def terminate(self, timeout=10):
        """Sends SIGTERM; returns the exit status and the seconds that it took."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout * SLOWNESS)
        return status, time.monotonic() - start

    def close(self):
        atexit.unregister(self.close)
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15 * SLOWNESS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for proxy in (*self.proxies.values(), *self.direct_proxies.values()):
            proxy.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def close_and_judge(self, expected_events=()):
        """Ends it in order, so that a sanitizer can report, and then checks its whole log."""
        if self.process is not None and self.process.poll() is None:
            self.terminate(15)
        try:
            self.check_log(expected_events)
        finally:
            self.close()

    def check_log(self, expected_events=()):
        lines = [line for line in self.log().splitlines() if line]
        found = logs.unexpected(lines, expected_events)
        assert not found, "unexpected in the log of parleyd:\n" + "\n".join(found[:40])
