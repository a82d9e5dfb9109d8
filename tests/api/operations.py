"""One valid request for each operation. Tests of the statuses that every operation has vary these requests."""

import base64
import struct

from harness.client import conversation_id, unique

IDS = ["createUser", "fetchUsers", "fetchUser", "fetchMe", "updateMe", "deleteMe", "exportMe",
       "createSession", "refreshSession", "fetchSessions", "endSession", "endCurrentSession", "endOtherSessions", "revokeUserSessions",
       "sendMessage", "fetchConversation", "fetchConversationById", "fetchMessages", "fetchMessage",
       "editMessage", "deleteMessage", "addReaction", "removeReaction", "fetchReactions", "fetchMessageReceipts",
       "sendReceipt", "updateConversation", "deleteConversation", "fetchBlocks",
       "blockUser", "unblockUser", "fetchBlock", "createGroup", "fetchGroup", "updateGroup",
       "fetchGroupMembers", "addGroupMembers", "removeGroupMember", "updateGroupMember", "fetchInvitations",
       "acceptInvitation", "declineInvitation", "sendTyping", "fetchUpdates",
       "streamUpdates", "fetchPresence", "fetchUnread", "markAllRead", "announcePresence",
       "fetchCapabilities", "fetchOpenapi", "fetchDocs"]
# Operations with a body.
POSTS = ["createUser", "updateMe", "createSession", "refreshSession", "sendMessage", "editMessage", "sendReceipt", "updateConversation",
         "createGroup", "updateGroup", "addGroupMembers", "updateGroupMember", "markAllRead"]
# Operations that change something and have no body.
BODILESS = ["sendTyping", "announcePresence", "deleteMe", "deleteMessage", "addReaction", "removeReaction",
            "deleteConversation", "blockUser", "unblockUser", "removeGroupMember", "acceptInvitation", "declineInvitation",
            "endSession", "endCurrentSession", "endOtherSessions",
            "revokeUserSessions"]
# Operations that are refused to an ordinary user whose token has no session.
REFUSED = ["endSession", "endCurrentSession", "revokeUserSessions"]
PUBLIC = ["createSession", "refreshSession", "fetchCapabilities", "fetchOpenapi", "fetchDocs"]
# Of the operations without a body, those that may have one.
OPTIONAL_BODY = ["sendTyping", "deleteMe"]
STATIC = ["fetchOpenapi", "fetchDocs"]
PASSWORD = "correct horse battery"


def refresh_token(user, session_id, generation=0, secret=bytes(32)):
    """A token in the server's form; without the secret it is none of the session."""
    raw = struct.pack(">QQI", int(user.id), int(session_id), generation) + secret
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def prepare(api, me, peer):
    """Makes what some operations need: a group, a block and a message. Returns the message's id."""
    me.group = api.as_user(me).create_group("Group", [peer]).expect(201)["groupId"]
    api.as_user(me).block_user(peer).expect(204)
    return api.as_user(me).send(peer, "x").expect(201)["messageId"]


