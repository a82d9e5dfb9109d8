"""Proves sendReceipt, and the receipts that follow from cursors: watermarks only increase and are never above the last
message; both users see them; messages have the right status; hidden receipts are hidden in both directions; receipts
close together are one write; and unreadCount equals a recount after any interleaving."""

import asyncio
import concurrent.futures
import json
import random
import threading
import time

import pytest

from conftest import user_on
from harness import metrics, tokens
from harness.client import User, conversation_id
from harness.h1conn import H1Connection
from harness.h2conn import H2Connection
from harness.sse import Parser
from harness.stack import SLOWNESS, Parleyd, wait_until

INTERVAL = 1.0


def sent(api, sender, recipient, count=1):
    return [api.as_user(sender).send(recipient, f"{i}").expect(201)["messageId"] for i in range(count)]


def conversation(api, user, peer):
    rows = api.as_user(user).fetch_conversation(pageSize=100).expect(200)["conversations"]
    return next(row for row in rows if row["conversationId"] == conversation_id(user.id, peer.id))


def state_of(api, user, peer, member):
    """The watermarks of the member in the user's conversation: (deliveredUpTo, readUpTo)."""
    state, = (s for s in conversation(api, user, peer)["memberStates"] if s["userId"] == member.id)
    return state["deliveredUpTo"], state["readUpTo"]


def statuses(api, user, peer):
    return [m.get("status") for m in api.as_user(user).all_messages(peer)]


def set_read_receipts(api, user, is_on):
    api.as_user(user).update_me(readReceipts=is_on).expect(200)


def read_events(stack, contract, user, headers=(), query=""):
    """The head of a stream: it has begun, so the client's cursor has been noted."""
    connection = H1Connection(stack.url, timeout=30 * SLOWNESS)
    connection.send(connection.encode("GET", "/v1/updates/stream" + query,
                                      [("Authorization", f"Bearer {user.token}"), *headers]))
    status, lower = connection.read_head()
    contract.check("GET", "/v1/updates/stream", status, lower, b"")
    assert status == 200
    return connection


def count(stack, name, **labels):
    return metrics.total(metrics.scrape(stack.admin_url), name, **labels)


def test_read(api, pair):
    """The reader's unread count decreases, and the sender sees the messages as read."""
    one, other = pair
    first, second, third = sent(api, one, other, 3)
    assert statuses(api, one, other) == ["sent"] * 3
    assert api.as_user(other).send_receipt(one, second).expect(204) is None
    own = conversation(api, other, one)
    assert own["readUpTo"] == second and own["unreadCount"] == 1
    assert state_of(api, other, one, other) == (third, second), "a client that reads the messages has the last one"
    wait_until(lambda: state_of(api, one, other, other) == (second, second), 5 * SLOWNESS, "the sender sees it")
    assert statuses(api, one, other) == ["read", "read", "sent"]
    assert state_of(api, one, other, one) == (third, "0")
    assert statuses(api, other, one) == [None] * 3, "messages of others have no status"
    assert first < third


def test_delivered(api, pair):
    one, other = pair
    first, second = sent(api, one, other, 2)
    api.as_user(other).send_receipt(one, first, "delivered").expect(204)
    assert state_of(api, other, one, other) == (second, "0")
    own = conversation(api, other, one)
    assert own["readUpTo"] == "0" and own["unreadCount"] == 2
    wait_until(lambda: statuses(api, one, other) == ["delivered", "sent"], 5 * SLOWNESS, "the sender sees it")
    api.as_user(other).send_receipt(one, second).expect(204)
    wait_until(lambda: statuses(api, one, other) == ["read", "read"], 5 * SLOWNESS, "a message that is read is delivered too")


def test_watermarks_only_increase(api, pair):
    one, other = pair
    messages = sent(api, one, other, 3)
    api.as_user(other).send_receipt(one, messages[1]).expect(204)
    wait_until(lambda: state_of(api, one, other, other)[1] == messages[1], 5 * SLOWNESS, "the sender sees it")
    before = conversation(api, other, one), conversation(api, one, other)
    for kind in ("read", "delivered"):
        for message_id in (messages[1], messages[0], "1"):
            api.as_user(other).send_receipt(one, message_id, kind).expect(204)
    assert (conversation(api, other, one), conversation(api, one, other)) == before, "there is no new version"


