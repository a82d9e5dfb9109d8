"""The event of a short message in a group, on a member's stream: its length by the number of members."""

import http.client
import json
import random
import urllib.parse

MEMBERS = (2, 16, 64, 201, 1024)
TEXT = "hi"


def _connect(bench):
    url = urllib.parse.urlsplit(bench.stack.url)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=120)


def _post(bench, token, target, body):
    connection = _connect(bench)
    connection.request("POST", target, json.dumps(body), {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    value = json.loads(answer.read())
    connection.close()
    assert answer.status in (200, 201), value
    return value


def _events(stream):
    """Yields each event of a stream as bytes, with the empty line that ends it."""
    event = b""
    while line := stream.readline():
        event += line
        if line == b"\n":
            yield event
            event = b""


def _event_bytes(bench, users, members):
    """The length of the event of a message that another member sends."""
    chosen = [line.split() for line in random.Random(members).sample(users, members)]
    (owner, owner_token), (_, reader_token) = chosen[:2]
    group = _post(bench, owner_token, "/v1/groups", {
        "name": "Trip", "memberIds": [user_id for user_id, _ in chosen if user_id != owner],
        "clientGroupId": f"events-{members}"})["groupId"]
    connection = _connect(bench)
    connection.request("GET", "/v1/updates/stream", headers={"Authorization": f"Bearer {reader_token}"})
    events = _events(connection.getresponse())
    while b"event: delta" not in next(events):  # The cursor comes first: the stream gets later messages
        pass
    sent = _post(bench, owner_token, "/v1/messages", {"conversationId": group, "clientMessageId": "hi", "messageContent": TEXT})
    event = next(event for event in events if f'"{sent["messageId"]}"'.encode() in event)
    connection.close()
    return len(event)


def measure(bench):
    users = bench.users_file.read_text("ascii").splitlines()
    bench.stack.restart_parleyd(f"groups.max_members={max(MEMBERS)}")
    points = []
    for members in MEMBERS:
        if members <= len(users):
            points.append({"members": members, "bytes": _event_bytes(bench, users, members)})
            print(f"{members} members: an event of {points[-1]['bytes']:,} bytes", flush=True)
    bench.stack.restart_parleyd()
    return points
