"""Proves that parleyd does not start on a database that can lose commits (promise 1) and names the setting; and that it
starts there if the configuration allows data loss."""

import subprocess

import pytest

from harness.stack import SLOWNESS, Parleyd, wait_until

SETTINGS = ["fsync", "full_page_writes", "synchronous_commit"]


def reload_with(stack, statement):
    stack.query(stack.databases[0], statement)
    stack.query(stack.databases[0], "SELECT pg_reload_conf()")


@pytest.fixture(params=SETTINGS)
def unsafe(request, stack):
    """Turns a setting off in the whole cluster; returns its name."""
    reload_with(stack, f"ALTER SYSTEM SET {request.param} = off")
    wait_until(lambda: stack.query(stack.databases[0], f"SHOW {request.param}") == [("off",)], 5, "it is off")
    yield request.param
    reload_with(stack, f"ALTER SYSTEM RESET {request.param}")
    wait_until(lambda: stack.query(stack.databases[0], f"SHOW {request.param}") == [("on",)], 5, "it is on")


def exit_status(server):
    server.spawn()
    try:
        return server.process.wait(20 * SLOWNESS)
    except subprocess.TimeoutExpired:
        return None


def test_it_refuses(stack, unsafe):
    server = Parleyd(stack)
    try:
        assert exit_status(server) not in (0, None), "it still runs, or its exit status is 0"
        assert unsafe in server.log()
    finally:
        server.close()


@pytest.mark.parametrize("level", ["database", "role"])
def test_it_checks_the_settings_of_its_own_role(stack, level):
    """synchronous_commit can be off for one role or one database only; the value for the server's role counts."""
    name = stack.databases[1]
    target = f"DATABASE {name}" if level == "database" else f"ROLE parley_server IN DATABASE {name}"
    stack.query(name, f"ALTER {target} SET synchronous_commit = off")
    server = Parleyd(stack)
    try:
        # Through the pooler: connections that it had before the change still have the old setting.
        stack.query(name, "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity WHERE usename = 'parley_server'")
        assert exit_status(server) not in (0, None)
        assert "synchronous_commit" in server.log()
    finally:
        stack.query(name, f"ALTER {target} RESET synchronous_commit")
        server.close()


def test_it_starts_where_the_loss_is_accepted(stack, unsafe):
    accepted = {f"database {name}": {"allow_data_loss_on_crash": "true"} for name in stack.databases}
    server = Parleyd(stack, accepted).start()
    try:
        assert unsafe in server.log(), "the log does not say so"
    finally:
        server.close()