def test_above_the_last_message(api, pair):
    one, other = pair
    last = sent(api, one, other, 2)[1]
    api.as_user(other).send_receipt(one, 2**63 - 1).expect(204)
    own = conversation(api, other, one)
    assert own["readUpTo"] == last and own["unreadCount"] == 0
    wait_until(lambda: state_of(api, one, other, other) == (last, last), 5 * SLOWNESS, "the sender sees it")
    sent(api, one, other)
    assert conversation(api, other, one)["unreadCount"] == 1
    assert statuses(api, one, other) == ["read", "read", "sent"]


def test_own_messages_are_not_unread(api, alice, bob):
    sent(api, alice, bob)
    reply, = sent(api, bob, alice)
    assert conversation(api, bob, alice)["unreadCount"] == 1
    api.as_user(bob).send_receipt(alice, reply).expect(204)
    assert conversation(api, bob, alice)["unreadCount"] == 0
    assert statuses(api, alice, bob) == ["read", None]


def test_a_read_is_seen_at_once(api, alice, bob):
    """Also in cached answers, and by the ETag."""
    last = sent(api, alice, bob)[0]
    page = api.as_user(bob).fetch_conversation().expect(200)
    etag = api.as_user(bob).fetch_conversation().headers["etag"]
    assert page["conversations"][0]["unreadCount"] == 1
    api.as_user(bob).send_receipt(alice, last).expect(204)
    again = api.as_user(bob).fetch_conversation({"if-none-match": etag}).expect(200)
    assert again["conversations"][0]["unreadCount"] == 0
    delta = api.as_user(bob).fetch_conversation(lastUpdatedTimestamp=page["lastUpdatedTimestamp"]).expect(200)
    assert delta["isDeltaUpdate"] and delta["conversations"] == again["conversations"]


@pytest.mark.parametrize("body, pointers", [
    ({}, ["/messageId", "/type"]),
    ({"type": "read"}, ["/messageId"]),
    ({"messageId": "1"}, ["/type"]),
    ({"type": "seen", "messageId": "1"}, ["/type"]),
    ({"type": "READ", "messageId": "1"}, ["/type"]),
    ({"type": None, "messageId": "1"}, ["/type"]),
    ({"type": "read", "messageId": 1}, ["/messageId"]),
    ({"type": "read", "messageId": ""}, ["/messageId"]),
    ({"type": "read", "messageId": "-1"}, ["/messageId"]),
    ({"type": "read", "messageId": "0"}, ["/messageId"]),
    ({"type": "read", "messageId": "1x"}, ["/messageId"]),
    ({"type": "delivered", "messageId": "9223372036854775808"}, ["/messageId"]),
])
def test_wrong_fields(api, alice, bob, body, pointers):
    sent(api, alice, bob)
    answer = api.as_user(bob).post(f"/v1/conversations/{conversation_id(alice.id, bob.id)}/receipts", body)
    answer.expect(422)
    assert [error["pointer"] for error in answer.json["errors"]] == pointers


def test_invalid_bodies(api, alice, bob):
    target = f"/v1/conversations/{conversation_id(alice.id, bob.id)}/receipts"
    for content in (b"", b"{", b"[]", b'{"type":"read","type":"read"}'):
        api.as_user(bob).request("POST", target, {"content-type": "application/json"}, content=content).expect(400)


def test_others_conversations(api, stack, alice, bob):
    """404, as for unknown ones: a stranger's conversation, one without messages, and malformed ids."""
    message_id, = sent(api, alice, bob)
    carol = api.make_user()
    before = conversation(api, bob, alice), conversation(api, alice, bob)
    absent = str((int(alice.id) >> 50 << 50) + 5)
    nowhere = str(stack.shards + 3 << 50)
    for caller, target in ((carol, conversation_id(alice.id, bob.id)), (carol, conversation_id(carol.id, bob.id)),
                           (alice, conversation_id(alice.id, carol.id)), (alice, conversation_id(alice.id, absent)),
                           (alice, conversation_id(alice.id, nowhere)), (alice, alice.id), (alice, "x"),
                           (alice, f"{alice.id}-{alice.id}")):
        api.as_user(caller).send_receipt(target, message_id).expect(404, code="conversation-not-found")
    assert (conversation(api, bob, alice), conversation(api, alice, bob)) == before


