"""What users do in groups in test_model.py: actions like those of actions.py.

While members join or leave, or roles change, only sends of others run in the group. The ids of these messages say whether
they come before or after. Sometimes a user who is no member tries something, and gets a 404.
"""

import dataclasses
import urllib.parse

from actions import EMOJI, Plan, Sent, action, answered, choose, on_message, wait_for_copies
from harness.client import conversation_id
from harness.group_model import Group, GroupMessage
from harness.stack import SLOWNESS, wait_until

MOST_GROUPS = 3
PATIENCE = 10 * SLOWNESS


def in_group(world, step):
    """(user, group); sometimes a group that the user is not in."""
    user, groups = world.users[step.who % len(world.users)], list(world.model.groups.values())
    own = [group for group in groups if user.id in group.members]
    return user, choose(groups if step.pick % 7 == 6 else own, step.whom)


def whole(group):
    """For an action that may run at the same time as sends, but not at the same time as changes of members."""
    return frozenset({("conversation", group.id), ("members", group.id)})


def message_in(world, user, group, step, accept=lambda message: True):
    return choose([m for m in world.model.messages_in(user.id, group) if accept(m)], step.pick) if group else None


def is_refused(group, user, answers):
    if user.id not in group.members:
        answered(404)(answers)
        return True
    return False


def own_plan(world, user, group, request, effect, **keys):
    """The plan of a change in the user's own mailbox only."""
    wait = wait_for_copies(world, user, group)

    def run():
        wait()
        return request(world.api.as_user(user))

    return Plan([run], effect, **keys)


# Invitations

def naming(world, actor, users):
    """(the keys that a plan changes and uses which adds these users to a group)"""
    pairs = {user: ("conversation", conversation_id(actor.id, user)) for user in users if user != actor.id}
    # Whether a contact may add them depends on what they write meanwhile.
    written = {pairs[user] for user in pairs if world.model.group_invites.get(user) == "contacts"}
    return ({("invitations", user) for user in users} | written,
            {("invites", user) for user in users} | set(pairs.values()))


def wait_for_invitations(world):
    """An action on an invitation starts when all mailboxes have theirs."""
    wait_until(lambda: not any(world.stack.query(
        name, "SELECT FROM parley.change_outbox WHERE kind IN ('group_invitation', 'group_decline')")
        for name in world.stack.databases), PATIENCE, "no invitation is on its way")


def shown_to(world, user):
    """As the model has them: {group: (name, inviter)}."""
    return {i["groupId"]: (i["groupName"], i["inviterId"])
            for i in world.api.as_user(user).fetch_invitations().expect(200)["invitations"]}


# Groups and their members

@action(weight=5, needs="createGroup")
def create_group(world, step):
    """Sometimes the same creation several times at once."""
    if len(world.model.groups) >= MOST_GROUPS:
        return None
    user = world.users[step.who % len(world.users)]
    others = [other for other in world.users if other is not user]
    members = [other for i, other in enumerate(others) if step.pick >> i & 1] or others
    key, name = world.new_key(), f"group {step.whom}"

    def effect(answers):
        values = [answer.expect(200, 201) for answer in answers]
        assert [answer.status for answer in answers].count(201) == 1, answers
        assert len({value["groupId"] for value in values}) == 1, values
        assert all(value["invited"] == invited for value in values), (values, invited)
        added = [m.id for m in members if m.id not in invited]
        group = Group(values[0]["groupId"], name, user.id, added, values[0]["createdTimestamp"] * 2)
        world.model.groups[group.id] = group
        for other in invited:
            world.model.invited(group, user.id, other)

    def run():
        answer = world.api.as_user(user).create_group(name, members, key)
        wait_for_invitations(world)
        return answer

    invited = sorted((m.id for m in members if not world.model.may_add(user.id, m.id)), key=int)
    changes, uses = naming(world, user, [m.id for m in members])
    return Plan([run] * (3 if step.pick % 5 == 4 else 1), effect,
                changes=frozenset({("creation",)} | changes), uses=frozenset(uses))


def member_plan(world, user, group, request, expected, event, effect, leaving=None):
    """request answers with the status `expected`. Unless the request is refused, effect(answer, message id) is called;
    event: the system message that it makes, or None."""
    after = max(group.messages)
    found = []

    def look():
        if world.api.as_user(user).fetch_messages(group.id, pageSize=1).status == 404:
            return False  # a new member's conversation is not there yet
        messages = world.api.as_user(user).all_messages(group.id)
        found[:] = [m for m in messages if m.get("systemEvent") == event and int(m["messageId"]) > after]
        return found

    def run():
        answer = request(world.api.as_user(user))
        if answer.status < 300 and event is not None:
            wait_until(look, PATIENCE, f"{user} has {event} of {group.id}")
        return answer

    def judge(answers):
        answers[0].expect(expected)
        if expected < 300 and event is not None:
            effect(answers[0], int(found[0]["messageId"]))

    changes = {("members", group.id)}
    return Plan([run], judge, changes=frozenset(changes | ({("member", group.id, leaving)} if leaving else set())))


