"""The actions of users in test_model.py. Each action is a function that turns a drawn step into something that is
possible in the present state of the world. It returns the requests, the keys of the world that they touch, and the effect
of the answers on the model. An action is never drawn if the document in openapi/ does not have its operation.
"""

import dataclasses
import urllib.parse

from harness.client import conversation_id
from harness.stack import SLOWNESS, wait_until

ACTIONS = {}


@dataclasses.dataclass(frozen=True)
class Step:
    """A drawn step. All numbers are valid: they choose among the existing things, modulo the number of candidates."""

    action: str
    who: int
    whom: int
    pick: int
    text: str

    def __repr__(self):
        return f"{self.action}({self.who}, {self.whom}, {self.pick}, {ascii(self.text[:12])})"


@dataclasses.dataclass
class Plan:
    """`requests` run at the same time, also with those of other plans, unless they touch something that this plan
    changes. `effect(answers)` is called after all of them."""

    requests: list
    effect: callable = lambda answers: None
    changes: frozenset = frozenset()
    uses: frozenset = frozenset()

    def bears(self, other):
        return not (self.changes & (other.changes | other.uses) or other.changes & self.uses)


@dataclasses.dataclass
class Sent:
    """A send that has succeeded, for retries."""

    body: dict
    answer: dict
    message: object


@dataclasses.dataclass(frozen=True)
class Action:
    plan: callable
    weight: int
    needs: str


def action(weight, needs=None):
    """needs: the operationId, or a field of a schema as `SendToUser.replyTo`."""
    def register(function):
        ACTIONS[function.__name__] = Action(function, weight, needs)
        return function
    return register


def is_there(document, needs):
    if needs is None:
        return True
    if "." in needs:
        schema, field = needs.split(".")
        return field in document["components"]["schemas"].get(schema, {}).get("properties", ())
    return any(operation.get("operationId") == needs for item in document["paths"].values()
               for operation in item.values() if isinstance(operation, dict))


def available(document):
    """The names of the actions, each repeated by its weight."""
    return [name for name, found in ACTIONS.items() if is_there(document, found.needs) for _ in range(found.weight)]


def choose(candidates, pick):
    """The newest candidate for 0."""
    return candidates[-1 - pick % len(candidates)] if candidates else None


def answered(*statuses, code=None):
    """An effect that only looks at the statuses."""
    return lambda answers: [answer.expect(*statuses, code=code) for answer in answers]


def talk(message):
    return frozenset({("conversation", message.conversation)})


def on_message(message):
    """The path of a message."""
    return f"/v1/conversations/{message.conversation}/messages/{message.id}"


def changed(world, user, message, effect, code="message-not-found"):
    """The effect of an allowed change of a message. It is not allowed to blocked users, nor at the same time as a
    deletion."""
    def judge(answers):
        peer = next((other for other in message.participants if other != user.id), user.id)
        for answer in answers:
            if (peer, user.id) in world.model.blocks:
                answer.expect(403, code="recipient-unavailable")
            elif answer.status == 404 and ("deletion", message.id) in world.changing:
                answer.expect(404, code=code)
            else:
                answer.expect(200)
                effect(answer)
    return judge


def pair_of(world, step):
    user = world.users[step.who % len(world.users)]
    others = [other for other in world.users if other is not user]
    return user, others[step.whom % len(others)]


def wait_for_copies(world, user, group):
    """A change of a user's own copies needs the copies to be there. Returns a function that waits for them."""
    last, cleared = group.log_of(user.id)[-1].id, world.model.cleared_up_to.get((user.id, group.id), 0)

    def is_there():
        answer = world.api.as_user(user).fetch_messages(group.id, pageSize=1)
        return answer.status == 200 and any(int(m["messageId"]) >= last for m in answer.json["messages"])

    return lambda: last <= cleared or wait_until(is_there, 10 * SLOWNESS, f"{user} has {last} of {group.id}")


def message_of(world, user, step, accept=lambda message: True):
    return choose([message for message in world.model.messages_of(user.id) if accept(message)], step.pick)


# Sends

def send_plan(world, user, peer, body, copies=1):
    conversation = conversation_id(user.id, peer.id)

    def effect(answers):
        if (peer.id, user.id) in world.model.blocks:
            return answered(403, code="recipient-unavailable")(answers)
        values = [answer.expect(200, 201) for answer in answers]
        assert [answer.status for answer in answers].count(201) == 1, answers
        assert all(value["duplicate"] is (answer.status == 200) for answer, value in zip(answers, values))
        assert len({value["messageId"] for value in values}) == 1, values
        message = world.model.sent(user.id, peer.id, values[0]["messageId"], body["clientMessageId"],
                                   body["messageContent"], body.get("replyTo"), body.get("metadata"))
        world.sent.append((user, Sent(body, values[0], message)))
        return None

    return Plan([lambda: world.api.as_user(user).post("/v1/messages", body)] * copies, effect,
                uses=frozenset({("conversation", conversation)}))