def test_no_such_user(api, alice, bob):
    sent(api, alice, bob)
    absent = str((int(alice.id) >> 50 << 50) + 5)
    stranger = User(absent, "x", tokens.mint(api.key, absent))
    api.as_user(stranger).send_receipt(bob, "1").expect(401, code="invalid-token")


def test_cookie_of_another_site(api, alice, bob):
    message_id, = sent(api, alice, bob)
    conversation_of_both = conversation_id(alice.id, bob.id)
    cookie = {"cookie": f"__Host-parley={bob.token}"}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {}):
        api.as_user(None).send_receipt(conversation_of_both, message_id, headers={**cookie, **headers}).expect(
            403, code="cross-site-request")
    assert conversation(api, bob, alice)["unreadCount"] == 1
    api.as_user(None).send_receipt(conversation_of_both, message_id,
                                   headers={**cookie, "sec-fetch-site": "same-origin"}).expect(204)


def test_an_erased_user(api, alice, bob):
    """The remaining user reads the messages that they got, without a receipt to the erased user. The erased user cannot
    read."""
    message_id, = sent(api, alice, bob)
    api.as_user(alice).delete_me().expect(204)
    api.as_user(bob).send_receipt(alice, message_id).expect(204)
    assert conversation(api, bob, alice)["unreadCount"] == 0
    api.as_user(alice).send_receipt(bob, message_id).expect(401)


def test_reader_hides_read_receipts(api, pair):
    one, other = pair
    message_id, = sent(api, one, other)
    set_read_receipts(api, other, False)
    api.as_user(other).send_receipt(one, message_id).expect(204)
    assert conversation(api, other, one)["unreadCount"] == 0
    wait_until(lambda: statuses(api, one, other) == ["delivered"], 20 * SLOWNESS, "it is delivered")
    assert state_of(api, one, other, other) == (message_id, "0")
    set_read_receipts(api, other, True)
    later, = sent(api, one, other)
    api.as_user(other).send_receipt(one, later).expect(204)
    wait_until(lambda: statuses(api, one, other) == ["read", "read"], 5 * SLOWNESS, "after it is shown again, the sender sees the reads")


def test_sender_hides_read_receipts(api, pair):
    one, other = pair
    message_id, = sent(api, one, other)
    set_read_receipts(api, one, False)
    api.as_user(other).send_receipt(one, message_id).expect(204)
    wait_until(lambda: statuses(api, one, other) == ["delivered"], 20 * SLOWNESS, "it is delivered")
    assert state_of(api, one, other, other) == (message_id, "0")


def deliver_the_first_alone(api, one, other, cursor):
    """Comes with the cursor before the second message. A user's cursors are handled in order, so every earlier cursor has
    had its effect when the first message is delivered. The second message is not delivered."""
    api.as_user(other).fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
    wait_until(lambda: statuses(api, one, other) != ["sent", "sent"], 20 * SLOWNESS, "the first is delivered")
    assert statuses(api, one, other) == ["delivered", "sent"]


def test_delivered_by_a_long_poll(api, pair):
    """By the cursor with which the client returns, not by the answer that it got."""
    one, other = pair
    me = api.as_user(other)
    first, = sent(api, one, other)
    cursor = me.fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
    second, = sent(api, one, other)
    delta = me.fetch_updates(lastUpdatedTimestamp=0, timeout=0).expect(200)
    assert [m["messageId"] for m in delta["messages"]] == [first, second]
    me.fetch_updates(timeout=0).expect(200)
    deliver_the_first_alone(api, one, other, cursor)
    assert state_of(api, one, other, other) == (first, "0")
    own = conversation(api, other, one)
    assert own["unreadCount"] == 2
    cursor = me.all_updates(delta["lastUpdatedTimestamp"])[1]
    me.fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
    wait_until(lambda: state_of(api, one, other, other) == (second, "0"), 20 * SLOWNESS, "the second is delivered")
    assert me.fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)["lastUpdatedTimestamp"] == cursor, \
        "the client gets no change because of its own cursor"


