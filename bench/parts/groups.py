"""Sends to groups of 2 to 256 members: the cost of one copy. A message has a copy for each member and one for the group."""

import http.client
import json
import random
import urllib.parse

from generators import repeated, run_load

MEMBERS = (2, 16, 64, 256)
# The number of sends at once, and of groups.
SENDERS = 16


def _create(bench, connection, users, members, number):
    """Creates a group of random users; returns its creator's line for the load generator."""
    creator, *others = random.Random(members * 1000 + number).sample(users, members)
    user_id, token = creator.split()
    connection.request("POST", "/v1/groups", json.dumps({
        "name": f"{members} members", "memberIds": [line.split()[0] for line in others],
        "clientGroupId": f"bench-{members}-{number}"}),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    assert answer.status in (200, 201), body
    return f"{user_id} {token} {body['groupId']}\n"


def _users_file(bench, members, senders):
    users = bench.users_file.read_text("ascii").splitlines()
    url = urllib.parse.urlsplit(bench.stack.url)
    connection = http.client.HTTPConnection(url.hostname, url.port)
    lines = [_create(bench, connection, users, members, number) for number in range(senders)]
    connection.close()
    path = bench.directory / f"users-groups-{members}-{senders}"
    path.write_text("".join(lines), encoding="ascii")
    path.chmod(0o644)
    return path


def measure(bench):
    points = []
    for senders in (SENDERS,) if bench.arguments.short else (SENDERS, bench.arguments.clients):
        for members in MEMBERS[:2] if bench.arguments.short else MEMBERS:
            users = _users_file(bench, members, senders)
            run = repeated(bench, lambda u=users, s=senders: run_load(bench, "groups", "h1", connections=[s], users=u))
            points.append({"senders": senders, "members": members, "run": run})
            print(f"{senders} groups of {members}: {run['rate']:,.0f} sends/s, {run['rate'] * (members + 1):,.0f} copies/s", flush=True)
    return points