@action(weight=8)
def send(world, step):
    """Sometimes the same send several times at once."""
    user, peer = pair_of(world, step)
    body = {"recipientId": peer.id, "clientMessageId": world.new_key(), "messageContent": step.text}
    if step.pick % 2:
        body = {**body, "conversationId": conversation_id(user.id, peer.id)}
        del body["recipientId"]
    if step.pick % 3 == 1:
        body["metadata"] = {"n": step.pick, "text": step.text, "deep": [{"a": None}]}
    return send_plan(world, user, peer, body, copies=3 if step.pick % 5 == 4 else 1)


@action(weight=2)
def note(world, step):
    """A note to oneself."""
    user, _ = pair_of(world, step)
    body = {"recipientId": user.id, "clientMessageId": world.new_key(), "messageContent": step.text}
    return send_plan(world, user, user, body, copies=3 if step.pick % 5 == 4 else 1)


@action(weight=2, needs="SendToUser.replyTo")
def reply(world, step):
    user, peer = pair_of(world, step)
    target = choose(world.model.messages_of(user.id, conversation_id(user.id, peer.id)), step.pick)
    if target is None:
        return None
    plan = send_plan(world, user, peer, {"recipientId": peer.id, "clientMessageId": world.new_key(),
                                         "messageContent": step.text, "replyTo": str(target.id)})
    return dataclasses.replace(plan, uses=plan.uses | {("deletion", target.id)})


def earlier(world, step):
    found = choose(world.sent, step.pick)
    return found or (None, None)


@action(weight=3)
def retry(world, step):
    """Repeats an earlier request exactly: it gets the first result, whatever happened to the message and the users since."""
    user, sent = earlier(world, step)
    if sent is None:
        return None

    def effect(answers):
        value = answers[0].expect(200)
        assert value == {**sent.answer, "duplicate": True, "senderCopy": value["senderCopy"]}, (value, sent.answer)

    return Plan([lambda: world.api.as_user(user).post("/v1/messages", sent.body)], effect,
                uses=talk(sent.message))


@action(weight=1)
def reuse(world, step):
    """The same clientMessageId with other content, or with the message's present content."""
    user, sent = earlier(world, step)
    contents = [] if sent is None else sorted((sent.message.contents | {step.text}) - {sent.message.original})
    if not contents:
        return None
    body = {**sent.body, "messageContent": choose(contents, step.whom)}

    return Plan([lambda: world.api.as_user(user).post("/v1/messages", body)],
                answered(409, code="client-message-id-reused"),
                uses=talk(sent.message))


# What is done to messages

@action(weight=4, needs="sendReceipt")
def receive(world, step):
    user, _ = pair_of(world, step)
    message = message_of(world, user, step)
    if message is None:
        return None
    kind = "delivered" if step.whom % 3 == 0 else "read"
    return Plan([lambda: world.api.as_user(user).post(f"/v1/conversations/{message.conversation}/receipts",
                                                      {"type": kind, "messageId": str(message.id)})],
                lambda answers: (answered(204)(answers),
                                 world.model.received(user.id, message.conversation, kind, message.id)),
                uses=talk(message) | {("settings", message.conversation, user.id)})