@pytest.mark.parametrize("by", ["header", "parameter"])
def test_delivered_by_a_stream(api, stack, contract, pair, by):
    one, other = pair
    sent(api, one, other)
    before = api.as_user(other).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
    message_id, = sent(api, one, other)
    cursor = api.as_user(other).fetch_updates(lastUpdatedTimestamp=0, timeout=0).expect(200)["lastUpdatedTimestamp"]
    read_events(stack, contract, other).close()
    read_events(stack, contract, other, query="?lastUpdatedTimestamp=0").close()
    deliver_the_first_alone(api, one, other, before)
    if by == "header":
        connection = read_events(stack, contract, other, [("Last-Event-ID", str(cursor))])
    else:
        connection = read_events(stack, contract, other, query=f"?lastUpdatedTimestamp={cursor}")
    wait_until(lambda: statuses(api, one, other) == ["delivered"] * 2, 20 * SLOWNESS, "it is delivered")
    assert state_of(api, one, other, other) == (message_id, "0")
    connection.close()


def test_a_cursor_above_the_version_has_no_effect(api, alice, bob):
    sent(api, alice, bob)
    cursor = api.as_user(bob).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"]
    sent(api, alice, bob)
    future = int(time.time() * 1e6) + 10**12
    api.as_user(bob).fetch_updates(lastUpdatedTimestamp=future, timeout=0).expect(200)
    deliver_the_first_alone(api, alice, bob, cursor)


def test_a_known_cursor_causes_no_write(api, stack, alice, bob):
    """A client that waits returns with the same cursor again and again. The cursor after a delivery is known too."""
    sent(api, alice, bob)
    me = api.as_user(bob)
    cursor = me.all_updates()[1]
    me.fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
    wait_until(lambda: statuses(api, alice, bob) == ["delivered"], 20 * SLOWNESS, "it is delivered")
    cursor = me.all_updates(cursor)[1]

    def is_known():
        before = count(stack, "parley_delivered_cursors_total", result="known")
        me.fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
        return count(stack, "parley_delivered_cursors_total", result="known") > before

    wait_until(is_known, 20 * SLOWNESS, "the server remembers what it has written")
    known = count(stack, "parley_delivered_cursors_total", result="known")
    for _ in range(5):
        assert me.fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)["conversations"] == []
    assert count(stack, "parley_delivered_cursors_total", result="known") >= known + 5


def test_many_messages_in_many_conversations(api, stack, bob):
    """More than one write covers: the rest follows."""
    senders = [api.make_user() for _ in range(3)]
    for i in range(240):
        api.as_user(senders[i % 3]).send(bob, "x").expect(201)
    cursor = api.as_user(bob).all_updates()[1]
    api.as_user(bob).fetch_updates(lastUpdatedTimestamp=cursor, timeout=0).expect(200)
    wait_until(lambda: all(set(statuses(api, sender, bob)) == {"delivered"} for sender in senders), 15 * SLOWNESS,
               "all are delivered")


