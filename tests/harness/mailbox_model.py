"""A model of what each user must see, as plain data. The tests report to it what the server has acknowledged.

It implements the promises in the simplest way: one set of messages, and for each user what they have read, hidden,
cleared and blocked. `Model.view` returns what a user must see; `differences` compares this with the answers of a server
or the view of a client. Ids of messages are integers here; all else is as in JSON.
"""

from harness.client import conversation_id
from harness.devices import is_own, status_of

SNIPPET = 100


class Message:
    def __init__(self, conversation, message_id, sender, client_message_id, content, reply_to=None, metadata=None):
        self.conversation, self.id, self.sender = conversation, message_id, sender
        self.client_message_id, self.original = client_message_id, content
        # Has several elements after edits at the same time: any of them may have been the last.
        self.contents = {content}
        self.reply_to, self.metadata = reply_to, metadata
        self.is_edited = self.is_deleted = False
        self.reactions = {}
        self.hidden_from = set()

    @property
    def participants(self):
        return sorted(set(self.conversation.split("-")), key=int)

    def is_gone_for(self, user):
        return self.is_deleted or user in self.hidden_from

    def snippets(self, user, length):
        return {""} if self.is_gone_for(user) else {content[:length] for content in self.contents}

    def row(self, user):
        row = {"messageId": str(self.id), "conversationId": self.conversation, "senderId": self.sender,
               "participants": self.participants, "sentTimestamp": self.id // 2,
               "clientMessageId": self.client_message_id, "replyTo": self.reply_to, "messageType": "user", "systemEvent": None,
               "metadata": None}
        if self.is_deleted:
            return {**row, "messageContent": None, "deletedScope": "everyone", "reactions": {}}
        if user in self.hidden_from:
            return {**row, "messageContent": None, "deletedScope": "me"}
        return {**row, "messageContent": self.contents, "metadata": self.metadata, "is edited": self.is_edited, "deletedScope": None,
                "reactions": {emoji: users for emoji, users in self.reactions.items() if users}}


class Model:
    def __init__(self, users):
        self.users = users
        self.conversations = {}  # id: {message id: Message}, of 1:1 conversations
        self.groups = {}  # id: Group
        self.read_up_to, self.delivered_up_to, self.cleared_up_to = {}, {}, {}  # by (user, conversation)
        self.settings = {}
        self.blocks = set()  # (blocker, blocked)
        self.group_invites = {}  # user: their setting, if it is not everyone
        self.invitations = {user: {} for user in users}  # group: (group name, inviter), of those that are shown

    # Events

    def sent(self, sender, recipient, message_id, client_message_id, content, reply_to=None, metadata=None):
        conversation = conversation_id(sender, recipient)
        message = Message(conversation, int(message_id), sender, client_message_id, content, reply_to, metadata)
        messages = self.conversations.setdefault(conversation, {})
        assert message.id not in messages, f"{conversation} has two messages {message_id}"
        messages[message.id] = message
        return message

    def received(self, user, conversation, kind, message_id):
        for watermarks in (self.delivered_up_to, self.read_up_to)[:2 if kind == "read" else 1]:
            watermarks[user, conversation] = max(watermarks.get((user, conversation), 0), message_id)
        if conversation in self.groups:
            self.groups[conversation].received(user, kind, message_id)
        if kind == "read":
            self.configured(user, conversation, {"markedUnread": False})

    def all_read(self, user):
        """With a cursor after all messages."""
        for name in list(self.conversations) + list(self.groups):
            held = self.log_of(user, name)
            row = self.view(user)[1].get(name)
            if row is not None and (row["unreadCount"] or row["markedUnread"]):
                if row["unreadCount"]:
                    self.received(user, name, "read", max(held))
                self.configured(user, name, {"markedUnread": False})

    def log_of(self, user, name):
        """All messages of a conversation that the user has or had, by id."""
        if name in self.groups:
            return {m.id: m for m in self.groups[name].log_of(user)}
        return self.conversations[name] if user in name.split("-") else {}

    def unread(self, user):
        """(conversations, messages)"""
        rows = self.view(user)[1].values()
        return (sum(1 for row in rows if row["unreadCount"] or row["markedUnread"]), sum(row["unreadCount"] for row in rows))

    def cleared(self, user, conversation):
        group = self.groups.get(conversation)
        self.cleared_up_to[user, conversation] = group.log_of(user)[-1].id if group else max(self.conversations[conversation])
        self.configured(user, conversation, {"pinned": False, "markedUnread": False})

    def configured(self, user, conversation, settings):
        self.settings.setdefault((user, conversation), {}).update(settings)

    def blocked(self, user, other):
        self.blocks.add((user, other))
        for group, (_, inviter) in list(self.invitations[user].items()):
            if inviter == other:
                self.end_invitation(user, group)

    def may_add(self, adder, user):
        setting = self.group_invites.get(user, "everyone")
        wrote = any(m.sender == user for m in self.conversations.get(conversation_id(adder, user), {}).values())
        return (user, adder) not in self.blocks and (setting == "everyone" or (setting == "contacts" and wrote))

    def invited(self, group, inviter, user):
        """The group notes the last inviter; the user does not see an invitation by a blocked user."""
        group.invited[user] = inviter
        if (user, inviter) not in self.blocks:
            self.invitations[user][group.id] = (group.name, inviter)
        elif group.id not in self.invitations[user]:
            del group.invited[user]

    def end_invitation(self, user, group_id):
        self.invitations[user].pop(group_id, None)
        self.groups[group_id].invited.pop(user, None)

    # Queries for choosing actions

    def messages_of(self, user, conversation=None):
        """The messages that the user can still see, oldest first."""
        return [message for name, messages in sorted(self.conversations.items()) if user in name.split("-")
                and conversation in (None, name) for _, message in sorted(messages.items())
                if not message.is_gone_for(user) and message.id > self.cleared_up_to.get((user, name), 0)]

    def messages_in(self, user, group):
        """The messages of a group that the user can still see, oldest first, without system messages."""
        cleared = self.cleared_up_to.get((user, group.id), 0)
        return [m for m in group.log_of(user) if not m.event and not m.is_gone_for(user) and m.id > cleared]

    # What users must see

    def view(self, user):
        """({(conversation, message id): row}, {conversation: row})"""
        messages, conversations = {}, {}
        for name, held in self.conversations.items():
            cleared = self.cleared_up_to.get((user, name), 0)
            if user in name.split("-") and max(held) > cleared:
                conversations[name] = self._conversation(user, name, held, cleared)
                messages.update({(name, m.id): m.row(user) for m in held.values() if m.id > cleared})
        for name, group in self.groups.items():
            held, cleared = {m.id: m for m in group.log_of(user)}, self.cleared_up_to.get((user, name), 0)
            if held and max(held) > cleared:
                conversations[name] = {**self._conversation(user, name, held, cleared), **group.conversation(user)}
                messages.update({(name, m.id): m.row(user) for m in held.values() if m.id > cleared})
        return messages, conversations

    def _conversation(self, user, name, held, cleared):
        newest = held[max(held)]
        read = newest.id if is_own(name) else self.read_up_to.get((user, name), 0)
        unread = [m for m in held.values() if m.sender != user and m.id > max(read, cleared) and not m.is_gone_for(user)]
        snippets, participants = newest.snippets(user, SNIPPET), sorted(set(name.split("-")), key=int)
        return {"conversationId": name, "conversationType": "self" if is_own(name) else "direct",
                "participants": participants, "memberCount": len(participants),
                "isMember": True, "name": None, "snippet": snippets,
                "lastMessageId": str(newest.id), "lastMessageTimestamp": newest.id // 2, "unreadCount": len(unread),
                "readUpTo": str(read), "clearedUpTo": str(cleared), "mutedUntil": 0, "archived": False, "pinned": False,
                "markedUnread": False,
                **self.settings.get((user, name), {})}

    def others(self, user, conversation):
        """None for a user who has left the group."""
        members = self.groups[conversation].members if conversation in self.groups else conversation.split("-")
        return [other for other in members if other != user] if user in members else []

    def watermarks(self, user, conversation):
        """(kind, lowest, highest) for each watermark: a client's own reads count as much as its receipts."""
        if conversation in self.groups:
            return self.groups[conversation].watermarks(user)
        newest = max(self.conversations[conversation])
        read = newest if is_own(conversation) else self.read_up_to.get((user, conversation), 0)
        return (("readUpTo", read, read), ("deliveredUpTo", self.delivered_up_to.get((user, conversation), 0), newest))


