"""Checks a history of sends against the mailboxes at the end. These are pure functions: each takes plain data and returns
a list of violations. So tests/faults/test_checkers.py can show that each one finds the violations that it looks for.

A history entry is one logical send (one clientMessageId), however often it was tried. `Send.answers` are its 2xx bodies,
in the order in which they came.
"""

from collections import Counter


class Send:
    __slots__ = ("sender", "recipient", "client_message_id", "content", "answers", "attempts")

    def __init__(self, sender, recipient, client_message_id, content):
        self.sender, self.recipient = sender, recipient
        self.client_message_id, self.content = client_message_id, content
        self.answers, self.attempts = [], 0

    @property
    def key(self):
        return self.sender, self.recipient, self.client_message_id

    @property
    def is_acknowledged(self):
        return bool(self.answers)


def _pair(a, b):
    return tuple(sorted((a, b), key=int))


def total_queue(sends, mailboxes):
    """Promises 1 and 2. mailboxes: {user: [message dicts]}. Both mailboxes have every acknowledged send with its content,
    and they have no message that was not sent."""
    violations = []
    held = {user: {(m["senderId"], m["conversationId"], m["clientMessageId"]): m for m in messages}
            for user, messages in mailboxes.items()}
    known = set()
    for send in sends:
        conversation = "-".join(_pair(send.sender, send.recipient))
        key = (send.sender, conversation, send.client_message_id)
        known.add(key)
        for user in {send.sender, send.recipient}:
            message = held[user].get(key)
            if message is None:
                if send.is_acknowledged:
                    violations.append(f"lost: {key} is not in the mailbox of {user}")
            elif message["messageContent"] != send.content:
                violations.append(f"altered: {key} in the mailbox of {user}")
    for user, messages in held.items():
        violations += [f"unexpected: {key} in the mailbox of {user}" for key in messages if key not in known]
    return violations


def recipient_first(mailboxes):
    """Promise 2. The recipient's mailbox has every message that the sender's has, with the same messageId."""
    violations = []
    ids = {user: {(m["conversationId"], m["messageId"]) for m in messages}
           for user, messages in mailboxes.items()}
    for user, messages in mailboxes.items():
        for message in messages:
            if message["senderId"] != user:
                continue
            for participant in message["participants"]:
                if (message["conversationId"], message["messageId"]) not in ids[participant]:
                    violations.append(f"{user} sees {message['messageId']} as sent, {participant} lacks it")
    return violations


def exactly_once(sends, mailboxes):
    """Promise 3. No mailbox has a message twice, and all answers to one send have one messageId."""
    violations = []
    for user, messages in mailboxes.items():
        keys = Counter((m["senderId"], m["conversationId"], m["clientMessageId"]) for m in messages)
        violations += [f"{n} times in the mailbox of {user}: {key}" for key, n in keys.items() if n > 1]
        ids = Counter((m["conversationId"], m["messageId"]) for m in messages)
        violations += [f"{n} messages of {user} share {key}" for key, n in ids.items() if n > 1]
    for send in sends:
        ids = {answer["messageId"] for answer in send.answers}
        if len(ids) > 1:
            violations.append(f"{send.key} was answered with {sorted(ids)}")
    return violations


def acknowledged_order(sends, mailboxes):
    """Promise 4. `sends` are in the order of their acknowledgements, and each was sent after the one before was
    acknowledged: their ids ascend within the conversation."""
    violations = []
    last = {}
    for send in sends:
        if not send.is_acknowledged:
            continue
        pair = (send.sender, send.recipient)
        message_id = int(send.answers[0]["messageId"])
        if message_id <= last.get(pair, 0):
            violations.append(f"{send.key} has {message_id}, not above {last[pair]}")
        last[pair] = message_id
    for user, messages in mailboxes.items():
        by_conversation = {}
        for message in messages:
            by_conversation.setdefault(message["conversationId"], []).append(int(message["messageId"]))
        for conversation, ids in by_conversation.items():
            if ids != sorted(ids):
                violations.append(f"{conversation} of {user} is not in order of messageId")
    return violations


def offset_agreement(views):
    """Promise 5. views: {name of the reader: [messages in the order received]} of one mailbox. All readers got the same
    messages, each once, with ascending versions; the last version of a message is the same for all readers."""
    violations = []
    final = {}
    for reader, messages in views.items():
        versions = [m["lastUpdatedTimestamp"] for m in messages]
        if any(b <= a for a, b in zip(versions, versions[1:])):
            violations.append(f"{reader}: versions do not ascend")
        final[reader] = {(m["conversationId"], m["messageId"]): m["lastUpdatedTimestamp"] for m in messages}
        if len(final[reader]) != len(messages):
            violations.append(f"{reader}: {len(messages) - len(final[reader])} doubles")
    names = sorted(final)
    for name in names[1:]:
        missing = final[names[0]].items() - final[name].items()
        extra = final[name].items() - final[names[0]].items()
        if missing or extra:
            violations.append(f"{name} lacks {sorted(missing)[:5]} and has {sorted(extra)[:5]} "
                              f"beside {names[0]}")
    return violations


def mirrored(mailboxes):
    """Both sides of every conversation have the same messages in the same order."""
    violations = []
    sides = {}
    for user, messages in mailboxes.items():
        for message in messages:
            for participant in message["participants"]:
                sides.setdefault((message["conversationId"], participant), [])
            sides[message["conversationId"], user].append(
                (message["messageId"], message["senderId"], message["clientMessageId"],
                 message["messageContent"], message["sentTimestamp"]))
    for conversation in {c for c, _ in sides}:
        views = [v for (c, _), v in sorted(sides.items()) if c == conversation]
        if any(view != views[0] for view in views):
            violations.append(f"the sides of {conversation} differ: {[len(v) for v in views]} messages")
    return violations