def test_close_together_is_one_write(api, stack, alice, bob):
    """Of many receipts at once, on several connections and so on both workers: all are answered, all messages are read,
    and there is one write a second."""
    messages = sent(api, alice, bob, 40)
    versions = []

    def write(part):
        with H1Client(stack, bob) as client:
            for message_id in part:
                client.receipt(alice, message_id)

    def note_versions():
        while any(thread.is_alive() for thread in threads):
            version = conversation(api, bob, alice)["lastUpdatedTimestamp"]
            if version not in versions:
                versions.append(version)
            time.sleep(0.02)

    written, coalesced = (count(stack, "parley_receipts_total", result=r) for r in ("written", "coalesced"))
    threads = [threading.Thread(target=write, args=(messages[i::8],)) for i in range(8)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    note_versions()
    took = time.monotonic() - start
    own = conversation(api, bob, alice)
    assert own["unreadCount"] == 0 and own["readUpTo"] == messages[-1]
    assert statuses(api, alice, bob) == ["read"] * 40
    assert len(versions) <= 2 + took / INTERVAL
    assert count(stack, "parley_receipts_total", result="written") - written <= 2 + took / INTERVAL
    assert count(stack, "parley_receipts_total", result="coalesced") - coalesced >= 30


class H1Client:
    def __init__(self, stack, user):
        self.user, self.connection = user, H1Connection(stack.url, timeout=30 * SLOWNESS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def start_receipt(self, peer, message_id):
        self.connection.send(self.connection.encode(
            "POST", f"/v1/conversations/{conversation_id(self.user.id, peer.id)}/receipts",
            [("Authorization", f"Bearer {self.user.token}"), ("Content-Type", "application/json")],
            json.dumps({"type": "read", "messageId": message_id}).encode()))

    def receipt(self, peer, message_id):
        self.start_receipt(peer, message_id)
        assert self.connection.read_response()[0] == 204

    def poll(self, cursor):
        self.connection.send(self.connection.encode("GET", f"/v1/updates?timeout=0&lastUpdatedTimestamp={cursor}",
                                                    [("Authorization", f"Bearer {self.user.token}")]))
        assert self.connection.read_response()[0] == 200


def test_conversations_do_not_wait_for_each_other(api, stack, alice, bob):
    """Only the second receipt of a conversation waits. On a machine that is too slow to send two within the time, one of
    a few does."""
    def waited():
        return count(stack, "parley_receipts_total", result="coalesced")

    carol = api.make_user()
    before = waited()
    for peer in (alice, carol):
        messages = sent(api, peer, bob, 20)
        api.as_user(bob).send_receipt(peer, messages[0]).expect(204)
        assert waited() == before
    for message_id in messages[1:]:
        api.as_user(bob).send_receipt(carol, message_id).expect(204)
        if waited() > before:
            break
    assert waited() == before + 1
    api.as_user(bob).send_receipt(carol, messages[-1]).expect(204)
    assert conversation(api, bob, carol)["unreadCount"] == 0


def test_too_many_wait(stack, contract, api, alice, bob):
    message_id, = sent(api, alice, bob)

    async def flood():
        connections = [await H2Connection.open(stack.url) for _ in range(3)]
        headers = [("authorization", f"Bearer {bob.token}"), ("content-type", "application/json")]
        target = f"/v1/conversations/{conversation_id(alice.id, bob.id)}/receipts"
        body = json.dumps({"type": "read", "messageId": message_id}).encode()
        streams = [c.start("POST", target, headers, body) for c in connections for _ in range(50)]
        answers = []
        for stream in streams:
            response = await stream.response(30 * SLOWNESS)
            contract.check("POST", target, response.status, response.headers, response.body)
            answers.append(response.status)
        for connection in connections:
            await connection.close()
        return answers

    answers = asyncio.run(flood())
    assert set(answers) == {204, 429}, answers
    assert conversation(api, bob, alice)["unreadCount"] == 0


def test_a_client_that_leaves_while_its_receipt_waits(api, stack, alice, bob):
    messages = sent(api, alice, bob, 2)
    api.as_user(bob).send_receipt(alice, messages[0]).expect(204)
    accepted = count(stack, "parley_receipts_total", result="accepted")
    connection = H1Connection(stack.url)
    connection.send(connection.encode(
        "POST", f"/v1/conversations/{conversation_id(alice.id, bob.id)}/receipts",
        [("Authorization", f"Bearer {bob.token}"), ("Content-Type", "application/json")],
        json.dumps({"type": "read", "messageId": messages[1]}).encode()))
    wait_until(lambda: count(stack, "parley_receipts_total", result="accepted") > accepted, 20 * SLOWNESS, "it is accepted")
    connection.close()
    wait_until(lambda: conversation(api, bob, alice)["unreadCount"] == 0, 20 * SLOWNESS, "it is written in spite of that")


@pytest.mark.own_server
def test_a_cursor_that_finds_no_room_is_dropped_and_counted(stack, api):
    """The lane for changes has room for one operation, which waits for a lock."""
    shards = next(iter(stack.shards_by_database().values()))
    one, other = user_on(api, stack, {shards[0]}), user_on(api, stack, {shards[1]})
    message, = sent(api, one, other)
    cursor = api.as_user(one).all_updates()[1]
    server = Parleyd(stack, {"lanes": {"queue_size": 1}}).start()
    try:
        with stack.session(stack.database_of(other.id), autocommit=False) as lock, \
                H1Client(server, other) as reader, H1Client(server, one) as poller:
            lock.execute(f"SELECT FROM {stack.schema_of(other.id)}.mailbox WHERE user_id = %s FOR UPDATE", (other.id,))
            reader.start_receipt(one, message)
            stack.wait_until_blocked(other)
            poller.poll(cursor)
            wait_until(lambda: count(server, "parley_delivered_cursors_total", result="dropped") == 1, 5 * SLOWNESS,
                       "the cursor is counted")
    finally:
        server.close()


@pytest.mark.own_server
def test_waiting_receipts_are_written_before_the_end(stack, api, alice, bob):
    """A server that is stopping answers the receipts that it holds."""
    messages = sent(api, alice, bob, 2)
    server, answers = Parleyd(stack).start(), []

    def send(message_id):
        with H1Client(server, bob) as client:
            client.receipt(alice, message_id)
            answers.append(message_id)

    try:
        send(messages[0])
        waiting = threading.Thread(target=send, args=(messages[1],))
        waiting.start()
        metrics.wait_for(server.admin_url, "parley_receipts_total", lambda value: value == 2, 20 * SLOWNESS, result="accepted")
        assert server.terminate()[0] == 0
        waiting.join()
        assert answers == messages
        server.check_log()
    finally:
        server.close()
    assert conversation(api, bob, alice)["unreadCount"] == 0


def test_waiters_are_woken(api, stack, contract, pair):
    """The sender's long-poll and stream get the conversation but not the messages again; and a delta with both has the
    state of both."""
    one, other = pair
    message_id, = sent(api, one, other)
    cursor = api.as_user(one).all_updates()[1]
    parser, events = Parser(), []
    connection = read_events(stack, contract, one, query=f"?lastUpdatedTimestamp={cursor}")
    threading.Timer(0.5, lambda: api.as_user(other).send_receipt(one, message_id).expect(204)).start()
    delta = api.as_user(one).fetch_updates(lastUpdatedTimestamp=cursor, timeout=20).expect(200)
    while not events:
        events = [e for e in parser.feed(connection.read_chunk()) if e.name == "delta"]
    for found in (delta, contract.check_event(events[0])):
        assert found["messages"] == []
        row, = found["conversations"]
        assert {s["userId"]: s["readUpTo"] for s in row["memberStates"]} == {one.id: "0", other.id: message_id}
    api.as_user(one).send(other, "next").expect(201)
    event = contract.check_event(next(e for e in parser.feed(connection.read_chunk()) if e.name == "delta"))
    assert [m["status"] for m in event["messages"]] == ["sent"]
    assert {s["userId"]: s["readUpTo"] for s in event["conversations"][0]["memberStates"]}[other.id] == message_id
    messages = api.as_user(one).fetch_updates(lastUpdatedTimestamp=0, timeout=0).expect(200)["messages"]
    assert [m["status"] for m in messages] == ["read", "sent"]
    changed = api.as_user(one).fetch_messages(other, lastUpdatedTimestamp=cursor).expect(200)["messages"]
    assert [m["status"] for m in changed] == ["sent"]
    connection.close()


def recount(stack, user, peer):
    return stack.query(stack.database_of(user.id), f"""
        SELECT c.unread_count, (SELECT count(*) FROM {stack.schema_of(user.id)}.message m
                                WHERE m.user_id = c.user_id AND m.peer_id = c.peer_id AND m.sender_id <> c.user_id
                                      AND m.message_id > greatest(c.read_up_to, c.cleared_up_to)
                                      AND NOT coalesce(m.extra ? 'deletedTimestamp', false))
        FROM {stack.schema_of(user.id)}.conversation c WHERE c.user_id = %s AND c.peer_id = %s""", (user.id, peer.id))[0]


@pytest.mark.parametrize("seed", range(4))
def test_unread_is_a_recount(api, stack, pair, seed):
    """Sends of both users, receipts of both, deletions of both kinds and clears, all at once."""
    rng = random.Random(seed)
    one, other = pair
    api.as_user(one).send(other, "first").expect(201)
    ids = []

    def work(rng, me, peer):
        caller = api.as_user(me)
        for _ in range(25):
            what = rng.random()
            if what < 0.45 or not ids:
                ids.append(caller.send(peer, "x").expect(201)["messageId"])
            elif what < 0.7:
                caller.send_receipt(peer, rng.choice(ids), rng.choice(["read", "delivered"])).expect(204, 429)
            elif what < 0.95:
                caller.delete_message(peer, rng.choice(ids), rng.choice(["me", "everyone"])).expect(200, 403, 404)
            else:
                caller.delete_conversation(peer).expect(204)

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(work, random.Random(rng.random()), me, peer)
                     for me, peer in ((one, other), (other, one)) for _ in range(2)]:
            done.result()
    for me, peer in ((one, other), (other, one)):
        stored, counted = recount(stack, me, peer)
        assert stored == counted
        rows = api.as_user(me).fetch_conversation().expect(200)["conversations"]
        assert [row["unreadCount"] for row in rows] in ([], [counted])