@action(weight=1, needs="markAllRead")
def read_all(world, step):
    """Sent by a client that has everything. Nothing runs at the same time that changes what the user has."""
    user, _ = pair_of(world, step)
    waits = [wait_for_copies(world, user, group) for group in world.model.groups.values() if group.log_of(user.id)]

    def request():
        for wait in waits:
            wait()
        mine = world.api.as_user(user)
        return mine.mark_all_read(mine.fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"])

    conversations = [conversation_id(user.id, other.id) for other in world.users] + list(world.model.groups)
    return Plan([request], lambda answers: (answered(204)(answers), world.model.all_read(user.id)),
                changes=frozenset({("creation",)} | {(what, name) for name in conversations for what in ("conversation", "members")}
                                  | {("settings", name, user.id) for name in conversations}))


@action(weight=3, needs="editMessage")
def edit(world, step):
    """Sometimes two edits at once: either may be the last. Sometimes with other metadata."""
    user, _ = pair_of(world, step)
    message = message_of(world, user, step, lambda m: m.sender == user.id)
    if message is None:
        return None
    contents = [step.text, step.text + "!"][:1 + (step.whom % 3 == 0)]
    more = {"metadata": {"n": step.pick, "edited": True}} if step.pick % 3 == 1 else {}

    def effect(_):
        message.contents, message.is_edited = set(contents), True
        message.metadata = more.get("metadata", message.metadata)

    return Plan([lambda content=content: world.api.as_user(user).request(
        "PATCH", on_message(message), json_body={"messageContent": content, **more}) for content in contents],
                changed(world, user, message, effect), changes=frozenset({("content", message.id)}), uses=talk(message))


@action(weight=2, needs="deleteMessage")
def delete_for_everyone(world, step):
    user, _ = pair_of(world, step)
    message = message_of(world, user, step, lambda m: m.sender == user.id)
    if message is None:
        return None

    def effect(_):
        message.is_deleted = True

    return Plan([lambda: world.api.as_user(user).request("DELETE", on_message(message))],
                changed(world, user, message, effect), changes=frozenset({("deletion", message.id)}), uses=talk(message))


@action(weight=2, needs="deleteMessage")
def delete_for_me(world, step):
    user, _ = pair_of(world, step)
    message = message_of(world, user, step)
    if message is None:
        return None
    return Plan([lambda: world.api.as_user(user).request("DELETE", on_message(message) + "?scope=me")],
                lambda answers: (answered(200)(answers), message.hidden_from.add(user.id)),
                changes=frozenset({("hidden", message.id, user.id)}), uses=talk(message))


EMOJI = ("\U0001f44d", "\u2764\ufe0f", "\U0001f1ea\U0001f1fa")


def reaction_plan(world, step, method):
    user, _ = pair_of(world, step)
    message = message_of(world, user, step)
    if message is None:
        return None
    emoji = EMOJI[step.whom % len(EMOJI)]

    def effect(_):
        users = message.reactions.setdefault(emoji, set())
        users.add(user.id) if method == "PUT" else users.discard(user.id)

    return Plan([lambda: world.api.as_user(user).request(
        method, f"{on_message(message)}/reactions/{urllib.parse.quote(emoji)}")], changed(world, user, message, effect),
                changes=frozenset({("reaction", message.id, emoji, user.id)}), uses=talk(message))


@action(weight=4, needs="addReaction")
def react(world, step):
    return reaction_plan(world, step, "PUT")


@action(weight=2, needs="removeReaction")
def unreact(world, step):
    """Also removes reactions that do not exist, which changes nothing."""
    return reaction_plan(world, step, "DELETE")


# What is done to conversations and users

def block_plan(world, step, method, effect):
    user, peer = pair_of(world, step)
    return Plan([lambda: world.api.as_user(user).request(method, f"/v1/blocks/{peer.id}")],
                lambda answers: (answered(200, 204)(answers), effect((user.id, peer.id))),
                changes=frozenset({("conversation", conversation_id(user.id, peer.id)), ("invitations", user.id)}))


@action(weight=1, needs="blockUser")
def block(world, step):
    """It ends the invitations of the other, which are there."""
    return block_plan(world, step, "PUT", lambda pair: world.model.blocked(*pair))


@action(weight=2, needs="unblockUser")
def unblock(world, step):
    return block_plan(world, step, "DELETE", world.model.blocks.discard)


@action(weight=2, needs="updateConversation")
def configure(world, step):
    user, peer = pair_of(world, step)
    conversation = conversation_id(user.id, peer.id)
    settings = ({"mutedUntil": 4102444800000000}, {"archived": True}, {"pinned": True}, {"mutedUntil": 0},
                {"archived": False, "pinned": False}, {"markedUnread": True}, {"markedUnread": False})[step.pick % 7]
    return Plan([lambda: world.api.as_user(user).request("PATCH", f"/v1/conversations/{conversation}", json_body=settings)],
                lambda answers: (answered(200, 204)(answers), world.model.configured(user.id, conversation, settings)),
                changes=frozenset({("settings", conversation, user.id)}),
                uses=frozenset({("conversation", conversation)}))


@action(weight=1, needs="deleteConversation")
def clear(world, step):
    user, peer = pair_of(world, step)
    conversation = conversation_id(user.id, peer.id)
    if not world.model.messages_of(user.id, conversation):
        return None
    return Plan([lambda: world.api.as_user(user).request("DELETE", f"/v1/conversations/{conversation}")],
                lambda answers: (answered(200, 204)(answers), world.model.cleared(user.id, conversation)),
                changes=frozenset({("conversation", conversation)}))


# The actions of clients. They change nothing that users see

SIZES = (1, 2, 3, 7, 100)


def device_plan(world, step, act):
    """Runs beside everything except actions on the same device."""
    device = choose(world.devices[world.users[step.who % len(world.users)].id], step.whom)

    def request():
        act(device)

    return Plan([request], changes=frozenset({("device", device.name)}))


@action(weight=6)
def poll(world, step):
    return device_plan(world, step, lambda device: device.read(SIZES[step.pick % len(SIZES)]))


@action(weight=3)
def catch_up(world, step):
    def act(device):
        device.catch_up(SIZES[step.pick % len(SIZES)])
        device.keep()
    return device_plan(world, step, act)


@action(weight=2)
def reconnect(world, step):
    """Reconnects from a saved state, or from the cursor of one with the present view."""
    return device_plan(world, step, lambda device: device.go_back(step.pick, with_view=step.pick % 3 > 0))


@action(weight=1)
def cut(world, step):
    return device_plan(world, step, lambda device: device.close())


@action(weight=1)
def start_anew(world, step):
    return device_plan(world, step, lambda device: device.start_anew())


@action(weight=1)
def leap(world, step):
    return device_plan(world, step, lambda device: device.leap())
