"""The client of the suites: httpx, with every response checked against the OpenAPI document.

`Api` is one server with one caller; `as_user` returns the same server with another caller. The methods are the operations
of the API; `request` is for everything else.
"""

import itertools
import json
import os
import socket
import time
from urllib.parse import quote

import httpcore
import httpx

from harness import tokens

_sequence = itertools.count()


def unique(prefix):
    """A name that no other test, worker or run uses."""
    return f"{prefix}-{os.getpid()}-{time.time_ns() // 1000000 % 10**9}-{next(_sequence)}"


class Problem(Exception):
    """Raised by `expect` if the status is another one."""


class PromptBackend(httpcore.backends.sync.SyncBackend):
    """httpx sends a request's body in a segment of its own, after the head. Debian's httpcore leaves Nagle's algorithm
    on, which delays the body until the server's delayed ACK: 40 ms for each request."""

    def connect_tcp(self, *arguments, **options):
        stream = super().connect_tcp(*arguments, **options)
        stream.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream


def transport(base_url, http2):
    made = httpx.HTTPTransport(http1=not http2 or base_url.startswith("https"), http2=http2, verify=False,
                               limits=httpx.Limits(max_connections=200, max_keepalive_connections=100))
    made._pool._network_backend = PromptBackend()
    return made


class Answer:
    """A response that satisfies the OpenAPI document. `json` is the decoded body, `headers` lower-case."""

    def __init__(self, status, headers, body, value):
        self.status, self.headers, self.body, self.json = status, headers, body, value

    @property
    def code(self):
        return self.json.get("code") if isinstance(self.json, dict) else None

    def expect(self, *statuses, code=None):
        if self.status not in statuses or (code is not None and self.code != code):
            raise Problem(f"{self.status} {self.body[:500]!r} where {statuses} {code or ''} was expected")
        return self.json

    def __repr__(self):
        return f"Answer({self.status}, {self.body[:200]!r})"


class User:
    def __init__(self, user_id, username, token):
        self.id, self.username, self.token = user_id, username, token

    def __repr__(self):
        return f"User({self.id})"


def seen_by(user, reactions):
    """Reactions, [{emoji, userIds}], as the API shows them to the user."""
    return [{**reaction, "count": len(reaction["userIds"]), "own": user.id in reaction["userIds"],
             "userIds": reaction["userIds"][:10]} for reaction in reactions]


def conversation_id(a, b):
    low, high = sorted((int(a), int(b)))
    return f"{low}-{high}"