def status_of(group, user, may, ok=200):
    return 404 if user.id not in group.members else ok if may else 403


@action(weight=4, needs="addGroupMembers")
def join(world, step):
    """One or two users, who may be members already."""
    user, group = in_group(world, step)
    if group is None:
        return create_group(world, step)
    if group.role(user.id) == "member" and step.pick % 3:
        user = next(u for u in world.users if group.role(u.id) == "owner")
    joining = [world.users[(step.pick + i) % len(world.users)] for i in range(1 + step.whom % 2)]
    others = sorted({u.id for u in joining} - group.members.keys(), key=int)
    new = [u for u in others if world.model.may_add(user.id, u) and u not in group.have_left]
    status = status_of(group, user, group.role(user.id) in ("owner", "admin"))

    def request(api):
        answer = api.add_group_members(group.id, *joining)
        wait_for_invitations(world)
        return answer

    def joined(_, message_id):
        for other in new:
            world.model.end_invitation(other, group.id)
        group.joined(message_id, user.id, new)

    def invited(answer):
        if status != 200:
            return
        assert answer.json["invited"] == [u for u in others if u not in new], answer.json
        for other in answer.json["invited"]:
            world.model.invited(group, user.id, other)

    plan = member_plan(world, user, group, request, status, {"type": "members-added", "userIds": new} if new else None, joined)
    changes, uses = naming(world, user, others)
    return dataclasses.replace(plan, effect=lambda answers: (plan.effect(answers), invited(answers[0])),
                               changes=plan.changes | changes, uses=plan.uses | uses)


@action(weight=2, needs="acceptInvitation")
def set_group_invites(world, step):
    user = world.users[step.who % len(world.users)]
    setting = ("everyone", "contacts", "nobody")[step.pick % 3]
    return Plan([lambda: world.api.as_user(user).update_me(groupInvites=setting)],
                lambda answers: (answered(200)(answers), world.model.group_invites.update({user.id: setting})),
                changes=frozenset({("invites", user.id)}))


@action(weight=4, needs="acceptInvitation")
def accept(world, step):
    """Now and then twice at once, and now and then without an invitation."""
    user = world.users[step.who % len(world.users)]
    group = choose([world.model.groups[name] for name in world.model.invitations[user.id]], step.whom)
    if group is None:
        group = choose([g for g in world.model.groups.values() if user.id not in g.members], step.whom)
        return group and Plan([lambda: (wait_for_invitations(world), world.api.as_user(user).accept_invitation(group.id))[1]],
                              answered(404, code="invitation-not-found"), uses=whole(group) | {("invitations", user.id)})
    inviter = group.invited[user.id]
    is_good = group.role(inviter) in ("owner", "admin")

    def effect(_, message_id):
        world.model.end_invitation(user.id, group.id)
        group.accepted(message_id, user.id, inviter)

    if not is_good:
        return Plan([lambda: world.api.as_user(user).accept_invitation(group.id)],
                    lambda answers: (answered(404, code="invitation-not-found")(answers), world.model.end_invitation(user.id, group.id)),
                    changes=frozenset({("members", group.id), ("invitations", user.id)}))
    plan = member_plan(world, user, group, lambda api: api.accept_invitation(group.id), 200,
                       {"type": "member-joined", "userIds": [user.id], "inviterId": inviter}, effect)
    return dataclasses.replace(plan, requests=plan.requests * (1 + (step.pick % 3 == 0)),
                               effect=lambda answers: (answered(200)(answers), plan.effect(answers)),
                               changes=plan.changes | {("invitations", user.id)})


@action(weight=2, needs="declineInvitation")
def decline(world, step):
    """Also an invitation that does not exist."""
    user = world.users[step.who % len(world.users)]
    invited = [world.model.groups[name] for name in world.model.invitations[user.id]]
    group = choose(invited or list(world.model.groups.values()), step.whom)
    if group is None:
        return None

    def effect(answers):
        answered(204)(answers)
        if group in invited:
            world.model.end_invitation(user.id, group.id)

    def run():
        answer = world.api.as_user(user).decline_invitation(group.id)
        wait_for_invitations(world)
        return answer

    return Plan([run], effect, changes=frozenset({("invitations", user.id)}), uses=whole(group))


