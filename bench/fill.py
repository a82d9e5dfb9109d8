"""Writes a population into a stack; also messages in bulk, and users who only wait."""

import copy
import multiprocessing
import time
from pathlib import Path

import psycopg2

from population import CONTENT, load_baseline, load_parley
from stack import BASELINE

BENCH = Path(__file__).resolve().parent
# Messages older than the oldest of population.py, one second apart.
HISTORY = """
INSERT INTO {leaf} (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
SELECT user_id, peer_id, at * 2 + number %% 2, at,
       CASE number %% 2 WHEN 1 THEN greatest(user_id, peer_id) ELSE least(user_id, peer_id) END,
       'history-' || number, %s
FROM {schema}.conversation, generate_series(%s, %s) AS number, LATERAL (SELECT %s - number * 1000000 AS at) AS moment
"""
WAITER = """
WITH account AS (INSERT INTO parley.account (user_id, created_timestamp, username, display_name)
                 SELECT id, 1, 'waits-' || id, 'waits' FROM unnest(%s) AS id)
INSERT INTO parley.mailbox (user_id, version) SELECT id, 1 FROM unnest(%s) AS id
"""


def _load_parley(stack, population):
    connections = {name: psycopg2.connect(stack.superuser(name)) for name in stack.databases}
    load_parley(population, connections, _database_of_shard(stack))
    for connection in connections.values():
        connection.close()


def _load_baseline(stack, population):
    connection = psycopg2.connect(stack.superuser(BASELINE))
    connection.cursor().execute((BENCH / "baseline/schema.sql").read_text(encoding="utf-8"))
    load_baseline(population, connection)
    connection.close()


def _database_of_shard(stack):
    connection = stack.connect(stack.databases[0])
    cursor = connection.cursor()
    cursor.execute("SELECT shard, database_name FROM directory.shard")
    found = dict(cursor.fetchall())
    connection.close()
    return found


def in_parallel(jobs):
    """Runs each (function, argument...) in a process of its own."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=job[0], args=job[1:]) for job in jobs]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise SystemExit("bench/run: filling the tables failed")


def _settle(stack, database):
    connection = stack.connect(database)
    connection.cursor().execute("VACUUM ANALYZE")
    connection.close()


def settle(stack, databases):
    """Vacuums, analyses and checkpoints, so that freshly filled tables cost no more than old ones."""
    in_parallel([(_settle, stack, name) for name in databases])
    stack.connect("postgres").cursor().execute("CHECKPOINT")


def fill(stack, population, baseline=True):
    jobs = [(_load_parley, stack, population)]
    databases = list(stack.databases)
    if baseline:
        stack.connect("postgres").cursor().execute(f"CREATE DATABASE {BASELINE}")
        jobs.append((_load_baseline, stack, population))
        databases.append(BASELINE)
    in_parallel(jobs)
    settle(stack, databases)


def _add_history(stack, database, leaves, first, last, before_us):
    connection = stack.connect(database)
    cursor = connection.cursor()
    for leaf in leaves:
        cursor.execute(HISTORY.format(leaf=leaf, schema=leaf.split(".")[0]), (CONTENT, first, last, before_us))
    connection.close()


def add_history(stack, population, first, last):
    """Inserts messages number first to last, counted backwards in time, into every conversation, directly in the leaves."""
    leaves = stack.message_leaves()
    in_parallel([
        (_add_history, stack, name, [leaf for database, leaf in leaves if database == name], first, last,
         population.start_us)
        for name in stack.databases
    ])
    settle(stack, stack.databases)


def add_waiters(stack, count):
    """Creates users without conversations. Returns their ids; they are of the first seconds of 2024, so no other user has them."""
    databases = _database_of_shard(stack)
    ids = [i % stack.shards << 50 | (1000 + i) << 9 for i in range(count)]
    for name in stack.databases:
        here = [user_id for user_id in ids if databases[user_id >> 50] == name]
        stack.connect(name).cursor().execute(WAITER, (here, here))
    return ids


def write_users(path, stack, population, ids=None):
    """Writes the file that parley-load reads, for all users of the population or for those with the ids."""
    key = Path(stack.env["PARLEY_JWT_KEY"]).read_bytes().rstrip()
    those = copy.copy(population)
    if ids is not None:
        those.ids = ids
    path.write_text("".join(f"{user} {token}\n" for user, token in those.tokens(key)), "ascii")
    return path


def wait_for_outbox(stack):
    """Waits until the outbox entries of the last sends are settled, so that the next measurement does not include them."""
    for name in stack.databases:
        for _ in range(100):
            if not stack.ask(name, "SELECT EXISTS (SELECT FROM parley.outbox)"):
                break
            time.sleep(0.1)