class Api:
    def __init__(self, base_url, contract, key, user=None, http2=False, http=None, mock=None):
        self.base_url, self.contract, self.key, self.user = base_url, contract, key, user
        self.http2 = http2
        self.http = http or httpx.Client(base_url=base_url, timeout=60,
                                         transport=mock or transport(base_url, http2))

    def close(self):
        self.http.close()

    def as_user(self, user):
        """The same connections with another caller. None: no credentials."""
        return Api(self.base_url, self.contract, self.key, user, self.http2, self.http)

    def admin(self):
        token = tokens.mint(self.key, 1, scope="admin")
        return self.as_user(User("1", "admin", token))

    def headers(self):
        return {"authorization": f"Bearer {self.user.token}"} if self.user else {}

    def request(self, method, target, headers=None, json_body=None, content=None, **options):
        """`headers` override; a None value removes one."""
        merged = self.headers()
        if json_body is not None:
            content = json.dumps(json_body).encode()
            merged["content-type"] = "application/json"
        for name, value in (headers or {}).items():
            merged.pop(name, None)
            if value is not None:
                merged[name] = value
        with self.http.stream(method, target, headers=merged, content=content, **options) as response:
            lower = {k.lower(): v for k, v in response.headers.items()}
            # An event stream has no end, so only its head is the answer. harness.readers reads the events.
            is_stream = lower.get("content-type", "").startswith("text/event-stream")
            body = b"" if is_stream else response.read()
        value = self.contract.check(method, response.url.raw_path.decode(), response.status_code, lower, body)
        return Answer(response.status_code, lower, body, value)

    def get(self, target, headers=None, **query):
        params = {k: v for k, v in query.items() if v is not None}
        return self.request("GET", target, headers=headers, params=params or None)

    def post(self, target, body, headers=None):
        return self.request("POST", target, headers=headers, json_body=body)

    # Operations

    def create_user(self, username=None, display_name=None, password=None, **fields):
        body = {"username": username or unique("u"), **fields}
        if display_name is not None:
            body["displayName"] = display_name
        if password is not None:
            body["password"] = password
        return self.post("/v1/users", body)

    def create_session(self, username, password, device_name=None):
        body = {"username": username, "password": password, "deviceName": device_name}
        return self.post("/v1/sessions", {k: v for k, v in body.items() if v is not None})

    def refresh_session(self, refresh_token=None, headers=None):
        """Without a token the request has no body: the token is a cookie's, in the headers."""
        body = None if refresh_token is None else {"refreshToken": refresh_token}
        return self.request("POST", "/v1/sessions/refresh", headers, json_body=body)

    def fetch_sessions(self):
        return self.get("/v1/sessions")

    def end_session(self, session_id, headers=None):
        return self.request("DELETE", f"/v1/sessions/{session_id}", headers)

    def end_current_session(self, headers=None):
        return self.end_session("current", headers)

    def end_other_sessions(self):
        return self.request("DELETE", "/v1/sessions", params={"others": "true"})

    def revoke_user_sessions(self, user):
        return self.request("POST", f"/v1/users/{getattr(user, 'id', user)}/sessions/revoke")

    def fetch_user(self, user_id):
        return self.get(f"/v1/users/{user_id}")

    def fetch_users(self, *users, username=None):
        """users: Users, or ids."""
        ids = ",".join(str(getattr(user, "id", user)) for user in users) if users else None
        return self.get("/v1/users", userIds=ids, username=username)

    def fetch_me(self):
        return self.get("/v1/users/me")

    def update_me(self, **fields):
        return self.request("PATCH", "/v1/users/me", json_body=fields)

    def delete_me(self, current_password=None):
        body = None if current_password is None else {"currentPassword": current_password}
        return self.request("DELETE", "/v1/users/me", json_body=body)

    def export_me(self):
        return self.get("/v1/users/me/export")

    def send(self, recipient, content, client_message_id=None, **fields):
        body = {"recipientId": str(getattr(recipient, "id", recipient)), "messageContent": content,
                "clientMessageId": client_message_id or unique("m")}
        body.update(fields)
        return self.post("/v1/messages", {k: v for k, v in body.items() if v is not None})

    def fetch_conversation(self, headers=None, **query):
        return self.get("/v1/conversations", headers, **query)

    def fetch_conversation_by_id(self, peer, headers=None):
        """peer: a User, or a conversation id."""
        conversation = conversation_id(self.user.id, peer.id) if isinstance(peer, User) else peer
        return self.get(f"/v1/conversations/{conversation}", headers)

    def fetch_messages(self, peer, headers=None, **query):
        """peer: a User, or a conversation id."""
        conversation = conversation_id(self.user.id, peer.id) if isinstance(peer, User) else peer
        return self.get(f"/v1/conversations/{conversation}/messages", headers, **query)

    def update_conversation(self, peer, headers=None, **settings):
        """peer: a User, or a conversation id."""
        conversation = conversation_id(self.user.id, peer.id) if isinstance(peer, User) else peer
        return self.request("PATCH", f"/v1/conversations/{conversation}", headers, json_body=settings)

    def delete_conversation(self, peer, headers=None):
        """peer: a User, or a conversation id."""
        conversation = conversation_id(self.user.id, peer.id) if isinstance(peer, User) else peer
        return self.request("DELETE", f"/v1/conversations/{conversation}", headers)

    def block_user(self, user, headers=None):
        return self.request("PUT", f"/v1/blocks/{getattr(user, 'id', user)}", headers)

    def unblock_user(self, user, headers=None):
        return self.request("DELETE", f"/v1/blocks/{getattr(user, 'id', user)}", headers)

    def fetch_block(self, user, headers=None):
        return self.get(f"/v1/blocks/{getattr(user, 'id', user)}", headers)

    def fetch_blocks(self, headers=None, **query):
        return self.get("/v1/blocks", headers, **query)

    def send_receipt(self, peer, message_id, kind="read", headers=None):
        """peer: a User, or a conversation id."""
        conversation = conversation_id(self.user.id, peer.id) if isinstance(peer, User) else peer
        return self.post(f"/v1/conversations/{conversation}/receipts",
                         {"type": kind, "messageId": str(message_id)}, headers)

    def fetch_unread(self, headers=None):
        return self.get("/v1/unread", headers)

    def mark_all_read(self, cursor, headers=None):
        return self.post("/v1/receipts", {"type": "read", "lastUpdatedTimestamp": cursor}, headers)

    def message_path(self, peer, message_id):
        """peer: a User, or a conversation id."""
        conversation = conversation_id(self.user.id, peer.id) if isinstance(peer, User) else peer
        return f"/v1/conversations/{conversation}/messages/{message_id}"

    def fetch_message(self, peer, message_id, headers=None):
        return self.get(self.message_path(peer, message_id), headers)

    def edit_message(self, peer, message_id, content, **fields):
        return self.request("PATCH", self.message_path(peer, message_id), json_body={"messageContent": content, **fields})

    def delete_message(self, peer, message_id, scope=None):
        return self.request("DELETE", self.message_path(peer, message_id), params={"scope": scope} if scope else None)

    def add_reaction(self, peer, message_id, emoji):
        return self.request("PUT", f"{self.message_path(peer, message_id)}/reactions/{quote(emoji, safe='')}")

    def remove_reaction(self, peer, message_id, emoji):
        return self.request("DELETE", f"{self.message_path(peer, message_id)}/reactions/{quote(emoji, safe='')}")

    def send_typing(self, peer, headers=None, state=None):
        """peer: a User, or a conversation id. Without a state the request has no body."""
        conversation = conversation_id(self.user.id, peer.id) if isinstance(peer, User) else peer
        body = None if state is None else {"state": state}
        return self.request("POST", f"/v1/conversations/{conversation}/typing", headers, json_body=body)

    def fetch_presence(self, *users, headers=None):
        return self.get("/v1/presence", headers, userIds=",".join(str(getattr(user, "id", user)) for user in users))

    def announce_presence(self, headers=None):
        return self.request("PUT", "/v1/presence", headers)

    def fetch_message_receipts(self, peer, message_id, **query):
        return self.get(f"{self.message_path(peer, message_id)}/receipts", **query)

    def fetch_reactions(self, peer, message_id, **query):
        return self.get(f"{self.message_path(peer, message_id)}/reactions", **query)

    def create_group(self, name, members, client_group_id=None, headers=None, **fields):
        """members: Users, or ids."""
        return self.post("/v1/groups", {"name": name, "memberIds": [str(getattr(m, "id", m)) for m in members],
                                        "clientGroupId": client_group_id or unique("g"), **fields}, headers)

    def fetch_group(self, group):
        return self.get(f"/v1/groups/{group}")

    def fetch_group_members(self, group, **query):
        return self.get(f"/v1/groups/{group}/members", **query)

    def update_group(self, group, **fields):
        return self.request("PATCH", f"/v1/groups/{group}", json_body=fields)

    def add_group_members(self, group, *users):
        return self.post(f"/v1/groups/{group}/members", {"userIds": [str(getattr(u, "id", u)) for u in users]})

    def remove_group_member(self, group, user):
        return self.request("DELETE", f"/v1/groups/{group}/members/{getattr(user, 'id', user)}")

    def update_group_member(self, group, user, role):
        return self.request("PATCH", f"/v1/groups/{group}/members/{getattr(user, 'id', user)}", json_body={"role": role})

    def fetch_invitations(self):
        return self.get("/v1/invitations")

    def accept_invitation(self, group):
        return self.request("POST", f"/v1/invitations/{group}/accept")

    def decline_invitation(self, group):
        return self.request("DELETE", f"/v1/invitations/{group}")

    def send_to(self, conversation, content, client_message_id=None, **fields):
        """conversation: any id of a conversation, also a group's."""
        return self.send(None, content, client_message_id, recipientId=None, conversationId=conversation, **fields)

    def fetch_updates(self, headers=None, **query):
        return self.get("/v1/updates", headers, **query)

    # Frequent actions of tests

    def log_in(self, username, password, device_name=None):
        """A user of a new session: its tokens are `token` and `refresh_token`, its id is `session_id`."""
        value = self.create_session(username, password, device_name).expect(201)
        user = User(value["userId"], username, value["accessToken"])
        user.session_id, user.refresh_token = value["sessionId"], value["refreshToken"]
        return user

    def make_user(self, username=None, display_name=None):
        """An account without a password, and a token for it."""
        value = self.admin().create_user(username, display_name).expect(201)
        return User(value["userId"], value["username"], tokens.mint(self.key, value["userId"]))

    def all_messages(self, peer, page_size=100):
        """The whole conversation, oldest first, by paging back with `before`."""
        messages, before = [], None
        while True:
            page = self.fetch_messages(peer, pageSize=page_size, before=before).expect(200)
            messages += page["messages"]
            if not page["hasMore"]:
                return messages[::-1]
            before = page["messages"][-1]["messageId"]

    def settled_cursor(self):
        """The cursor of the mailbox when it no longer changes by itself: the receipts of others have arrived."""
        cursor = self.all_updates()[1]
        while True:
            delta = self.fetch_updates(lastUpdatedTimestamp=cursor, timeout=2).expect(200)
            if not delta["messages"] and not delta["conversations"]:
                return cursor
            cursor = delta["lastUpdatedTimestamp"]

    def all_updates(self, since=0, page_size=100):
        """Every delta from `since` to now: (messages in version order, last cursor, pages)."""
        messages, pages = [], 0
        while True:
            delta = self.fetch_updates(lastUpdatedTimestamp=since, pageSize=page_size, timeout=0).expect(200)
            messages += delta["messages"]
            pages += 1
            since = delta["lastUpdatedTimestamp"]
            if not delta["hasMore"]:
                return messages, since, pages
