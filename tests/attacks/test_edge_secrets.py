"""What another user of the machine, or somebody who has taken over parleyd, finds: no password on a command line, no owner's DSN
in the server's file, no rights of root."""

import glob
import os
import pathlib
import stat
import subprocess
import threading

import pytest

from harness.logs import decode
from harness.stack import IS_SANITIZED, PARLEYD, Parleyd, Stack

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
drops = pytest.mark.skipif(os.geteuid() != 0 or IS_SANITIZED, reason="only root can become another user, and a sanitizer stays root")


class CommandLines:
    """Reads the command lines and environments of all processes again and again."""

    def __init__(self):
        self.seen = set()
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stopped.is_set():
            for path in glob.glob("/proc/[0-9]*/cmdline"):
                try:
                    with open(path, "rb") as stream:
                        self.seen.add(stream.read())
                except OSError:
                    pass  # it has ended

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def test_no_password_is_on_a_command_line():
    with CommandLines() as lines:
        started = Stack.start(parleyd=False, shards=2)
        try:
            secrets = {path.name: path.read_bytes() for path in pathlib.Path(started.directory, "secrets").iterdir()}
        finally:
            started.stop()
    assert {"postgres", "parley_owner", "parley_server"} <= set(secrets)
    psql = [line for line in lines.seen if b"/psql\0" in line]
    assert psql, "no psql was seen, so nothing is proved"
    for name, secret in secrets.items():
        assert not any(secret.strip() in line for line in lines.seen), f"the secret {name} is on a command line"


def test_the_server_has_no_dsn_of_the_owner(stack):
    server = pathlib.Path(stack.config_path).read_text(encoding="utf-8")
    owner = pathlib.Path(stack.directory, "parleyctl.ini")
    assert "parley_owner" not in server and "owner_dsn" not in server
    assert owner.read_text(encoding="utf-8").count("parley_owner") == 3  # the directory's and two databases'
    for path in (owner, pathlib.Path(stack.config_path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as stream:
        return {name: value.split() for name, value in (line.split(":", 1) for line in stream)}


@drops
def test_parleyd_gives_root_up(stack):
    status = status_of(stack.pid("parleyd"))
    user = subprocess.run(["id", "-u", "parley"], capture_output=True, text=True, check=True).stdout.split()
    group = subprocess.run(["id", "-g", "parley"], capture_output=True, text=True, check=True).stdout.split()
    assert status["Uid"] == user * 4 and status["Gid"] == group * 4 and status["Groups"] == group
    assert status["NoNewPrivs"] == ["1"]
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(status[name][0], 16) == 0, name
    for path in (stack.config_path, os.path.join(stack.directory, "parleyctl.ini"), os.path.join(stack.directory, "jwt.key")):
        assert subprocess.run(["setpriv", "--reuid", "parley", "--regid", "parley", "--clear-groups", "cat", path],
                              capture_output=True, check=False).returncode != 0, path


def refusal(stack, server):
    """Starts parleyd with these settings, which it must refuse; its reason."""
    own = Parleyd(stack, {"server": server})
    try:
        own.spawn()
        assert own.process.wait(20) != 0
        events = [decode(line) for line in own.log().splitlines()]
        return next(event["detail"] for event in events if event["event"] == "start-failed")
    finally:
        own.close()


@root_only
def test_parleyd_does_not_run_as_root(stack):
    assert "does not run as root" in refusal(stack, {"user": None})
    assert "there is no such user" in refusal(stack, {"user": "nobody-has-this-name"})


@root_only
def test_root_can_be_insisted_on(stack):
    own = Parleyd(stack, {"server": {"user": "root"}}).start()
    try:
        assert '"event":"runs-as-root"' in own.log()
        assert status_of(own.process.pid)["Uid"] == ["0"] * 4
    finally:
        own.close_and_judge()


@drops
@pytest.mark.parametrize("name, is_refused", [("daemon", True), ("nobody", False)])
def test_only_root_becomes_another_user(tmp_path, name, is_refused):
    """A process of `nobody`: its own name is taken, and then it waits for the directory, which is not there."""
    config = tmp_path / "parley.ini"
    config.write_text(f"[server]\nuser={name}\n[directory]\ndsn=host=/nonexistent\n[auth]\njwt_key_file=/nonexistent\n"
                      "[database a]\ndsn=x\ndirect_dsn=x\n", encoding="utf-8")
    with open(config, encoding="utf-8") as stream, subprocess.Popen(
            ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", PARLEYD, "-c", "/dev/stdin"],
            stdin=stream, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        event = decode(process.stdout.readline())
        process.kill()
    if is_refused:
        assert event["event"] == "start-failed" and "only root can become another user" in event["detail"]
    else:
        assert event["event"] == "start-waits"


@pytest.mark.parametrize("key", ["listen_address", "admin_address"])
@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_parleyd_keeps_to_loopback(stack, key, address):
    reason = refusal(stack, {key: address})
    assert f"[server] {key} {address} is not loopback" in reason and "trusted_network = true" in reason


def test_a_trusted_network_can_be_told(stack):
    own = Parleyd(stack, {"server": {"listen_address": "0.0.0.0", "trusted_network": "true"}}).start()
    own.close_and_judge()
