"""scripts/quickstart starts, watches, stops, finds its data again, and reports each error in one line."""

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from harness.stack import is_alive, wait_until

SERVICES = ("postgresql", "pgbouncer", "parleyd", "haproxy")


def curl_session(said):
    """The commands that it prints for another terminal."""
    return re.search(r"^  url=.*^  timeout [^\n]*", said, re.MULTILINE | re.DOTALL)[0]


def paste(quickstart):
    result = subprocess.run(["bash", "-c", curl_session(quickstart.said())], capture_output=True, text=True, timeout=60,
                            check=False)
    assert result.stderr == "", result.stderr
    return result.stdout


def answers(quickstart):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{quickstart.admin_port}/readyz", timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


def test_the_session_works_and_the_data_stays(quickstart):
    quickstart.start()
    first = paste(quickstart)
    assert first.count('"snippet":"Hello Grace"') == 2 and "event: delta" in first, first
    assert quickstart.stop(signal.SIGINT) == 0
    assert not any(os.path.exists(os.path.join(quickstart.data, "run", f"{service}.pid")) for service in SERVICES)

    begin = time.monotonic()
    quickstart.start()
    assert time.monotonic() - begin < 10
    second = paste(quickstart)
    assert second.count('"username-taken"') == 2 and '"unreadCount":2' in second, second
    assert quickstart.stop(signal.SIGTERM) == 0


def test_it_restarts_services_that_die(quickstart):
    quickstart.start()
    for service in SERVICES:
        pid = quickstart.pid(service)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: quickstart.pid(service) != pid, 20, f"{service} is started again")  # pylint: disable=W0640
        wait_until(lambda: answers(quickstart), 20, f"the server is ready again after {service} died")
        assert f"{service} ended: starting it again in" in quickstart.said()
    assert "Hello Grace" in paste(quickstart)


def test_its_services_do_not_outlive_a_kill(quickstart):
    quickstart.start()
    pids = [quickstart.pid(service) for service in SERVICES]
    quickstart.process.kill()
    quickstart.process.wait(10)
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 20, "all services have ended")
    quickstart.start()
    assert quickstart.stop(signal.SIGTERM) == 0


def test_a_port_in_use(quickstart):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        line = quickstart.refuse(PARLEY_HTTPS_PORT=str(port))
    assert line == f"quickstart: port {port} is in use: stop what listens there, or set PARLEY_HTTPS_PORT to another port"


def test_invalid_ports(quickstart):
    assert "PARLEY_HTTP_PORT is 'web': set it to a number" in quickstart.refuse(PARLEY_HTTP_PORT="web")
    assert "must differ" in quickstart.refuse(PARLEY_HTTP_PORT=str(quickstart.https_port))


def test_a_second_one_on_the_same_data(quickstart):
    quickstart.start()
    assert "another process works on" in quickstart.refuse()


def test_a_data_directory_that_is_a_file(quickstart):
    with open(quickstart.data, "w", encoding="ascii"):
        pass
    assert "is not a directory: move it away" in quickstart.refuse()


def test_a_data_directory_that_cannot_be_made(quickstart):
    assert "cannot make the data directory" in quickstart.refuse(PARLEY_DATA_DIR="/proc/none")


def test_a_path_that_connection_strings_cannot_have(quickstart):
    assert "set PARLEY_DATA_DIR to another place" in quickstart.refuse(PARLEY_DATA_DIR=quickstart.parent + "/my data")
    assert not os.path.exists(quickstart.parent + "/my data")


def test_a_path_too_long_for_a_socket(quickstart):
    quickstart.data = os.path.join(quickstart.parent, "d" * 90)
    quickstart.start()
    assert "Hello Grace" in paste(quickstart)
    assert quickstart.stop(signal.SIGTERM) == 0


def test_a_cluster_that_is_broken(quickstart):
    os.makedirs(os.path.join(quickstart.data, "postgresql"))
    assert "is not a PostgreSQL cluster (no PG_VERSION)" in quickstart.refuse()
    with open(os.path.join(quickstart.data, "postgresql", "PG_VERSION"), "w", encoding="ascii") as stream:
        stream.write("13\n")
    assert "is of PostgreSQL 13, this needs 15" in quickstart.refuse()


def test_a_cluster_that_does_not_start(quickstart):
    quickstart.start()
    assert quickstart.stop(signal.SIGTERM) == 0
    os.rename(os.path.join(quickstart.data, "postgresql", "global"), os.path.join(quickstart.parent, "global"))
    line = quickstart.refuse()
    assert line.startswith("quickstart: postgresql does not start: ") and "postgresql.log" in line


def test_logs_stay_small(quickstart):
    """A log that is too large becomes NAME.log.1, and its service goes on writing."""
    log = os.path.join(quickstart.data, "log", "access.log")
    quickstart.start(PARLEY_LOG_BYTES="20000")
    context = ssl.create_default_context(cafile=os.path.join(quickstart.data, "tls", "server.crt"))

    def ask():
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"https://localhost:{quickstart.https_port}/nowhere", context=context, timeout=10)

    def is_rotated():
        ask()
        return os.path.exists(log + ".1") and os.path.getsize(log) < 20000

    wait_until(is_rotated, 60, "the access log is emptied")
    ask()
    wait_until(lambda: os.path.getsize(log) > 0, 10, "the edge goes on writing")
    with open(log, encoding="utf-8") as stream:
        assert stream.readline().startswith("{")