def as_modelled(row):
    """A Message in the model's form."""
    return {**row, "replyTo": row.get("replyTo"), "metadata": row.get("metadata"), "deletedScope": row.get("deletedScope"),
            "messageContent": row.get("messageContent"), "clientMessageId": row.get("clientMessageId"),
            "messageType": row.get("messageType"), "systemEvent": row.get("systemEvent"),
            "is edited": "editedTimestamp" in row,
            "reactions": {r["emoji"]: set(r["userIds"]) for r in row.get("reactions", ())}}


def _fits(expected, seen):
    """A set has the possible values. The first user who sees one decides: all others must see the same."""
    if isinstance(expected, set) and seen in expected:
        expected.intersection_update({seen})
        return True
    return seen == expected


def _differing_rows(what, expected, seen):
    for key in sorted(expected.keys() | seen.keys()):
        if key not in seen:
            yield f"{what} {key} is missing"
        elif key not in expected:
            yield f"{what} {key} should not be there: {seen[key]}"
        else:
            for name, value in expected[key].items():
                if name in seen[key] and not _fits(value, seen[key][name]):
                    yield f"{what} {key}: {name} is {seen[key][name]!r} and not {value!r}"


def differences(model, user, messages, conversations):
    """The differences between what the user must see and these rows. Ignores fields that the server does not have."""
    expected_messages, expected_conversations = model.view(user)
    found = list(_differing_rows("message", expected_messages, {k: as_modelled(m) for k, m in messages.items()}))
    found += _differing_rows("conversation", expected_conversations,
                             {name: {**row, "name": row.get("name")} for name, row in conversations.items()})
    for key, row in messages.items():
        for reaction in row.get("reactions", ()):
            if (reaction["own"], reaction["count"]) != (user in reaction["userIds"], len(reaction["userIds"])):
                found.append(f"message {key}: {reaction} is not what {user} sees of it")
        if "status" in row and key[0] in conversations:
            status = status_of(row, conversations[key[0]])
            if row["status"] != status or row["senderId"] != user:
                found.append(f"message {key}: status is {row['status']}, by the conversation {status}")
    for name, row in conversations.items():
        if name in expected_conversations:
            found += _differing_watermarks(model, user, name, row)
    return found


def _differing_watermarks(model, user, name, row):
    seen = [(state["userId"], kind, state[kind], bounds) for state in row.get("memberStates", ())
            for kind, *bounds in model.watermarks(state["userId"], name)]
    all_others = zip(*(model.watermarks(other, name) for other in model.others(user, name)))
    for field, marks in zip(("othersReadUpTo", "othersDeliveredUpTo"), all_others):
        seen.append(("all others", field, row[field], [min(bounds) for bounds in list(zip(*marks))[1:]]))
    for who, kind, value, (lowest, highest) in seen:
        if not lowest <= int(value) <= highest:
            yield f"conversation {name}: {kind} of {who} is {value} and not in {lowest} to {highest}"
