"""Proves that all users see the right state: users do random actions, some at the same time, each with several clients
that lag behind, reconnect from old cursors and start anew. At the end three things must be equal: the view that each
client built from deltas, the mailbox as it is fetched anew, and the view that a model computes.

PARLEY_SEED repeats what is chosen (not how requests at once interleave), PARLEY_MODEL_EXAMPLES says how many runs.
"""

import collections
import concurrent.futures
import contextlib
import os
import random
import time

import hypothesis
import pytest
from hypothesis import strategies as st

import group_actions
from actions import ACTIONS, SIZES, Step, available
from conftest import user_on
from harness import devices
from harness.mailbox_model import Model, differences
from harness.stack import SLOWNESS, wait_until

EXAMPLES = int(os.environ.get("PARLEY_MODEL_EXAMPLES", 12 // SLOWNESS))
SEED = int(os.environ.get("PARLEY_SEED", random.randrange(10**9)))
IS_LONG = "PARLEY_MODEL_EXAMPLES" in os.environ
# So there are many bursts at first; shrinking removes them.
BURSTS = (12, 30) if not IS_LONG else (12, 80)
TEXTS = st.one_of(st.sampled_from(["x", "e\u0301 \U0001f600" * 40, "\u2028 \"quoted\" \\ \n\r\t\x01"]),
                  st.text("abc \u00e9\U0001f600", min_size=1, max_size=120))
# The time in which it looks for a shorter program that fails too.
SHRINK_S = 60
OUTBOXES = ("outbox", "change_outbox")


class World:
    """Users, spread over the databases and two of them in one shard, with their devices and the model."""

    def __init__(self, api, stack, pool, count, counts):
        self.api, self.stack, self.pool, self.counts = api, stack, pool, counts
        self.actions = set(available(api.contract.document))
        placed = [shards for _, shards in sorted(stack.shards_by_database().items())]
        homes = [placed[0][0], placed[1][0], placed[0][0], placed[0][1], placed[1][1]]
        self.users = [user_on(api, stack, {homes[i]}) for i in range(count)]
        self.model = Model([user.id for user in self.users])
        self.devices = {user.id: [kind(f"{kind.__name__} of {i}", api.as_user(user)) for kind in devices.KINDS]
                        for i, user in enumerate(self.users)}
        self.sent, self.trace, self.keys = [], [], 0

    def new_key(self):
        self.keys += 1
        return f"key-{self.keys}"

    def run(self, burst):
        """Runs requests at once, except those that together have no defined outcome."""
        chosen = []
        for step in burst:
            plan = ACTIONS[step.action].plan(self, step)
            if plan is not None and all(plan.bears(other) for _, other in chosen):
                chosen.append((step, plan))
        self.changing = frozenset().union(*(plan.changes for _, plan in chosen))
        if sum(len(plan.requests) for _, plan in chosen) > 1:
            futures = [[self.pool.submit(request) for request in plan.requests] for _, plan in chosen]
            answers = [[future.result() for future in futures_of] for futures_of in futures]
        else:
            answers = [[request() for request in plan.requests] for _, plan in chosen]
        self.counts.update(step.action for step, _ in chosen)
        self.trace += [" | ".join(f"{step}: {brief(got)}" for (step, _), got in zip(chosen, answers))] if chosen else []
        for (_, plan), got in zip(chosen, answers):
            plan.effect(got)

    def open_follow_ups(self):
        return any(self.stack.query(name, f"SELECT EXISTS (SELECT FROM parley.{table})")[0][0]
                   for name in self.stack.databases for table in OUTBOXES)

    def versions(self):
        return [self.api.as_user(user).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"] for user in self.users]

    def settle(self):
        """Waits until all follow-ups are done and every device has read everything."""
        wait_until(lambda: not self.open_follow_ups(), 10 * SLOWNESS, "the outboxes are empty")
        for user in self.users:
            for i, device in enumerate(self.devices[user.id]):
                device.catch_up(SIZES[2 + i])

    def found(self):
        for user in self.users:
            messages, conversations = devices.fetched_anew(self.api.as_user(user), size=4).shown()
            yield from differences(self.model, user.id, messages, conversations)
            if "block" in self.actions:
                blocks = self.api.as_user(user).get("/v1/blocks", pageSize=100).expect(200)["blocks"]
                yield from (f"{user.id} blocks {other}: one of model and server says so" for other in
                            {block["userId"] for block in blocks} ^ {b for a, b in self.model.blocks if a == user.id})
            totals = self.api.as_user(user).fetch_unread().expect(200)
            if (totals["conversationCount"], totals["messageCount"]) != self.model.unread(user.id) or totals["hasMore"]:
                yield f"{user.id} has {totals} unread and not {self.model.unread(user.id)}"
            shown = group_actions.shown_to(self, user)
            if shown != self.model.invitations[user.id]:
                yield f"{user.id} has the invitations {shown} and not {self.model.invitations[user.id]}"
            for device in self.devices[user.id]:
                if not isinstance(device, devices.Lister):
                    held = {i["groupId"]: (i["groupName"], i["inviterId"]) for i in device.view.invitations}
                    if held != shown:
                        yield f"{device.name} has the invitations {held}, fetched anew: {shown}"
                for what, anew, held in zip(("messages", "conversations"), (messages, conversations),
                                            device.view.shown()):
                    yield from (f"{device.name} has {what} {key}: {held.get(key)}, fetched anew: {anew.get(key)}"
                                for key in anew.keys() | held.keys() if held.get(key) != anew.get(key))

            for group in self.model.groups.values():
                answer, is_member = self.api.as_user(user).fetch_group(group.id), user.id in group.members
                if answer.expect(200 if is_member else 404) != group.shown() and is_member:
                    yield f"group {group.id} is {answer.json} and not {group.shown()}"
                listed = self.api.as_user(user).fetch_group_members(group.id).expect(200 if is_member else 404)
                yield from group.differing_members(listed["members"]) if is_member else ()

    def check(self):
        """While nothing changes: a read by a device may itself cause a receipt to others."""
        deadline, before = time.monotonic() + 20 * SLOWNESS, None
        while before != self.versions():
            assert time.monotonic() < deadline, "the mailboxes do not come to rest"
            before = self.versions()
            self.settle()
            found = list(self.found())
        assert not found, "\n".join(found)

    def close(self):
        for those in self.devices.values():
            for device in those:
                device.close()


def brief(answers):
    return ", ".join(f"{a.status} {a.code or (a.json or {}).get('messageId', '')}" if a else "read" for a in answers)


def programs(document):
    numbers = st.integers(0, 40)
    step = st.builds(Step, st.sampled_from(available(document)), st.integers(0, 4), st.integers(0, 11), numbers, TEXTS)
    return st.lists(st.lists(step, max_size=5), min_size=BURSTS[0], max_size=BURSTS[1])


class Enough(BaseException):
    """Ends the search for a shorter program."""


@pytest.mark.slow
@pytest.mark.concurrent
@pytest.mark.timeout(0 if IS_LONG else 400)
def test_all_views_agree_with_the_model(api, stack, contract):
    started, counts, failures = time.monotonic(), collections.Counter(), []

    @hypothesis.seed(SEED)
    @hypothesis.settings(max_examples=EXAMPLES, deadline=None, database=None, report_multiple_bugs=False,
                         phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
                         suppress_health_check=hypothesis.HealthCheck.all())
    @hypothesis.given(st.integers(3, 5), programs(contract.document))
    def run(count, program):
        if failures and time.monotonic() > failures[0][0] + SHRINK_S:
            raise Enough
        world = World(api, stack, pool, count, counts)
        try:
            for burst in program:
                world.run(burst)
            world.check()
        except Exception as error:
            failures.append((time.monotonic(), [f"{count} users:", *world.trace, str(error)], error))
            raise
        finally:
            world.close()

    with concurrent.futures.ThreadPoolExecutor(8) as pool, contextlib.suppress(Enough, hypothesis.errors.Flaky):
        run()
    print(f"{time.monotonic() - started:.0f} s: {dict(counts)}")
    if failures:
        # The first failure, because requests at once may not fail again in the same way, and the shortest.
        shortest = min(failures, key=lambda failure: len(failure[1]))
        for _, trace, _ in (failures[0], shortest)[:1 + (shortest is not failures[0])]:
            print(f"\nPARLEY_SEED={SEED}", *trace, sep="\n")
        raise shortest[2]