def request_of(operation, me, peer, message_id="1"):
    """(method, target, body or None) that succeeds for the caller `me` if `peer` exists and `prepare` has run."""
    group = f"/v1/groups/{getattr(me, 'group', int(me.id) | 256)}"
    message = f"/v1/conversations/{conversation_id(me.id, peer.id)}/messages/{message_id}"
    return {
        "createUser": ("POST", "/v1/users", {"username": unique("op"), "password": PASSWORD}),
        "fetchUsers": ("GET", f"/v1/users?userIds={peer.id}", None),
        "fetchUser": ("GET", f"/v1/users/{peer.id}", None),
        "fetchMe": ("GET", "/v1/users/me", None),
        "deleteMe": ("DELETE", "/v1/users/me", None),
        "exportMe": ("GET", "/v1/users/me/export", None),
        "updateMe": ("PATCH", "/v1/users/me", {"displayName": "Me"}),
        "createSession": ("POST", "/v1/sessions", {"username": me.username, "password": PASSWORD}),
        "refreshSession": ("POST", "/v1/sessions/refresh", {"refreshToken": refresh_token(me, 1)}),
        "fetchSessions": ("GET", "/v1/sessions", None),
        "endSession": ("DELETE", "/v1/sessions/1", None),
        "endCurrentSession": ("DELETE", "/v1/sessions/current", None),
        "endOtherSessions": ("DELETE", "/v1/sessions?others=true", None),
        "revokeUserSessions": ("POST", f"/v1/users/{peer.id}/sessions/revoke", None),
        "sendMessage": ("POST", "/v1/messages", {"recipientId": peer.id, "messageContent": "x",
                                                 "clientMessageId": unique("op")}),
        "fetchConversation": ("GET", "/v1/conversations", None),
        "fetchConversationById": ("GET", f"/v1/conversations/{conversation_id(me.id, peer.id)}", None),
        "fetchMessages": ("GET", f"/v1/conversations/{conversation_id(me.id, peer.id)}/messages", None),
        "updateConversation": ("PATCH", f"/v1/conversations/{conversation_id(me.id, peer.id)}", {"archived": True}),
        "deleteConversation": ("DELETE", f"/v1/conversations/{conversation_id(me.id, peer.id)}", None),
        "fetchBlocks": ("GET", "/v1/blocks", None),
        "blockUser": ("PUT", f"/v1/blocks/{peer.id}", None),
        # Another user, because the peer stays blocked.
        "unblockUser": ("DELETE", f"/v1/blocks/{int(peer.id) ^ 1}", None),
        "fetchBlock": ("GET", f"/v1/blocks/{peer.id}", None),
        "sendReceipt": ("POST", f"/v1/conversations/{conversation_id(me.id, peer.id)}/receipts",
                        {"type": "read", "messageId": message_id}),
        "fetchUnread": ("GET", "/v1/unread", None),
        "markAllRead": ("POST", "/v1/receipts", {"type": "read", "lastUpdatedTimestamp": 0}),
        "fetchMessage": ("GET", message, None),
        "editMessage": ("PATCH", message, {"messageContent": "y"}),
        "deleteMessage": ("DELETE", f"{message}?scope=me", None),
        "addReaction": ("PUT", f"{message}/reactions/%2B", None),
        "removeReaction": ("DELETE", f"{message}/reactions/%2B", None),
        "fetchReactions": ("GET", f"{message}/reactions", None),
        "fetchMessageReceipts": ("GET", f"{message}/receipts", None),
        "createGroup": ("POST", "/v1/groups", {"name": "Group", "memberIds": [peer.id], "clientGroupId": unique("op")}),
        "fetchGroup": ("GET", group, None),
        "updateGroup": ("PATCH", group, {"name": "Group"}),
        "fetchGroupMembers": ("GET", f"{group}/members", None),
        "addGroupMembers": ("POST", f"{group}/members", {"userIds": [peer.id]}),
        "removeGroupMember": ("DELETE", f"{group}/members/{peer.id}", None),
        "updateGroupMember": ("PATCH", f"{group}/members/{peer.id}", {"role": "member"}),
        "fetchInvitations": ("GET", "/v1/invitations", None),
        # As a member: nothing changes.
        "acceptInvitation": ("POST", f"/v1/invitations/{getattr(me, 'group', int(me.id) | 256)}/accept", None),
        "declineInvitation": ("DELETE", f"/v1/invitations/{getattr(me, 'group', int(me.id) | 256)}", None),
        "sendTyping": ("POST", f"/v1/conversations/{conversation_id(me.id, peer.id)}/typing", None),
        "fetchUpdates": ("GET", "/v1/updates?timeout=0", None),
        "streamUpdates": ("GET", "/v1/updates/stream", None),
        "fetchPresence": ("GET", f"/v1/presence?userIds={peer.id}", None),
        "announcePresence": ("PUT", "/v1/presence", None),
        "fetchCapabilities": ("GET", "/v1/capabilities", None),
        "fetchOpenapi": ("GET", "/openapi.json", None),
        "fetchDocs": ("GET", "/docs", None),
    }[operation]
