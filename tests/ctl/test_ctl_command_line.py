"""The command line: help from the table; exit code 2 and one clear line for each error."""

import os
import subprocess

import pytest

from conftest import EXITS, PARLEYCTL, USAGE

COMMANDS = ["init", "migrate up", "migrate status", "shard list", "doctor"]


def run(*words):
    return subprocess.run([PARLEYCTL, *words], capture_output=True, text=True, timeout=20)


def test_help_lists_the_commands():
    done = run("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"  {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command):
    done = run(*command.split(), "--help")
    assert done.returncode == 0
    assert f"Usage: parleyctl {command} [OPTION...]" in done.stdout
    assert "--json" in done.stdout
    for code in (0, 1, 2, 5, 6):
        assert f"  {code}  {EXITS[code]} " in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_version():
    assert run("--version").stdout.startswith("parleyctl ")


@pytest.mark.parametrize("words", [
    (), ("nonsense",), ("migrate",), ("migrate", "down"), ("shard",), ("init", "extra"), ("--nonsense",),
    ("init", "--nonsense"), ("shard", "list", "--shards", "2"), ("migrate", "up", "--wait", "-1"),
    ("migrate", "up", "--jobs", "0"), ("doctor", "--wait", "1"),
])
def test_unknown_commands_and_options(words):
    done = run(*words)
    assert done.returncode == USAGE
    assert done.stdout == "" and done.stderr != ""


def test_options_before_and_after_the_command(ready):
    config = ready.config()
    for words in (("-c", config, "--json", "shard", "list"), ("shard", "list", "--json", "-c", config),
                  ("-c", config, "shard", "list", "--json")):
        done = run(*words)
        assert done.returncode == 0 and done.stdout.startswith('{"command":"shard list"')


def test_a_configuration_that_cannot_be_read(system, tmp_path):
    done = run("-c", str(tmp_path / "none.ini"), "doctor")
    assert done.returncode == USAGE and "none.ini" in done.stderr
    system.sections["directory"]["nonsense"] = "1"
    assert "nonsense" in system.ctl("doctor", expected=USAGE)["message"]


def test_the_owners_file(ready, tmp_path):
    """It is beside the other by default, or where -o says; and the server's file has none of it."""
    config = ready.config()
    owner = os.path.join(os.path.dirname(config), "parleyctl.ini")
    moved = str(tmp_path / "mine.ini")
    os.rename(owner, moved)
    done = run("-c", config, "shard", "list")
    assert done.returncode == USAGE and f"{owner}: No such file" in done.stderr
    assert run("-c", config, "-o", moved, "shard", "list").returncode == 0
    with open(config, "a", encoding="utf-8") as ini:
        ini.write("[database further]\nowner_dsn = host=localhost\n")
    done = run("-c", config, "-o", moved, "shard", "list")
    assert done.returncode == USAGE and "owner_dsn belongs in parleyctl.ini" in done.stderr
    assert run("--print-options").stdout.startswith("# The owner's connections")


def test_an_owner_dsn_that_is_not_set(system):
    del system.sections["database b"]["owner_dsn"]
    for command in COMMANDS:
        assert "owner_dsn" in system.ctl(*command.split(), expected=USAGE)["message"]
