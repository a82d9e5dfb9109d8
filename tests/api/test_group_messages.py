"""Proves sends to groups: every member gets exactly the messages sent during their membership, once each; all see one
order, from all senders and connections, also while members join and leave; and pages, changes, streams, typing and
presence work for groups."""

import asyncio
import json
import threading
import time

import pytest

from groups_fixture import (change, log, make_group, make_members, newest, row_of, wait_for_log, wait_for_newest, word)
from harness.client import seen_by, unique
from harness.h2conn import H2Connection
from harness.readers import KINDS
from harness.stack import PROMPTLY, SLOWNESS, wait_until
from test_typing import Reader


@pytest.fixture(scope="module")
def people(api, stack):
    """ann, bob, cat, dan and eve, in both databases. Each test makes groups of its own."""
    return make_members(api, stack)


@pytest.fixture
def group(api, people):
    """A group of all but eve."""
    group = make_group(api, *people[:4])
    wait_for_log(api, people[:4], group, ["group-created"])
    return group


def read(api, user, group, message_id):
    return next(m for m in api.as_user(user).all_messages(group) if m["messageId"] == message_id)


def wait_for_message(api, users, group, message_id, **fields):
    """Waits until all have the message with these fields. Fields that are None must be absent."""
    for user in users:
        seen = {**fields, "reactions": seen_by(user, fields["reactions"])} if "reactions" in fields else fields
        wait_until(lambda u=user, s=seen: all(read(api, u, group, message_id).get(k) == v for k, v in s.items()),
                   10 * SLOWNESS, f"{user} sees {seen}")


def recount(api, user, group):
    row = row_of(api, user, group)
    return sum(m["senderId"] != user.id and "deletedTimestamp" not in m and int(m["messageId"]) > int(row["readUpTo"])
               for m in api.as_user(user).all_messages(group))


def check_unread(api, users, group):
    for user in users:
        assert row_of(api, user, group)["unreadCount"] == recount(api, user, group)


