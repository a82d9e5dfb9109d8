"""Databases for the SQL tests.

PARLEY_SQL_TEST_DSN is a superuser's connection to a server on this machine; without it a throwaway server is started.
Each test that asks for `database` gets one of its own: a copy of a template with four shards and tests/sql/helpers.sql.
PARLEY_BUILD_DIR is the build that has the program group_batch (default build/release)."""

import os
import pathlib
import shutil
import tempfile
import uuid

import psycopg2
import psycopg2.extensions
import pytest

import cluster
import schema

HERE = pathlib.Path(__file__).parent
SHARDS = 4
GROUP_BATCH = schema.ROOT / os.environ.get("PARLEY_BUILD_DIR", "build/release") / "tests/sql/group_batch"


def run_on(dsn, *statements):
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def dsn_for(server_dsn, **parts):
    return psycopg2.extensions.make_dsn(server_dsn, **parts)


@pytest.fixture(scope="session")
def server_dsn():
    given = os.environ.get("PARLEY_SQL_TEST_DSN")
    if given:
        yield given
        return
    private = cluster.Cluster()
    try:
        private.start()
        yield private.dsn
    finally:
        private.stop()


@pytest.fixture(scope="session")
def group_batch():
    """Path of a copy of the program that PostgreSQL's own user can run."""
    with tempfile.TemporaryDirectory(prefix="parley-group-batch-") as directory:
        os.chmod(directory, 0o755)
        yield shutil.copy(GROUP_BATCH, directory)


@pytest.fixture(scope="session")
def template(server_dsn, group_batch):
    """Name of the database that tests copy."""
    name = "parley_sql_" + uuid.uuid4().hex[:12]
    connection = psycopg2.connect(server_dsn)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT name FROM unnest(ARRAY['parley_owner', 'parley_server']) AS name"
                       " WHERE name NOT IN (SELECT rolname FROM pg_roles)")
        made = [row[0] for row in cursor.fetchall()]
        for role in made:
            cursor.execute(f"CREATE ROLE {role} LOGIN")
    connection.close()
    try:
        run_on(server_dsn, f"CREATE DATABASE {name} OWNER parley_owner")
        admin = dsn_for(server_dsn, dbname=name)
        run_on(admin, "CREATE SCHEMA tap; CREATE EXTENSION pgtap SCHEMA tap; GRANT USAGE ON SCHEMA tap TO PUBLIC")
        schema.load(dsn_for(server_dsn, dbname=name, options="-c role=parley_owner"), SHARDS)
        run_on(admin, "CREATE SCHEMA test; CREATE FUNCTION test.group_batch_path() RETURNS text LANGUAGE sql IMMUTABLE"
                      f" RETURN '{group_batch}'", (HERE / "helpers.sql").read_text(encoding="utf-8"))
        yield name
    finally:
        run_on(server_dsn, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
               *[f"DROP ROLE {role}" for role in made])


@pytest.fixture
def database(server_dsn, template):
    """DSN of a superuser in a database of the test's own."""
    name = f"{template}_{uuid.uuid4().hex[:8]}"
    run_on(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    try:
        yield dsn_for(server_dsn, dbname=name)
    finally:
        run_on(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")
