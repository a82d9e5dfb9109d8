"""Helpers for tests of groups: members in both databases, and a member's view of a group."""

import json

from conftest import user_on
from harness.stack import SLOWNESS, wait_until


def make_members(api, stack, count=5):
    """The first two in one shard, the third in another of their database, the others in the other database."""
    databases = stack.shards_by_database()
    near, far = (databases[name] for name in sorted(databases)[:2])
    places = [near[0], near[0], near[1], far[0], far[1]]
    return [user_on(api, stack, {places[i % len(places)]}) for i in range(count)]


def make_group(api, owner, *members, name="Trip"):
    return api.as_user(owner).create_group(name, members).expect(201)["groupId"]


def word(message):
    """The content of a message, or the type of its event."""
    return message["systemEvent"]["type"] if "systemEvent" in message else message.get("messageContent")


def log(api, user, group):
    return [word(message) for message in api.as_user(user).all_messages(group)]


def wait_for_log(api, users, group, expected):
    """Under load the answer to a change comes before all members have it. Until then a new member has no conversation."""
    def has_log(user):
        return api.as_user(user).fetch_messages(group, pageSize=1).status == 200 and log(api, user, group) == expected

    for user in users:
        wait_until(lambda u=user: has_log(u), 10 * SLOWNESS, f"{user} has {expected}")


def newest(api, user, group):
    return api.as_user(user).fetch_messages(group, pageSize=1).expect(200)["messages"][0]["messageId"]


def wait_for_newest(api, users, group):
    """Waits until all have the same newest message, and so all messages before it."""
    wait_until(lambda: len({newest(api, user, group) for user in users}) == 1, 10 * SLOWNESS, "all have the newest message")


def row_of(api, user, group):
    """The group in the user's list, or None."""
    rows = api.as_user(user).fetch_conversation(pageSize=100).expect(200)["conversations"]
    return next((row for row in rows if row["conversationId"] == group), None)


def roles(group):
    return {member["userId"]: member["role"] for member in group["members"]}


def change(api, user, method, group, message_id, body=None, suffix=""):
    """An edit, deletion or reaction. Returns (status, body)."""
    response = api.http.request(method, f"/v1/conversations/{group}/messages/{message_id}{suffix}",
                                headers={"authorization": f"Bearer {user.token}", "content-type": "application/json"}
                                if body else {"authorization": f"Bearer {user.token}"},
                                content=json.dumps(body).encode() if body else None)
    return response.status_code, response.json()