@action(weight=4, needs="removeGroupMember")
def leave(world, step):
    """A member leaves or is removed."""
    user, group = in_group(world, step)
    if group is None or not group.members:
        return None
    leaving = user if step.pick % 3 == 0 else choose([u for u in world.users if u.id in group.members], step.pick)
    if group.role(user.id) == "member" and step.pick % 3 == 1:
        user = next(u for u in world.users if group.role(u.id) == "owner")
    roles = group.role(user.id), group.role(leaving.id)
    may = user is leaving or roles[0] == "owner" or roles == ("admin", "member")
    return member_plan(world, user, group, lambda api: api.remove_group_member(group.id, leaving),
                       status_of(group, user, may, 204),
                       group.event_of_leaving(user.id, leaving.id),
                       lambda _, message_id: group.left(message_id, user.id, leaving.id), leaving.id)


@action(weight=2, needs="updateGroup")
def rename(world, step):
    """Another name, another topic, both, or other metadata."""
    user, group = in_group(world, step)
    if group is None:
        return None
    fields = ({"name": f"group {step.pick}"}, {"topic": f"topic {step.pick}"},
              {"name": f"group {step.pick}", "topic": f"topic {step.pick}"}, {"metadata": {"n": step.pick}})[step.whom % 4]
    event = {key: value for key, value in fields.items() if value != getattr(group, key)}
    if event:
        event["type"] = "group-renamed" if "name" in event else "topic-changed" if "topic" in event else "metadata-changed"
    metadata = event.pop("metadata", group.metadata)

    def effect(_, message_id):
        group.name, group.topic, group.metadata = event.get("name", group.name), event.get("topic", group.topic), metadata
        group.event(message_id, user.id, event)

    return member_plan(world, user, group, lambda api: api.update_group(group.id, **fields),
                       status_of(group, user, group.role(user.id) in ("owner", "admin")), event or None, effect)


@action(weight=3, needs="updateGroupMember")
def set_role(world, step):
    user, group = in_group(world, step)
    if group is None or not group.members:
        return None
    if step.pick % 3 and user.id in group.members:
        user = next(u for u in world.users if group.role(u.id) == "owner")
    other = choose([u for u in world.users if u.id in group.members], step.pick)
    role = ("admin", "member")[step.whom % 3 == 0]
    event = {"type": "role-changed", "userIds": [other.id], "role": role}

    def effect(_, message_id):
        group.members[other.id][0] = role
        group.event(message_id, user.id, event)

    return member_plan(world, user, group, lambda api: api.update_group_member(group.id, other, role),
                       status_of(group, user, group.role(user.id) == "owner" and other is not user),
                       event if group.role(other.id) != role else None, effect)


# Messages

def send_plan(world, user, group, body, copies=1):
    body = {**body, "conversationId": group.id, "clientMessageId": world.new_key()}
    is_member = user.id in group.members

    def effect(answers):
        if not is_member:
            return answered(404, code="conversation-not-found")(answers)
        values = [answer.expect(200, 201) for answer in answers]
        assert [answer.status for answer in answers].count(201) == 1, answers
        assert all(value["duplicate"] is (answer.status == 200) for answer, value in zip(answers, values))
        assert len({value["messageId"] for value in values}) == 1, values
        message = group.add(GroupMessage(group.id, int(values[0]["messageId"]), user.id, body["clientMessageId"],
                                         body["messageContent"], body.get("replyTo")))
        world.sent.append((user, Sent(body, values[0], message)))
        return None

    return Plan([lambda: world.api.as_user(user).post("/v1/messages", body)] * copies, effect,
                uses=frozenset({("conversation", group.id), ("member", group.id, user.id)}
                               if is_member else {("members", group.id)}))


@action(weight=10, needs="createGroup")
def send_to_group(world, step):
    """A user who is in no group makes one."""
    user, group = in_group(world, step)
    if group is None:
        return create_group(world, step)
    return send_plan(world, user, group, {"messageContent": step.text}, copies=3 if step.pick % 5 == 4 else 1)


@action(weight=2, needs="createGroup")
def reply_in_group(world, step):
    user, group = in_group(world, step)
    target = message_in(world, user, group, step)
    if target is None:
        return None
    plan = send_plan(world, user, group, {"messageContent": step.text, "replyTo": str(target.id)})
    return dataclasses.replace(plan, uses=plan.uses | {("deletion", target.id)})


