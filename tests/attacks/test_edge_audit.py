"""What happened can be told afterwards: logins, accounts, rights and refusals in the log of parleyd, each request in the access
log of the edge; both bounded, and neither with a secret."""

import json
import os
import time

import httpx
import pytest

from edge_client import read_to_the_end, request_bytes, tls_socket
from edge_process import Edge

from harness import logs, tokens
from harness.client import unique
from harness.stack import wait_until

ADDRESS = "127.0.0.77"
PASSWORD = "correct horse battery"


class Client:
    """Speaks through the edge from an address of its own, and says that it comes from another one."""

    def __init__(self, stack):
        self.stack = stack

    def request(self, method, path, body=None, token=None):
        data = b"" if body is None else json.dumps(body).encode()
        fields = [("Content-Length", len(data)), ("Connection", "close"), ("X-Forwarded-For", "192.0.2.1")]
        fields += [("Content-Type", "application/json")] if data else []
        fields += [("Authorization", f"Bearer {token}")] if token else []
        with tls_socket(self.stack, ["http/1.1"], ADDRESS) as connection:
            connection.sendall(request_bytes(method, path, fields) + data)
            head, _, answer = read_to_the_end(connection).partition(b"\r\n\r\n")
        return int(head.split(b" ")[1]), json.loads(answer) if answer else None


@pytest.fixture(name="audit")
def make_audit(stack):
    """take(action, count): the next `count` events of that action."""
    reader = logs.LogReader(stack.parleyd_log)
    reader.skip()
    lines = []

    def take(action, count=1):
        def events():
            lines.extend(reader.take())
            values = [logs.decode(line) for line in lines]
            return [value for value in values if value["event"] == "audit" and value["action"] == action]

        wait_until(lambda: len(events()) >= count, 10, f"{count} events {action}")
        found = events()
        assert not [line for line in lines if PASSWORD in line]
        lines.clear()
        return found

    return take


def admin_token(stack, user_id=None):
    return tokens.mint(stack.jwt_key, user_id, scope="admin", **({} if user_id else {"sub": None}))


def test_the_life_of_an_account(stack, audit):
    client, name = Client(stack), unique("audit")
    status, user = client.request("POST", "/v1/users", {"username": name, "password": PASSWORD})
    assert status == 201
    (event,) = audit("create-user")
    assert event["outcome"] == "ok" and event["userId"] == user["userId"] and event["callerId"] is None
    assert event["address"] == ADDRESS and event["requestId"] and event["operation"] == "createUser"

    assert client.request("POST", "/v1/sessions", {"username": name, "password": PASSWORD + "x"})[0] == 401
    assert client.request("POST", "/v1/sessions", {"username": unique("none"), "password": PASSWORD})[0] == 401
    known, unknown = audit("login", 2)
    assert known["outcome"] == unknown["outcome"] == "invalid-credentials"
    assert known["userId"] == user["userId"] and unknown["userId"] is None and known["address"] == ADDRESS
    status, session = client.request("POST", "/v1/sessions", {"username": name, "password": PASSWORD})
    assert status == 201
    (event,) = audit("login")
    assert event["outcome"] == "ok" and event["userId"] == user["userId"]

    token = session["accessToken"]
    change = {"password": PASSWORD + "2", "currentPassword": "wrong" + PASSWORD}
    assert client.request("PATCH", "/v1/users/me", change, token)[0] == 403
    assert client.request("PATCH", "/v1/users/me", {**change, "currentPassword": PASSWORD}, token)[0] == 200
    assert client.request("PATCH", "/v1/users/me", {"displayName": "No event"}, token)[0] == 200
    refused, changed = audit("change-password", 2)
    assert (refused["outcome"], changed["outcome"]) == ("forbidden", "ok")
    assert changed["userId"] == changed["callerId"] == user["userId"]

    assert client.request("DELETE", "/v1/users/me", {"currentPassword": PASSWORD + "2"}, token)[0] == 204
    (event,) = audit("erase-user")
    assert event["outcome"] == "ok" and event["userId"] == user["userId"]


