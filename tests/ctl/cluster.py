"""A throwaway PostgreSQL with PgBouncers in a private directory, all on Unix sockets there, so that no port is used.
Nothing of it remains after close()."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

import psycopg2

PG_BIN = "/usr/lib/postgresql/15/bin"
SERVICE_USER = "postgres"  # both refuse to run as root
ROLES_SQL = """
CREATE ROLE parley_owner LOGIN;
CREATE ROLE parley_server LOGIN;
ALTER ROLE parley_server SET statement_timeout = '5s';
ALTER ROLE parley_server SET lock_timeout = '3s';
ALTER ROLE parley_server SET idle_in_transaction_session_timeout = '10s';
"""


def as_service(command):
    if os.getuid() != 0:
        return command
    return ["setpriv", f"--reuid={SERVICE_USER}", f"--regid={SERVICE_USER}", "--init-groups", "--",
            *command]


def give(path):
    if os.getuid() == 0:
        user = pwd.getpwnam(SERVICE_USER)
        os.chown(path, user.pw_uid, user.pw_gid)


def wait_for(path, process, timeout=10):
    deadline = time.monotonic() + timeout
    while not os.path.exists(path):
        assert process.poll() is None, "it ended at once"
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.01)


class Cluster:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="parley-ctl-", dir="/tmp")
        os.chmod(self.directory, 0o755)
        self.data = os.path.join(self.directory, "data")
        self.poolers = []
        self.process = None
        self.spare, self.taken = [], 0
        give(self.directory)
        subprocess.run(as_service([f"{PG_BIN}/initdb", "-D", self.data, "-A", "trust", "-U", "postgres",
                                   "--no-sync", "--no-instructions"]), check=True, cwd="/",
                       stdout=subprocess.DEVNULL)
        self.settings = {"wal_level": "logical", "listen_addresses": "", "shared_buffers": "32MB",
                         "max_connections": "100", "unix_socket_directories": self.directory}
        self.start()
        self.sql("postgres", ROLES_SQL)

    def start(self):
        options = [word for item in self.settings.items() for word in ("-c", "=".join(item))]
        self.process = subprocess.Popen(
            as_service([f"{PG_BIN}/postgres", "-D", self.data, *options]), cwd="/",
            stdout=subprocess.DEVNULL, stderr=open(f"{self.directory}/log", "ab"))
        wait_for(f"{self.directory}/.s.PGSQL.5432", self.process)
        deadline = time.monotonic() + 20
        while True:
            try:
                self.connect("postgres").close()
                return
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL does not start"
                time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # fast shutdown
        self.process.wait(20)

    def restart(self, **settings):
        self.stop()
        self.settings.update(settings)
        self.start()

    def take_databases(self):
        """Two empty databases, called a and b. New ones are created if none were given back."""
        if self.spare:
            return self.spare.pop()
        self.taken += 1
        databases = {name: f"{name}{self.taken}" for name in ("a", "b")}
        for name in databases.values():
            self.sql("postgres", f"CREATE DATABASE {name} OWNER parley_owner")
        return databases

    def give_back(self, databases):
        self.spare.append(databases)

    def connect(self, database, user="postgres"):
        conn = psycopg2.connect(host=self.directory, port=5432, dbname=database, user=user)
        conn.autocommit = True
        return conn

    def sql(self, database, text, user="postgres"):
        """Rows of the last statement, or None."""
        conn = self.connect(database, user)
        try:
            with conn.cursor() as cursor:
                cursor.execute(text)
                return cursor.fetchall() if cursor.description else None
        finally:
            conn.close()

    def scalar(self, database, text, user="postgres"):
        return self.sql(database, text, user)[0][0]

    def dsn(self, database, user, host=None, port=5432):
        return f"host={host or self.directory} port={port} dbname={database} user={user}"

    def pooler(self, mode, databases="", **settings):
        """A PgBouncer in front of every database; returns the directory of its socket. `databases`: special lines for
        some of them."""
        directory = tempfile.mkdtemp(prefix="pooler-", dir=self.directory)
        os.chmod(directory, 0o755)
        give(directory)
        with open(f"{directory}/users", "w", encoding="ascii") as users:
            users.write('"parley_server" ""\n"parley_owner" ""\n')
        values = {"pool_mode": mode, "listen_addr": "", "listen_port": "6432", "auth_type": "trust",
                  "auth_file": f"{directory}/users", "unix_socket_dir": directory,
                  "stats_users": "parley_server", "default_pool_size": "20", "ignore_startup_parameters": "",
                  **settings}
        with open(f"{directory}/pgbouncer.ini", "w", encoding="ascii") as ini:
            ini.write(f"[databases]\n{databases}\n* = host={self.directory} port=5432\n[pgbouncer]\n")
            ini.writelines(f"{key} = {value}\n" for key, value in values.items())
        process = subprocess.Popen(as_service(["/usr/sbin/pgbouncer", "-q", f"{directory}/pgbouncer.ini"]),
                                   cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.poolers.append(process)
        wait_for(f"{directory}/.s.PGSQL.6432", process)
        return directory

    def stop_poolers(self):
        while self.poolers:
            process = self.poolers.pop()
            process.kill()
            process.wait(10)

    def close(self):
        self.stop_poolers()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)
        shutil.rmtree(self.directory)
