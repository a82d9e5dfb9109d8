"""A private PostgreSQL for the session, two fresh databases and a configuration for each test."""

import itertools
import json
import os
import shutil
import subprocess

import jsonschema
import pytest

from cluster import Cluster

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD_DIR = os.path.join(REPOSITORY, os.environ.get("PARLEY_BUILD_DIR", "build/release"))
PARLEYCTL = os.path.join(BUILD_DIR, "src", "parleyctl")

with open(os.path.join(REPOSITORY, "src", "ctl", "output.schema.json"), encoding="utf-8") as stream:
    SCHEMA = jsonschema.Draft202012Validator(json.load(stream))

EXITS = ["ok", "failed", "usage", "pending", "drift", "blocked", "unreachable"]
OK, FAILED, USAGE, PENDING, DRIFT, BLOCKED, UNREACHABLE = range(7)

_numbers = itertools.count()


class Tree:
    """A copy of migrations/ and sql/ that a test may change."""

    def __init__(self, path):
        self.path = str(path)
        for folder in ("migrations", "sql"):
            shutil.copytree(os.path.join(REPOSITORY, folder), os.path.join(self.path, folder))

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.path, name), encoding="utf-8") as file:
            return file.read()

    def next_migration(self, text, folder="database", name="more"):
        number = len(os.listdir(os.path.join(self.path, "migrations", folder))) + 1
        path = f"migrations/{folder}/{number:04d}_{name}.sql"
        self.write(path, text)
        return path


class System:
    """Two databases, called a and b in the configuration; a also has the directory."""

    def __init__(self, cluster, path):
        self.cluster, self.directory = cluster, str(path)
        self.tree = Tree(path)
        self.databases = cluster.take_databases()
        self.sections = {"directory": {"dsn": self.dsn("a", "parley_server"),
                                       "owner_dsn": self.dsn("a", "parley_owner")}}
        for name in self.databases:
            self.sections[f"database {name}"] = {
                "dsn": self.dsn(name, "parley_server"), "direct_dsn": self.dsn(name, "parley_server"),
                "owner_dsn": self.dsn(name, "parley_owner")}

    def empty(self):
        """Makes the databases like new ones. New ones cost a checkpoint each, so this is much cheaper."""
        for name in self.databases:
            self.sql(name, """DO $$ DECLARE s text; BEGIN
                FOR s IN SELECT nspname FROM pg_namespace WHERE nspname ~ '^(parley|directory|shard_.*)$'
                LOOP EXECUTE format('DROP SCHEMA %I CASCADE', s); END LOOP; END $$;
                ALTER DEFAULT PRIVILEGES FOR ROLE parley_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC""")

    def close(self):
        self.empty()
        self.cluster.give_back(self.databases)

    def dsn(self, name, user, host=None, port=5432):
        return self.cluster.dsn(self.databases[name], user, host, port)

    def sql(self, name, text, user="postgres"):
        return self.cluster.sql(self.databases[name], text, user)

    def scalar(self, name, text, user="postgres"):
        return self.cluster.scalar(self.databases[name], text, user)

    def config(self):
        """Written again for each use, in another directory, because a process may still read the last one."""
        directory = os.path.join(self.directory, f"configuration{next(_numbers)}")
        os.mkdir(directory)
        for name, is_owner in (("parley.ini", False), ("parleyctl.ini", True)):
            with open(os.path.join(directory, name), "w", encoding="utf-8") as ini:
                for section, keys in self.sections.items():
                    chosen = {key: value for key, value in keys.items() if (key == "owner_dsn") == is_owner}
                    if chosen or not is_owner:
                        ini.write(f"[{section}]\n")
                    ini.writelines(f"{key} = {value}\n" for key, value in chosen.items())
        return os.path.join(directory, "parley.ini")

    def command(self, *words):
        arguments = [PARLEYCTL, "-c", self.config(), *words]
        if not words[:1] == ("shard",):
            arguments += ["--sql-dir", self.tree.path]
        return arguments

    def start(self, *words):
        return subprocess.Popen(self.command(*words, "--json"), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def finish(self, process, expected):
        out, err = process.communicate(timeout=100)
        assert process.returncode == expected, f"{process.returncode}: {out}{err}"
        report = json.loads(out)
        SCHEMA.validate(report)
        assert report["exitCode"] == expected and report["exit"] == EXITS[expected]
        assert (report["message"] is None) == (expected == OK)
        if expected != OK:
            assert f"{EXITS[expected]}: {report['message']}" in err
        return report

    def ctl(self, *words, expected=OK):
        """Runs it with --json; returns the object, which is checked against the schema."""
        return self.finish(self.start(*words), expected)

    def text(self, *words, expected=OK):
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=100)
        assert done.returncode == expected, done.stdout + done.stderr
        return done.stdout

    def init(self, shards=4, expected=OK):
        return self.ctl("init", "--shards", str(shards), "--databases", "a,b", expected=expected)


def target(report, name):
    """The report's part for a target: a database's name, or None for the directory."""
    return next(item for item in report["targets"] if item["database"] == name)


@pytest.fixture(scope="session")
def cluster():
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture
def system(cluster, tmp_path):
    system = System(cluster, tmp_path)
    yield system
    cluster.stop_poolers()
    system.close()


@pytest.fixture
def ready(system):
    """A system of four shards."""
    system.init()
    return system