def change_plan(world, user, group, message, requests, change, key):
    """requests: of the user's Api. change(i)(copy) is the effect of the i-th request on a copy."""
    was_deleted = message.whole.is_deleted

    def effect(answers):
        if is_refused(group, user, answers):
            return
        for i, answer in enumerate(answers):
            # A user who was no member at the time does not know that it is deleted.
            if was_deleted or (answer.status == 404 and ("deletion", message.id) in world.changing):
                answer.expect(404, code="message-not-found")
            else:
                answer.expect(200)
                group.change(message, change)
    return Plan([lambda request=request: request(world.api.as_user(user)) for request in requests], effect,
                changes=frozenset({key}), uses=whole(group))


@action(weight=4, needs="createGroup")
def edit_in_group(world, step):
    """Sometimes two edits at once: either may be the last."""
    user, group = in_group(world, step)
    message = message_in(world, user, group, step, lambda m: m.sender == user.id)
    if message is None:
        return None
    contents = [step.text, step.text + "!"][:1 + (step.whom % 3 == 0)]
    either = set(contents)

    def change(copy):
        copy.contents, copy.is_edited = either, True

    return change_plan(world, user, group, message, [
        lambda api, content=content: api.edit_message(group.id, message.id, content) for content in contents],
                       change, ("content", message.id))


@action(weight=2, needs="createGroup")
def delete_in_group(world, step):
    user, group = in_group(world, step)
    message = message_in(world, user, group, step, lambda m: m.sender == user.id)
    if message is None:
        return None

    def change(copy):
        copy.is_deleted = True

    return change_plan(world, user, group, message, [lambda api: api.delete_message(group.id, message.id)], change,
                       ("deletion", message.id))


def reaction_plan(world, step, method):
    user, group = in_group(world, step)
    message = message_in(world, user, group, step)
    if message is None:
        return None
    emoji = EMOJI[step.whom % len(EMOJI)]

    def request(api):
        return api.request(method, f"{on_message(message)}/reactions/{urllib.parse.quote(emoji)}")

    def change(copy):
        """All that the user has in the group: a user who was no member for a while may have missed some messages."""
        if copy is message.whole:
            held = copy.reactions.get(user.id, frozenset())
            new = held | {emoji} if method == "PUT" else held - {emoji}
            change.is_change = new != held
            copy.reactions[user.id] = new
        elif change.is_change:
            copy.reactions[user.id] = message.whole.reactions[user.id]

    return change_plan(world, user, group, message, [request], change, ("reaction", message.id, emoji, user.id))


@action(weight=4, needs="createGroup")
def react_in_group(world, step):
    return reaction_plan(world, step, "PUT")


@action(weight=2, needs="createGroup")
def unreact_in_group(world, step):
    return reaction_plan(world, step, "DELETE")


# A member's own

@action(weight=1, needs="createGroup")
def delete_for_me_in_group(world, step):
    """Also by former members."""
    user, group = in_group(world, step)
    message = message_in(world, user, group, step)
    if message is None:
        return None
    return own_plan(world, user, group, lambda api: api.delete_message(group.id, message.id, "me"),
                    lambda answers: (answered(200)(answers), message.hidden_from.add(user.id)),
                    changes=frozenset({("hidden", message.id, user.id)}), uses=whole(group))


@action(weight=5, needs="createGroup")
def receive_in_group(world, step):
    user, group = in_group(world, step)
    if group is None:
        return None
    kind = "delivered" if step.whom % 3 == 0 else "read"
    if user.id not in group.stretches:
        return Plan([lambda: world.api.as_user(user).send_receipt(group.id, max(group.messages), kind)], answered(404),
                    uses=whole(group))
    message = choose(group.log_of(user.id), step.pick)
    return own_plan(world, user, group, lambda api: api.send_receipt(group.id, message.id, kind),
                    lambda answers: (answered(204)(answers), world.model.received(user.id, group.id, kind, message.id)),
                    uses=whole(group) | {("settings", group.id, user.id)})


@action(weight=1, needs="createGroup")
def configure_group(world, step):
    user, group = in_group(world, step)
    if message_in(world, user, group, step) is None:
        return None
    settings = ({"pinned": True}, {"archived": True}, {"mutedUntil": 4102444800000000}, {"markedUnread": True})[step.pick % 4]
    return own_plan(world, user, group, lambda api: api.update_conversation(group.id, **settings),
                    lambda answers: (answered(200)(answers), world.model.configured(user.id, group.id, settings)),
                    changes=frozenset({("settings", group.id, user.id)}), uses=whole(group))


@action(weight=1, needs="createGroup")
def clear_group(world, step):
    """Also by former members."""
    user, group = in_group(world, step)
    if message_in(world, user, group, step) is None:
        return None
    return own_plan(world, user, group, lambda api: api.delete_conversation(group.id),
                    lambda answers: (answered(200, 204)(answers), world.model.cleared(user.id, group.id)),
                    changes=frozenset({("conversation", group.id), ("members", group.id)}))