def run_all(*calls):
    failures = []

    def run(call):
        try:
            call()
        except BaseException as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_a_send(api, people, group):
    ann, bob, cat, dan, eve = people
    for sender in (ann, bob, cat, dan):
        key = unique("m")
        sent = api.as_user(sender).send_to(group, f"from {sender.id}", key).expect(201)
        assert sent == {"messageId": sent["messageId"], "conversationId": group, "senderId": sender.id, "clientMessageId": key,
                        "sentTimestamp": int(sent["messageId"]) // 2, "senderCopy": sent["senderCopy"], "duplicate": False}
        wait_for_newest(api, [bob, ann, cat, dan], group)
        for user in (ann, bob, cat, dan):
            message = read(api, user, group, sent["messageId"])
            assert message["messageContent"] == f"from {sender.id}" and message["senderId"] == sender.id
            assert message["clientMessageId"] == key and message["participants"] == []
            assert message.get("status") == ("sent" if user is sender else None)
            assert message["messageType"] == "user"
            row = row_of(api, user, group)
            assert row["snippet"] == f"from {sender.id}" and row["lastMessageId"] == sent["messageId"]
    check_unread(api, people[:4], group)
    api.as_user(eve).send_to(group, "x").expect(404, code="conversation-not-found")
    api.as_user(eve).fetch_messages(group).expect(404, code="conversation-not-found")
    assert row_of(api, eve, group) is None


def test_stored_means_that_all_have_it(api, people, group):
    """Whenever the answer says "stored", all members can read the message at once."""
    stored = 0
    for i in range(20):
        sent = api.as_user(people[i % 4]).send_to(group, f"{i}").expect(201)
        if sent["senderCopy"] == "stored":
            stored += 1
            assert {newest(api, user, group) for user in people[:4]} == {sent["messageId"]}
    assert stored > 10


def test_ids_that_are_no_group(api, stack, people, group):
    ann = people[0]
    far = str((stack.shards << 50) + (1 << 8))
    for other in (str(int(group) ^ 1), far, "9223372036854775807"):
        api.as_user(ann).send_to(other, "x").expect(404, code="conversation-not-found")
        api.as_user(ann).fetch_messages(other).expect(404, code="conversation-not-found")
        api.as_user(ann).send_typing(other).expect(404, code="conversation-not-found")
        assert change(api, ann, "PATCH", other, "2", {"messageContent": "x"})[0] == 404
    api.as_user(ann).send_to(ann.id, "x").expect(422)
    api.as_user(ann).send(group, "x").expect(404, code="recipient-not-found")
    low, high = sorted((int(ann.id), int(group)))
    api.as_user(ann).send_to(f"{low}-{high}", "x").expect(422)
    api.as_user(ann).fetch_messages(f"{low}-{high}").expect(404)


def test_admin_sends_as_a_member(api, people, group):
    ann, bob, _, dan, eve = people
    sent = api.admin().send_to(group, "by order", senderId=dan.id).expect(201)
    assert sent["senderId"] == dan.id
    wait_for_log(api, [ann, bob, dan], group, ["group-created", "by order"])
    api.admin().send_to(group, "x", senderId=eve.id).expect(404, code="conversation-not-found")
    for unknown in (group, "0", "x"):
        answer = api.admin().send_to(group, "x", senderId=unknown)
        assert [e["pointer"] for e in answer.expect(422)["errors"]] == ["/senderId"]
    assert [e["pointer"] for e in api.admin().send(ann, "x", senderId=group).expect(422)["errors"]] == ["/senderId"]
    api.as_user(bob).send_to(group, "x", senderId=dan.id).expect(403)


def test_retries(api, people, group):
    ann, bob, cat, dan, _ = people
    first = api.as_user(dan).send_to(group, "hello", "k").expect(201)
    wait_for_log(api, people[:4], group, ["group-created", "hello"])
    etags = {user.id: api.as_user(user).fetch_conversation().headers["etag"] for user in people[:4]}
    for _ in range(3):
        again = api.as_user(dan).send_to(group, "hello", "k").expect(200)
        assert again == {**first, "duplicate": True, "senderCopy": "stored"}
    api.as_user(dan).send_to(group, "other", "k").expect(409, code="client-message-id-reused")
    assert {user.id: api.as_user(user).fetch_conversation().headers["etag"] for user in people[:4]} == etags
    # The same key of another sender, in another group or in a 1:1 is another message.
    group2 = make_group(api, dan, ann)
    others = [api.as_user(ann).send_to(group, "mine", "k"), api.as_user(dan).send_to(group2, "there", "k"),
              api.as_user(dan).send(ann, "to you", "k")]
    assert len({a.expect(201)["messageId"] for a in others} | {first["messageId"]}) == 4
    # Changes of the message do not matter to a retry, and a former member may retry too.
    assert change(api, dan, "PATCH", group, first["messageId"], {"messageContent": "hallo"})[0] == 200
    assert api.as_user(dan).send_to(group, "hello", "k").expect(200)["messageId"] == first["messageId"]
    api.as_user(dan).send_to(group, "hallo", "k").expect(409)
    api.as_user(dan).remove_group_member(group, dan).expect(204)
    assert api.as_user(dan).send_to(group, "hello", "k").expect(200)["messageId"] == first["messageId"]
    api.as_user(dan).send_to(group, "hello", "k2").expect(404)
    wait_for_log(api, [ann, bob, cat, dan], group, ["group-created", "hallo", "mine", "member-left"])


@pytest.mark.concurrent
def test_retries_at_the_same_time(api, people, group):
    for i in range(10):
        answers = []
        run_all(*[lambda content=content: answers.append(api.as_user(people[3]).send_to(group, content, f"k{i}"))
                  for content in ("one", "one", "two") * 2])
        assert sorted({a.status for a in answers})[0] in (200, 201) and sum(a.status == 201 for a in answers) == 1
        won = next(a.json for a in answers if a.status == 201)
        assert {a.json["messageId"] for a in answers if a.status < 300} == {won["messageId"]}
        assert sum(a.status == 409 for a in answers) in (2, 4)
    wait_for_newest(api, [people[0], *people[1:4]], group)
    for user in people[:4]:
        assert len(log(api, user, group)) == 11


def send_on(connection, user, group, content, key):
    body = json.dumps({"conversationId": group, "messageContent": content, "clientMessageId": key}).encode()
    return connection.start("POST", "/v1/messages", [("authorization", f"Bearer {user.token}"),
                                                     ("content-type", "application/json")], body)


@pytest.mark.concurrent
def test_one_order(api, stack, contract, people, group):
    """Four senders pipeline on two connections each, while readers of each kind follow: all members see one order, which
    keeps the order of every connection."""
    count = 40

    async def sender(user, name):
        connection = await H2Connection.open(stack.url)
        streams = [send_on(connection, user, group, f"{name} {i}", f"{name} {i}") for i in range(count)]
        ids = []
        for stream in streams:
            response = await stream.response(60 * SLOWNESS)
            value = contract.check("POST", "/v1/messages", response.status, response.headers, response.body)
            assert response.status == 201, response.body
            ids.append(value["messageId"])
        await connection.close()
        assert ids == sorted(ids, key=int)
        return ids

    async def run():
        import random
        stop = asyncio.Event()
        readers = [KINDS[kind](f"{kind} of {user.id}", stack.url, user, contract, random.Random(7))
                   for user, kind in zip(people[:4], ("delta", "sse", "long-poll", "sse"))]
        reading = [asyncio.ensure_future(reader.run(stop)) for reader in readers]
        sent = await asyncio.gather(*[sender(user, f"{user.id}/{n}") for user in people[:4] for n in range(2)])
        for user in people[:4]:
            while len(await asyncio.to_thread(api.as_user(user).all_messages, group)) < 8 * count + 1:
                await asyncio.sleep(0.05)
        stop.set()
        await asyncio.gather(*reading)
        return sent, readers

    sent, readers = asyncio.run(run())
    views = [[(m["messageId"], word(m)) for m in api.as_user(user).all_messages(group)] for user in people[:4]]
    assert all(view == views[0] for view in views)
    assert sorted(i for ids in sent for i in ids) == sorted(i for i, _ in views[0][1:])
    for reader in readers:
        got = [m["messageId"] for m in reader.messages if m["conversationId"] == group]
        assert sorted(got, key=int) == [i for i, _ in views[0]], "each once"
        assert reader.conversations[group]["lastMessageId"] == views[0][-1][0]
    check_unread(api, people[:4], group)


@pytest.mark.concurrent
def test_sends_while_a_member_leaves(api, people):
    """In each round members send while another one leaves or is removed. The former member has every message before the
    leaving and none after it; the others have all messages; and messages acknowledged before the removal was requested
    come before it."""
    ann, bob, cat, dan, eve = people
    for i in range(12):
        gone = (eve, dan, cat, bob)[i % 4]
        senders = [user for user in people if user is not gone]
        group = make_group(api, *people)
        acknowledged, started = [], threading.Event()

        def send(user, acknowledged=acknowledged, group=group, started=started):
            for n in range(6):
                sent = api.as_user(user).send_to(group, f"{n}").expect(201)
                acknowledged.append((sent["messageId"], time.monotonic()))
                if n == 1:
                    started.set()

        def send_till_gone(group=group, gone=gone):
            answer = api.as_user(gone).send_to(group, "last words")
            assert answer.status == 201 or answer.code == "conversation-not-found"

        def leave(actor=gone if i % 2 else ann, group=group, started=started, gone=gone):
            started.wait(10 * SLOWNESS)
            times.append(time.monotonic())
            api.as_user(actor).remove_group_member(group, gone).expect(204)
            api.as_user(gone).send_to(group, "too late").expect(404, code="conversation-not-found")

        times = []
        run_all(*[lambda u=user: send(u) for user in senders], leave, send_till_gone)
        wait_for_newest(api, senders, group)
        whole = api.as_user(senders[0]).all_messages(group)
        wait_until(lambda u=gone, g=group: log(api, u, g)[-1].startswith("member-"), 10 * SLOWNESS, "the message of the leaving")
        end = next(n for n, m in enumerate(whole) if word(m) in ("member-left", "member-removed"))
        for user in senders:
            wait_until(lambda u=user, g=group, n=len(whole): len(log(api, u, g)) == n, 10 * SLOWNESS, "all messages")
            assert [m["messageId"] for m in api.as_user(user).all_messages(group)] == [m["messageId"] for m in whole]
        wait_until(lambda u=gone, g=group, n=end + 1: len(log(api, u, g)) == n, 10 * SLOWNESS, "all messages before it")
        assert [m["messageId"] for m in api.as_user(gone).all_messages(group)] == [m["messageId"] for m in whole[:end + 1]]
        leaving = int(whole[end]["messageId"])
        assert all(int(message_id) < leaving for message_id, at in acknowledged if at < times[0])
        assert {i for i, _ in acknowledged} <= {m["messageId"] for m in whole}
        check_unread(api, people, group)


@pytest.mark.concurrent
def test_sends_while_a_member_joins_and_leaves(api, people):
    """A user who joins and leaves again and again has exactly the messages sent in between, and the messages about each
    joining and leaving."""
    ann, bob, _, dan, eve = people
    group = make_group(api, ann, bob, dan)
    done = threading.Event()

    def send(user):
        while not done.is_set():
            api.as_user(user).send_to(group, "x").expect(201)

    def come_and_go():
        try:
            for _ in range(8):
                api.as_user(ann).add_group_members(group, eve).expect(200)
                api.as_user(eve).accept_invitation(group).expect(200)  # after having left
                api.as_user(eve).send_to(group, "here").expect(201)
                api.as_user(eve).remove_group_member(group, eve).expect(204)
        finally:
            done.set()

    run_all(lambda: send(bob), lambda: send(dan), come_and_go)
    wait_for_newest(api, [ann, bob, dan], group)
    expected, is_in = [], False
    for message in api.as_user(ann).all_messages(group):
        is_in = is_in or word(message) in ("members-added", "member-joined")
        if is_in:
            expected.append(message["messageId"])
        is_in = is_in and word(message) != "member-left"
    wait_until(lambda: [m["messageId"] for m in api.as_user(eve).all_messages(group)] == expected, 10 * SLOWNESS,
               "what was sent in between")
    check_unread(api, [ann, bob, dan, eve], group)


def test_pages(api, people, group):
    ids = [api.as_user(people[i % 4]).send_to(group, f"{i}").expect(201)["messageId"] for i in range(7)]
    wait_for_newest(api, [people[3], *people[:3]], group)
    for user in people[:4]:
        mine = api.as_user(user)
        page = mine.fetch_messages(group, pageSize=3).expect(200)
        assert [m["messageId"] for m in page["messages"]] == ids[:3:-1] and page["hasMore"]
        older = mine.fetch_messages(group, pageSize=3, before=ids[4]).expect(200)
        assert [m["messageId"] for m in older["messages"]] == ids[3:0:-1]
        assert mine.fetch_messages(group, pageSize=3, pageNumber=2).expect(200)["messages"] == older["messages"]
        first = mine.all_messages(group)[0]["messageId"]
        empty = mine.fetch_messages(group, before=first).expect(200)
        assert empty["messages"] == [] and not empty["hasMore"]
        nothing = mine.fetch_messages(group, lastUpdatedTimestamp=page["lastUpdatedTimestamp"]).expect(200)
        assert nothing["isDeltaUpdate"] and nothing["messages"] == []
    api.as_user(people[4]).fetch_messages(group, before=ids[0]).expect(404)


def test_etag_and_304(api, people, group):
    ann, bob, _, dan, _ = people
    for user in (ann, dan):
        mine = api.as_user(user)
        for target in ("/v1/conversations", f"/v1/conversations/{group}/messages"):
            etag = mine.request("GET", target).headers["etag"]
            wait_until(lambda m=mine, t=target, e=etag: m.request("GET", t, headers={"if-none-match": e}).status == 304,
                       5 * SLOWNESS, "a worker that has the page")
    for step in (lambda: api.as_user(bob).send_to(group, "more").expect(201),
                 lambda: api.as_user(ann).update_group(group, name=unique("name")).expect(200),
                 lambda: api.as_user(bob).remove_group_member(group, bob).expect(204)):
        before = {u: api.as_user(u).fetch_conversation().headers["etag"] for u in (ann, dan)}
        step()
        for user, etag in before.items():
            wait_until(lambda u=user, e=etag: api.as_user(u).fetch_conversation({"if-none-match": e}).status == 200,
                       10 * SLOWNESS, "another version")
    assert row_of(api, dan, group)["name"] != "Trip" and row_of(api, dan, group)["memberCount"] == 3


def test_changes_since(api, people, group):
    """Pages of changes and long-polls have the group's messages and its conversation, also if only the group has changed."""
    ann, bob, _, dan, _ = people
    mine = api.as_user(dan)
    cursor = mine.fetch_conversation().expect(200)["lastUpdatedTimestamp"]

    def wait_for_messages(since):
        """The first delta with messages: a receipt of delivery by another member changes the conversation too."""
        while True:
            delta = mine.fetch_updates(lastUpdatedTimestamp=since, timeout=20).expect(200)
            if delta["messages"]:
                return delta
            since = delta["lastUpdatedTimestamp"]

    waiting = {}
    poll = threading.Thread(target=lambda: waiting.update(wait_for_messages(cursor)))
    poll.start()
    sent = api.as_user(bob).send_to(group, "news").expect(201)
    poll.join()
    assert [m["messageId"] for m in waiting["messages"]] == [sent["messageId"]]
    (row,) = [c for c in waiting["conversations"] if c["conversationId"] == group]
    assert row["name"] == "Trip" and row["memberCount"] == 4
    delta = mine.fetch_messages(group, lastUpdatedTimestamp=cursor).expect(200)
    assert delta["isDeltaUpdate"] and [m["messageId"] for m in delta["messages"]] == [sent["messageId"]]
    rows = mine.fetch_conversation(lastUpdatedTimestamp=cursor).expect(200)
    assert rows["isDeltaUpdate"] and group in [c["conversationId"] for c in rows["conversations"]]
    cursor = waiting["lastUpdatedTimestamp"]
    api.as_user(ann).update_group(group, name="Tour").expect(200)
    delta = wait_for_messages(cursor)
    assert [word(m) for m in delta["messages"]] == ["group-renamed"]
    assert "Tour" in [c.get("name") for c in delta["conversations"]]


def test_streams_of_members_wake(api, stack, contract, people, group):
    ann, bob, _, dan, eve = people
    with Reader(stack, bob, contract) as near, Reader(stack, dan, contract) as far, Reader(stack, eve, contract) as outside:
        start = time.monotonic()
        sent = api.as_user(ann).send_to(group, "hello").expect(201)
        for reader in (near, far):
            assert reader.until(sent["messageId"]) == []
        assert time.monotonic() - start < PROMPTLY
        # The first event that the user who is no member gets is meant for them.
        own = api.as_user(ann).send(eve, "hello").expect(201)
        _, data = outside.event("delta")
        assert [m["messageId"] for m in data["messages"]] == [own["messageId"]]


def test_typing_is_for_members(api, stack, contract, people, group):
    ann, bob, cat, dan, eve = people
    api.as_user(cat).remove_group_member(group, cat).expect(204)
    wait_for_log(api, [ann, bob, cat, dan], group, ["group-created", "member-left"])
    with Reader(stack, bob, contract) as near, Reader(stack, dan, contract) as far, \
            Reader(stack, ann, contract) as own, Reader(stack, cat, contract) as former:
        api.as_user(ann).send_typing(group).expect(204)
        for reader in (near, far):
            name, data = reader.event()
            assert name == "typing" and data["userId"] == ann.id and data["conversationId"] == group
        sent = api.as_user(dan).send_to(group, "enough").expect(201)
        assert own.until(sent["messageId"]) == []
        other = api.as_user(ann).send(cat, "x").expect(201)
        assert former.until(other["messageId"]) == []
    for outsider in (cat, eve):
        api.as_user(outsider).send_typing(group).expect(404, code="conversation-not-found")


def test_presence_of_fellow_members(api, stack):
    """Members see each other without a 1:1 conversation, and do not see former members."""
    ann, bob, cat, dan, eve = make_members(api, stack)
    group = make_group(api, ann, bob, dan)
    wait_for_log(api, [ann, bob, dan], group, ["group-created"])
    for user in (ann, bob, dan):
        seen = api.as_user(user).fetch_presence(ann, bob, cat, dan, eve).expect(200)["users"]
        assert {u["userId"] for u in seen} >= {ann.id, bob.id, dan.id} - {user.id}
        assert not {u["userId"] for u in seen} & {cat.id, eve.id}
    api.as_user(dan).remove_group_member(group, dan).expect(204)
    wait_for_log(api, [ann, dan], group, ["group-created", "member-left"])
    assert {u["userId"] for u in api.as_user(dan).fetch_presence(ann, bob).expect(200)["users"]} == set()
    assert {u["userId"] for u in api.as_user(ann).fetch_presence(bob, dan).expect(200)["users"]} == {bob.id}


def test_edits_and_deletions(api, people, group):
    ann, bob, cat, dan, eve = people
    first, second, third = [api.as_user(dan).send_to(group, word).expect(201)["messageId"] for word in ("tpyo", "no", "yes")]
    wait_for_log(api, people[:4], group, ["group-created", "tpyo", "no", "yes"])
    assert change(api, dan, "PATCH", group, first, {"messageContent": "typo"})[0] == 200
    wait_for_message(api, people[:4], group, first, messageContent="typo")
    assert "editedTimestamp" in read(api, ann, group, first)
    for other, status in ((ann, 403), (bob, 403), (eve, 404)):
        assert change(api, other, "PATCH", group, first, {"messageContent": "x"})[0] == status
        assert change(api, other, "DELETE", group, first)[0] == status
    unread = {user: row_of(api, user, group)["unreadCount"] for user in people[:4]}
    assert change(api, dan, "DELETE", group, second)[0] == 200
    wait_for_message(api, people[:4], group, second, messageContent=None, deletedScope="everyone")
    for user in people[:4]:
        assert row_of(api, user, group)["unreadCount"] == unread[user] - (user is not dan)
    # A deletion for oneself.
    assert change(api, ann, "DELETE", group, third, suffix="?scope=me")[0] == 200
    assert read(api, ann, group, third)["deletedScope"] == "me"
    assert read(api, bob, group, third)["messageContent"] == "yes"
    assert change(api, dan, "PATCH", group, third, {"messageContent": "maybe"})[0] == 200
    wait_for_message(api, [bob, cat, dan], group, third, messageContent="maybe")
    assert "messageContent" not in read(api, ann, group, third)
    # Messages that do not exist, and messages that no user can change.
    created = api.as_user(ann).all_messages(group)[0]["messageId"]
    for message_id in (created, "2", "x"):
        assert change(api, ann, "PATCH", group, message_id, {"messageContent": "x"})[0] == 404
        assert change(api, ann, "DELETE", group, message_id)[0] == 404
    check_unread(api, people[:4], group)


def test_edits_and_former_members(api, people, group):
    """A former member can change nothing and gets no changes, but may delete their own copies. A new member neither sees
    nor changes earlier messages."""
    ann, bob, cat, _, eve = people
    mine = api.as_user(cat).send_to(group, "mine").expect(201)["messageId"]
    hers = api.as_user(ann).send_to(group, "hers").expect(201)["messageId"]
    api.as_user(cat).remove_group_member(group, cat).expect(204)
    api.as_user(ann).add_group_members(group, eve).expect(200)
    wait_for_log(api, [cat], group, ["group-created", "mine", "hers", "member-left"])
    wait_for_log(api, [eve], group, ["members-added"])
    assert change(api, cat, "PATCH", group, mine, {"messageContent": "x"})[0] == 404
    assert change(api, cat, "DELETE", group, mine)[0] == 404
    assert change(api, cat, "PUT", group, hers, suffix="/reactions/%2B")[0] == 404
    assert change(api, eve, "PUT", group, hers, suffix="/reactions/%2B")[0] == 404
    assert change(api, ann, "PATCH", group, hers, {"messageContent": "changed"})[0] == 200
    wait_for_message(api, [ann, bob], group, hers, messageContent="changed")
    assert read(api, cat, group, hers)["messageContent"] == "hers"
    assert change(api, cat, "DELETE", group, hers, suffix="?scope=me")[0] == 200
    assert read(api, cat, group, hers)["deletedScope"] == "me"
    assert read(api, bob, group, hers)["messageContent"] == "changed"
    assert log(api, eve, group) == ["members-added"]


def test_reactions(api, people, group):
    ann, bob, _, dan, _ = people
    message = api.as_user(ann).send_to(group, "hello").expect(201)["messageId"]
    run_all(*[lambda u=user: change(api, u, "PUT", group, message, suffix="/reactions/%2B") for user in people[:4]])
    everyone = sorted([user.id for user in people[:4]], key=int)
    wait_for_message(api, people[:4], group, message, reactions=[{"emoji": "+", "userIds": everyone}])
    assert change(api, dan, "DELETE", group, message, suffix="/reactions/%2B")[0] == 200
    everyone.remove(dan.id)
    wait_for_message(api, people[:4], group, message, reactions=[{"emoji": "+", "userIds": everyone}])
    for _ in range(2):
        assert change(api, bob, "PUT", group, message, suffix="/reactions/-")[0] == 200
    wait_for_message(api, people[:4], group, message, reactions=[{"emoji": "+", "userIds": everyone},
                                                                 {"emoji": "-", "userIds": [bob.id]}])
    status, answer = change(api, ann, "PUT", group, message, suffix="/reactions/-")
    reactions = [{"emoji": "+", "userIds": everyone}, {"emoji": "-", "userIds": sorted([ann.id, bob.id], key=int)}]
    assert status == 200 and answer["reactions"] == seen_by(ann, reactions)
    wait_for_message(api, people[:4], group, message, reactions=reactions)
    page = api.as_user(dan).fetch_reactions(group, message, emoji="-").expect(200)
    assert page == {"reactions": [{"userId": user, "emoji": "-"} for user in reactions[1]["userIds"]], "hasMore": False}
    check_unread(api, people[:4], group)


@pytest.mark.concurrent
def test_changes_while_it_is_sent(api, people, group):
    """A message is edited, reacted to and deleted as soon as it is acknowledged: all members end with the same state."""
    messages = []

    def talk(user):
        for i in range(8):
            sent = api.as_user(user).send_to(group, "first").expect(201)["messageId"]
            assert change(api, user, "PATCH", group, sent, {"messageContent": "second"})[0] == 200
            assert change(api, people[i % 4], "PUT", group, sent, suffix="/reactions/%2B")[0] == 200
            if i % 2:
                assert change(api, user, "DELETE", group, sent)[0] == 200
            messages.append(sent)

    run_all(*[lambda u=user: talk(u) for user in people[:4]])

    def views():
        return [[(m["messageId"], word(m), [(r["emoji"], r["userIds"]) for r in m.get("reactions", ())], m.get("deletedScope"))
                 for m in api.as_user(user).all_messages(group)] for user in people[:4]]

    wait_until(lambda: all(view == views()[0] for view in views()), 10 * SLOWNESS, "all have the same")
    final = {row[0]: row[1:] for row in views()[0]}
    assert len(final) == 33 and all(final[i][0] in ("second", None) for i in messages)
    assert sum(final[i][0] is None and final[i][2] == "everyone" for i in messages) == 16
    check_unread(api, people[:4], group)


def test_replies(api, people, group):
    """A reply is accepted only to a message of the group that its sender can see."""
    ann, bob, _, dan, eve = people
    first = api.as_user(ann).send_to(group, "question").expect(201)["messageId"]
    sent = api.as_user(dan).send_to(group, "answer", "a", replyTo=first).expect(201)
    wait_for_message(api, people[:4], group, sent["messageId"], replyTo=first)
    assert api.as_user(dan).send_to(group, "answer", "a", replyTo=first).expect(200)["messageId"] == sent["messageId"]
    api.as_user(dan).send_to(group, "answer", "a").expect(409)
    api.as_user(ann).add_group_members(group, eve).expect(200)
    created = api.as_user(ann).all_messages(group)[0]["messageId"]
    other = api.as_user(ann).send(bob, "x").expect(201)["messageId"]
    for user, message_id in ((eve, first), (ann, "2"), (ann, created), (ann, other)):
        answer = api.as_user(user).send_to(group, "x", replyTo=message_id)
        assert [e["pointer"] for e in answer.expect(422)["errors"]] == ["/replyTo"]


def test_an_erased_owner_leaves_the_group(api, stack):
    """An owner deletes their account: another member becomes the owner, and a message says so."""
    ann, bob, cat, dan, _ = make_members(api, stack)
    group = make_group(api, cat, ann, bob, dan)
    wait_for_log(api, [ann, dan], group, ["group-created"])
    api.as_user(cat).delete_me().expect(204)
    for answer in (api.as_user(cat).fetch_group(group), api.as_user(cat).send_to(group, "x"),
                   api.as_user(cat).update_group(group, name="x"), api.as_user(cat).send_typing(group)):
        answer.expect(401, code="invalid-token")
    wait_for_log(api, [ann, bob, dan], group, ["group-created", "member-left"])
    assert row_of(api, dan, group)["memberCount"] == 3
    assert api.as_user(ann).fetch_group(group).expect(200)["ownerId"] in (ann.id, bob.id, dan.id)


def test_deletion_for_oneself(api, people, group):
    """A member who deletes the group's conversation for themselves still gets later messages; the others keep everything."""
    ann, bob, _, dan, _ = people
    first = api.as_user(ann).send_to(group, "before").expect(201)["messageId"]
    wait_for_log(api, [dan], group, ["group-created", "before"])
    api.as_user(dan).delete_conversation(group).expect(204)
    assert row_of(api, dan, group) is None and log(api, dan, group) == []
    assert change(api, ann, "PATCH", group, first, {"messageContent": "changed"})[0] == 200
    api.as_user(bob).send_to(group, "after").expect(201)
    wait_for_log(api, [dan], group, ["after"])
    wait_for_log(api, [bob], group, ["group-created", "changed", "after"])
    assert row_of(api, dan, group)["unreadCount"] == 1
