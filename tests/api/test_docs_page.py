"""Proves the docs page: each operation's command, as a reader would paste it, makes the request that it describes."""

import html
import os
import re
import shlex
import subprocess

import pytest

from harness.contract import closed_document
from harness.stack import SLOWNESS

OPERATIONS = {definition["operationId"]: (method.upper(), path)
              for path, item in closed_document()["paths"].items() for method, definition in item.items() if "operationId" in definition}
# In place of the commands' curl: prints the method, the URL without the server, and the status.
CURL = f"""curl() {{ command curl -sS -o /dev/null -m {2 * SLOWNESS} -w '%{{method}} %{{http_code}}' "$@" || [ $? = 28 ]; }}"""


@pytest.fixture(scope="module")
def page(stack):
    done = subprocess.run(["curl", "-sS", f"{stack.url}/docs"], capture_output=True, text=True, check=True)
    return done.stdout


def command_of(page, operation):
    section = page[page.index(f'<section class="operation" id="{operation}">'):]
    return html.unescape(re.search(r"<figcaption>Request</figcaption><pre[^>]*><code>(.*?)</code>", section, re.S)[1])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_command(api, stack, page, operation):
    """The method and the path are those of the operation; the server knows the method, and takes the body's type and fields."""
    method, path = OPERATIONS[operation]
    command = command_of(page, operation)
    target = next(word for word in shlex.split(command) if word.startswith("$PARLEY"))
    pattern = re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path))
    assert re.fullmatch(pattern, target.removeprefix("$PARLEY").split("?")[0]), command
    done = subprocess.run(["bash", "-c", f"{CURL}\n{command}"], capture_output=True, text=True, check=False,
                          env={**os.environ, "PARLEY": stack.url, "TOKEN": api.make_user().token})
    assert done.returncode == 0, done.stderr
    sent, status = done.stdout.split()
    assert sent == method, command
    # The examples' ids belong to other users, so most commands find nothing. A long-poll has no answer yet.
    assert status == "000" if operation == "fetchUpdates" else status in ("200", "201", "204", "400", "401", "403", "404", "409", "422"), (command, status)


def test_token(api, stack, page):
    """The commands that set PARLEY and TOKEN."""
    ada = api.as_user(None).create_user("ada", password="correct-horse-ada")
    assert ada.status in (201, 409)
    setting_up = html.unescape(re.search(r"<figcaption>Before the commands</figcaption><pre[^>]*><code>(.*?)</code>", page, re.S)[1])
    assert setting_up.startswith("PARLEY=http://127.0.0.1:8080\n")
    script = setting_up.replace("http://127.0.0.1:8080", stack.url) + '\ncurl -sS "$PARLEY/v1/users/me" -H "Authorization: Bearer $TOKEN"'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert '"username":"ada"' in done.stdout, (done.stdout, done.stderr)
