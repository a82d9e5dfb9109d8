"""What each user must see of a group: the part of mailbox_model.py for groups.

A group is one log of messages. Each user has those parts of it in which they were a member: from the message by which
they joined to the one by which they left, both included. A change of a message reaches the users who have the message and
are members at that time, so each user has a copy of their own.
"""

import dataclasses


@dataclasses.dataclass
class Copy:
    contents: set
    is_edited: bool = False
    is_deleted: bool = False
    reactions: dict = dataclasses.field(default_factory=dict)  # user: their emojis

    def reactions_by_emoji(self):
        return {emoji: {user for user, emojis in self.reactions.items() if emoji in emojis}
                for emoji in set().union(*self.reactions.values())}


class GroupMessage:
    participants = ()

    def __init__(self, conversation, message_id, sender, client_message_id=None, content=None, reply_to=None, event=None):
        self.conversation, self.id, self.sender = conversation, message_id, sender
        self.client_message_id, self.original, self.reply_to, self.event = client_message_id, content, reply_to, event
        self.whole, self.copies = Copy({content}), {}
        self.hidden_from = set()

    @property
    def contents(self):
        return self.whole.contents

    def copy_of(self, user):
        return self.copies.setdefault(user, Copy({self.original}))

    def is_gone_for(self, user):
        return self.copy_of(user).is_deleted or user in self.hidden_from

    def snippets(self, user, length):
        if self.event or self.is_gone_for(user):
            return {""}
        return {content[:length] for content in self.copy_of(user).contents}

    def row(self, user):
        row = {"messageId": str(self.id), "conversationId": self.conversation, "senderId": self.sender, "participants": [],
               "sentTimestamp": self.id // 2, "clientMessageId": self.client_message_id, "replyTo": self.reply_to,
               "messageType": "system" if self.event else "user", "systemEvent": self.event}
        copy = self.copy_of(user)
        if self.event:
            return {**row, "messageContent": None, "is edited": False, "deletedScope": None, "reactions": {}}
        if copy.is_deleted:
            return {**row, "messageContent": None, "deletedScope": "everyone", "reactions": {}}
        if user in self.hidden_from:
            return {**row, "messageContent": None, "deletedScope": "me"}
        return {**row, "messageContent": copy.contents, "is edited": copy.is_edited, "deletedScope": None,
                "reactions": copy.reactions_by_emoji()}


class Group:
    def __init__(self, group_id, name, owner, others, created):
        self.id, self.name, self.topic, self.metadata, self.created = group_id, name, "", None, created
        self.messages, self.stretches = {}, {}
        self.members = {}  # user: [role, joined], of the present members
        self.names_left = {}  # user: the name of the group when they left
        self.marks = {}  # (user, kind): message id, of the present members
        self.have_left = set()  # former members who have left and were not removed
        self.invited = {}  # user: the last inviter
        self.event(created, owner, {"type": "group-created", "name": name, "userIds": sorted(others, key=int)})
        for user in (owner, *others):
            self._enter(user, created, "owner" if user == owner else "member")

    # Events

    def add(self, message):
        assert message.id not in self.messages, f"{self.id} has two messages {message.id}"
        self.messages[message.id] = message
        return message

    def event(self, message_id, actor, event):
        self.add(GroupMessage(self.id, message_id, actor, event=event))

    def _enter(self, user, message_id, role="member"):
        self.stretches.setdefault(user, []).append([message_id, None])
        self.members[user] = [role, message_id]
        self.have_left.discard(user)
        for kind in ("deliveredUpTo", "readUpTo"):
            self.marks[user, kind] = message_id

    def joined(self, message_id, actor, users):
        self.event(message_id, actor, {"type": "members-added", "userIds": sorted(users, key=int)})
        for user in users:
            self._enter(user, message_id)

    def accepted(self, message_id, user, inviter):
        self.event(message_id, user, {"type": "member-joined", "userIds": [user], "inviterId": inviter})
        self._enter(user, message_id)

    def left(self, message_id, actor, user):
        event = self.event_of_leaving(actor, user)
        self.event(message_id, actor, event)
        self.stretches[user][-1][1] = message_id
        self.names_left[user] = self.name
        if actor == user:
            self.have_left.add(user)
        del self.members[user]
        if "ownerId" in event:
            self.members[event["ownerId"]][0] = "owner"

    def event_of_leaving(self, actor, user):
        event = {"type": "member-left" if actor == user else "member-removed", "userIds": [user]}
        heirs = [other for other in self.members if other != user]
        if self.role(user) == "owner" and heirs:
            event["ownerId"] = min(heirs, key=lambda u: (self.role(u) != "admin", self.members[u][1], int(u)))
        return event

    def received(self, user, kind, message_id):
        for name in ("deliveredUpTo", "readUpTo")[:2 if kind == "read" else 1]:
            if user in self.members:
                self.marks[user, name] = max(self.marks[user, name], message_id)

    def change(self, message, change):
        """Calls change(copy) for the group's own copy, and for the copy of each member who has one."""
        change(message.whole)
        for user in self.members:
            if self.has(user, message.id):
                change(message.copy_of(user))

    # Queries

    def role(self, user):
        return self.members.get(user, [None])[0]

    def has(self, user, message_id):
        return any(first <= message_id and (last is None or message_id <= last)
                   for first, last in self.stretches.get(user, ()))

    def log_of(self, user):
        """All messages that the user received, oldest first."""
        return [message for key, message in sorted(self.messages.items()) if self.has(user, key)]

    def shown(self):
        """The group as fetchGroup returns it."""
        owner = next((user for user, (role, _) in self.members.items() if role == "owner"), None)
        members = sorted(self.members.items(), key=lambda item: int(item[0]))
        return {"groupId": self.id, "name": self.name, "topic": self.topic, "ownerId": owner, "createdTimestamp": self.created // 2,
                "memberCount": len(members), "members": [{"userId": user, "role": role, "joinedTimestamp": joined // 2}
                            for user, (role, joined) in members],
                **({} if self.metadata is None else {"metadata": self.metadata})}

    def differing_members(self, listed):
        """As fetchGroupMembers lists them."""
        shown = self.shown()["members"]
        if len(listed) != len(shown):
            yield f"group {self.id} has the members {listed} and not {shown}"
        for member, expected in zip(listed, shown):
            if {key: member[key] for key in expected} != expected:
                yield f"group {self.id}: {member} is listed and not {expected}"
            for kind, lowest, highest in self.watermarks(member["userId"]):
                if not lowest <= int(member[kind]) <= highest:
                    yield f"group {self.id}: {member} has {kind} not in {lowest} to {highest}"

    def watermarks(self, user):
        """(kind, lowest, highest) for each watermark."""
        read, delivered = self.marks[user, "readUpTo"], self.marks[user, "deliveredUpTo"]
        return (("readUpTo", read, read), ("deliveredUpTo", delivered, max(self.messages)))

    def conversation(self, user):
        """The fields of a user's conversation that differ from those of a 1:1."""
        is_member = user in self.members
        return {"conversationType": "group", "participants": [], "isMember": is_member,
                "name": self.name if is_member else self.names_left[user], "memberCount": len(self.members) if is_member else 0}