def test_endings_of_sessions(stack, audit):
    """Who ended what: a session, all others, the session itself (logout), and all of a user's by an admin."""
    client, name = Client(stack), unique("audit")
    user = client.request("POST", "/v1/users", {"username": name, "password": PASSWORD})[1]["userId"]
    login = [client.request("POST", "/v1/sessions", {"username": name, "password": PASSWORD})[1] for _ in range(3)]
    token = login[0]["accessToken"]
    assert client.request("DELETE", f"/v1/sessions/{login[1]['sessionId']}", None, token)[0] == 204
    assert client.request("DELETE", "/v1/sessions/1", None, token)[0] == 404
    assert client.request("DELETE", "/v1/sessions?others=true", None, token)[0] == 204
    assert client.request("DELETE", "/v1/sessions/current", None, token)[0] == 204
    events = audit("end-session", 4)
    assert [event["outcome"] for event in events] == ["ok", "session-not-found", "ok", "ok"]
    assert all(event["userId"] == event["callerId"] == user and event["address"] == ADDRESS for event in events)
    assert client.request("POST", f"/v1/users/{user}/sessions/revoke", None, admin_token(stack))[0] == 204
    (event,) = audit("revoke-sessions")
    assert event["outcome"] == "ok" and event["userId"] == user and event["admin"] and event["callerId"] is None


def test_what_takes_an_admin(stack, audit, alice, bob):
    client = Client(stack)
    message = {"recipientId": bob.id, "clientMessageId": unique("m"), "messageContent": "hi", "senderId": alice.id}
    assert client.request("POST", "/v1/users", {"username": unique("audit")}, bob.token)[0] == 403
    assert client.request("POST", "/v1/messages", message, bob.token)[0] == 403
    for event, operation in zip(audit("admin-only", 2), ("createUser", "sendMessage")):
        assert event["outcome"] == "forbidden" and event["callerId"] == bob.id and not event["admin"]
        assert event["operation"] == operation and event["address"] == ADDRESS
    assert client.request("POST", "/v1/messages", message, admin_token(stack, bob.id))[0] == 201
    (event,) = audit("act-for-user")
    assert event["userId"] == alice.id and event["callerId"] == bob.id and event["admin"]
    assert client.request("POST", "/v1/messages", {**message, "clientMessageId": unique("m")}, alice.token)[0] == 201
    assert client.request("POST", "/v1/users", {"username": unique("audit")}, admin_token(stack))[0] == 201
    (event,) = audit("create-user")
    assert event["admin"] and event["callerId"] is None


def test_refusals_do_not_fill_the_log(stack, audit, bob):
    """600 in about a second are 100 lines or few more, which say how many were left out."""
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {bob.token}"}) as client:
        begin = time.monotonic()
        for _ in range(600):
            assert client.post("/v1/users", json={"username": "abc"}).status_code == 403
        seconds = int(time.monotonic() - begin) + 2
        time.sleep(1.1)
        assert client.post("/v1/users", json={"username": "abc"}).status_code == 403
    events = audit("admin-only", 2)
    assert len(events) <= 100 * seconds + 1
    assert len(events) + sum(event["suppressed"] for event in events) == 601


@pytest.mark.parametrize("http2", [True, False], ids=["h2", "http1"])
def test_the_access_log(stack, alice, http2):
    edge = Edge(stack)
    try:
        with httpx.Client(base_url=edge.edge_url, verify=False, http2=http2, cookies={"__Host-parley": "eyJsecret"}) as client:
            answer = client.get("/v1/users?username=secret", headers={"Authorization": f"Bearer {alice.token}",
                                                                      "User-Agent": "secret"})
            assert client.post("/v1/sessions", json={"username": "abc", "password": "secret password"}).status_code == 401
            client.get("/" + "a" * 3000)
            client.get('/"%00\\x')
        with tls_socket(edge, ["http/1.1"]) as connection:
            connection.sendall(b'secret "garbage\r\n\r\n')
            read_to_the_end(connection)
        wait_until(lambda: len(lines_of(edge)) >= 5, 10, "five lines")
        lines = lines_of(edge)
        text = "\n".join(lines)
    finally:
        edge.close()
    assert "secret" not in text and "eyJ" not in text and "Bearer" not in text
    first = json.loads(lines[0])
    assert first["path"] == "/v1/users" and first["method"] == "GET" and first["status"] == answer.status_code == 200
    assert first["requestId"] == answer.headers["x-request-id"] and first["address"] == "127.0.0.1" and first["end"] == "--"
    assert abs(first["time"] - time.time()) < 60
    assert [json.loads(line)["status"] for line in lines[1:4]] == [401, 404, 400]
    assert all(len(line) < 1024 for line in lines)


def lines_of(edge):
    with open(edge.access_log, encoding="utf-8") as stream:
        return stream.read().splitlines()


def test_a_stack_keeps_the_access_log(stack):
    """scripts/stack and scripts/quickstart write it to the data directory."""
    path = os.path.join(stack.directory, "log", "access.log")
    with httpx.Client(base_url=stack.edge_url, verify=False) as client:
        request_id = client.get("/v1/capabilities").headers["x-request-id"]

    def is_logged():
        with open(path, encoding="utf-8") as stream:
            return request_id in stream.read()

    wait_until(is_logged, 10, "the request is in the access log")
