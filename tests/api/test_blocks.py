"""Proves blockUser, unblockUser, fetchBlock and fetchBlocks: once a block is answered, nothing from the blocked user
reaches the blocker, on any server; everything else works as before."""

import concurrent.futures
import threading
import time

import pytest

from harness import metrics, tokens
from harness.client import Api, User, conversation_id
from harness.h1conn import H1Connection
from harness.sse import Parser
from harness.stack import SLOWNESS, Parleyd
from test_presence import Stream as Watcher

MANY = 10_000


def versions(api, *users):
    return [api.as_user(user).fetch_updates(timeout=0).expect(200)["lastUpdatedTimestamp"] for user in users]


def contents(api, user, peer):
    return [m.get("messageContent") for m in api.as_user(user).all_messages(peer)]


def test_sends_of_a_blocked_user_are_refused(api, pair):
    one, other = pair
    api.as_user(one).send(other, "before").expect(201)
    assert api.as_user(other).block_user(one).expect(204) is None
    before = versions(api, one, other)
    for target in ({"recipientId": other.id}, {"recipientId": None, "conversationId": conversation_id(one.id, other.id)}):
        api.as_user(one).send(other, "after", **target).expect(403, code="recipient-unavailable")
    assert versions(api, one, other) == before, "no mailbox has changed"
    assert contents(api, other, one) == contents(api, one, other) == ["before"]
    assert api.as_user(other).fetch_conversation().expect(200)["conversations"][0]["unreadCount"] == 1


def test_refused_first_message(api, pair):
    """A refused first message creates no conversation, for either user."""
    one, other = pair
    api.as_user(other).block_user(one).expect(204)
    api.as_user(one).send(other, "hello").expect(403, code="recipient-unavailable")
    for user in (one, other):
        assert api.as_user(user).fetch_conversation().expect(200)["conversations"] == []


def test_a_retry_gets_its_first_result(api, pair):
    one, other = pair
    first = api.as_user(one).send(other, "hello", "retried").expect(201)
    api.as_user(other).block_user(one).expect(204)
    again = api.as_user(one).send(other, "hello", "retried").expect(200)
    assert again["duplicate"] and again["messageId"] == first["messageId"]
    api.as_user(one).send(other, "something else", "retried").expect(409, code="client-message-id-reused")
    assert contents(api, other, one) == ["hello"]


def test_the_blocker_may_send(api, pair):
    one, other = pair
    api.as_user(other).block_user(one).expect(204)
    api.as_user(other).send(one, "still me").expect(201)
    assert contents(api, one, other) == contents(api, other, one) == ["still me"]
    api.as_user(one).send(other, "an answer").expect(403, code="recipient-unavailable")


def test_other_users_may_send(api, alice, bob):
    carol = api.make_user()
    api.as_user(bob).block_user(alice).expect(204)
    api.as_user(carol).send(bob, "x").expect(201)
    api.as_user(alice).send(carol, "y").expect(201)
    assert contents(api, bob, carol) == ["x"]


def test_sends_after_unblocking(api, pair):
    one, other = pair
    mine = api.as_user(other)
    mine.block_user(one).expect(204)
    api.as_user(one).send(other, "refused", "k").expect(403)
    assert mine.unblock_user(one).expect(204) is None
    assert contents(api, other, one) == [], "refused messages are not delivered later"
    assert api.as_user(one).send(other, "again", "k").expect(201)["duplicate"] is False, "a refused send uses no key"
    assert contents(api, other, one) == ["again"]


def test_one_of_two_users_is_unblocked(api, alice, bob):
    """The mailbox stays guarded because of the other block."""
    carol = api.make_user()
    mine = api.as_user(bob)
    mine.block_user(alice).expect(204)
    mine.block_user(carol).expect(204)
    mine.unblock_user(alice).expect(204)
    api.as_user(alice).send(bob, "x").expect(201)
    api.as_user(carol).send(bob, "y").expect(403)


def test_guarded_is_set_and_reset(api, stack, alice, bob):
    """Otherwise every send to the user would still cost the check after the last block is gone."""
    def guarded():
        return stack.query(stack.database_of(bob.id), f"SELECT guarded FROM {stack.schema_of(bob.id)}.mailbox WHERE user_id = %s",
                           (bob.id,))[0][0]
    assert guarded() is None
    api.as_user(bob).block_user(alice).expect(204)
    assert guarded() is True
    api.as_user(bob).unblock_user(alice).expect(204)
    assert guarded() is None


def test_repeated_block_changes_nothing(api, alice, bob):
    mine = api.as_user(bob)
    mine.unblock_user(alice).expect(204)
    start = versions(api, bob)
    mine.block_user(alice).expect(204)
    since, block = versions(api, bob), mine.fetch_block(alice).expect(200)
    assert since > start, "the user's other devices learn of it"
    mine.block_user(alice).expect(204)
    assert (versions(api, bob), mine.fetch_block(alice).expect(200)) == (since, block)
    mine.unblock_user(alice).expect(204)
    since = versions(api, bob)
    mine.unblock_user(alice).expect(204)
    assert versions(api, bob) == since


def test_fetch_block(api, alice, bob):
    mine = api.as_user(bob)
    mine.fetch_block(alice).expect(404, code="block-not-found")
    before = int(time.time() * 1e6) - 1_000_000
    mine.block_user(alice).expect(204)
    block = mine.fetch_block(alice).expect(200)
    assert block["userId"] == alice.id and before < block["blockedTimestamp"] < before + 60_000_000
    api.as_user(alice).fetch_block(bob).expect(404, code="block-not-found")
    mine.fetch_block(int(alice.id) - 1).expect(404, code="block-not-found")
    mine.fetch_block("x").expect(404, code="block-not-found")
    mine.unblock_user(alice).expect(204)
    mine.fetch_block(alice).expect(404, code="block-not-found")


def test_fetch_blocks_page_by_page(api, bob):
    mine = api.as_user(bob)
    assert mine.fetch_blocks().expect(200) == {"blocks": [], "hasMore": False}
    others = sorted((api.make_user() for _ in range(5)), key=lambda user: int(user.id))
    for user in others[::-1]:
        mine.block_user(user).expect(204)
    found, after = [], None
    while True:
        page = mine.fetch_blocks(pageSize=2, after=after).expect(200)
        found += [block["userId"] for block in page["blocks"]]
        if not page["hasMore"]:
            break
        assert len(page["blocks"]) == 2
        after = found[-1]
    assert found == [user.id for user in others]
    assert mine.fetch_blocks(pageSize=5).expect(200)["hasMore"] is False
    assert mine.fetch_blocks(after=found[-1]).expect(200) == {"blocks": [], "hasMore": False}
    assert api.as_user(others[0]).fetch_blocks().expect(200)["blocks"] == [], "a user sees only their own blocks"


@pytest.mark.parametrize("query", [{"pageSize": 0}, {"pageSize": 101}, {"pageSize": "x"}, {"after": "x"}, {"after": 0}, {"after": -1}])
def test_bad_pages(api, bob, query):
    api.as_user(bob).fetch_blocks(**query).expect(422)


def test_users_that_cannot_be_blocked(api, alice):
    mine = api.as_user(alice)
    group = int(alice.id) | 1 << 8
    for unknown in ("x", "0", "-1", str(int(alice.id) - 1), str(group), str(2**63 - 1), alice.id):
        mine.block_user(unknown).expect(404, code="user-not-found")
    for unknown in ("x", "0", str(group), alice.id):
        mine.unblock_user(unknown).expect(404, code="user-not-found")
    mine.unblock_user(int(alice.id) - 1).expect(204)
    assert mine.fetch_blocks().expect(200)["blocks"] == []


def test_limit_of_ten_thousand_blocks(api, stack, alice, bob):
    stack.query(stack.database_of(bob.id),
                f"INSERT INTO {stack.schema_of(bob.id)}.block SELECT %s, n, 1 FROM generate_series(1, %s) n RETURNING 1",
                (bob.id, MANY - 1))
    mine = api.as_user(bob)
    carol = api.make_user()
    mine.block_user(alice).expect(204)
    mine.block_user(carol).expect(409, code="too-many-blocks")
    mine.block_user(alice).expect(204)
    mine.fetch_block(carol).expect(404)
    mine.unblock_user(alice).expect(204)
    mine.block_user(carol).expect(204)


def test_token_of_unknown_user(api, alice):
    unknown = str(int(alice.id) - 1)
    theirs = api.as_user(User(unknown, "unknown", tokens.mint(api.key, unknown)))
    for answer in (theirs.block_user(alice), theirs.unblock_user(alice), theirs.fetch_block(alice), theirs.fetch_blocks()):
        answer.expect(401, code="invalid-token")


def test_cross_site_cookie(api, alice, bob):
    cookie = {"cookie": f"__Host-parley={bob.token}"}
    for call in (api.as_user(None).block_user, api.as_user(None).unblock_user):
        call(alice, headers={**cookie, "sec-fetch-site": "cross-site"}).expect(403, code="cross-site-request")
        call(alice, headers={**cookie, "sec-fetch-site": "same-origin"}).expect(204)


class Stream:
    def __init__(self, server, user, contract):
        self.contract, self.parser = contract, Parser()
        self.connection = H1Connection(server.url, timeout=40 * SLOWNESS)
        self.connection.send(self.connection.encode("GET", "/v1/updates/stream", [("Authorization", f"Bearer {user.token}")]))
        assert self.connection.read_head()[0] == 200
        self.pending = []
        self.next()  # The cursor comes first: from now on the stream gets all events.

    def next(self):
        while not self.pending:
            chunk = self.connection.read_chunk()
            assert chunk, "the stream has ended"
            self.pending += [event for event in self.parser.feed(chunk) if self.contract.check_event(event) is not None]
        return self.pending.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def test_typing_of_a_blocked_user_is_not_shown(stack, api, contract, pair):
    """The blocked user sees no difference. The blocker's typing is shown."""
    one, other = pair
    carol = api.make_user()
    api.as_user(other).block_user(one).expect(204)
    with Stream(stack, other, contract) as reader, Stream(stack, one, contract) as blocked:
        api.as_user(one).send_typing(other).expect(204)
        api.as_user(carol).send_typing(other).expect(204)
        event = reader.next()
        assert event.name == "typing" and carol.id in event.data and one.id not in event.data
        api.as_user(other).send_typing(one).expect(204)
        assert blocked.next().name == "typing"


def test_presence_is_not_shown_to_a_blocked_user(stack, api, contract, pair):
    """The blocked user sees the blocker go offline, and come back after the unblock. The blocker still sees the blocked
    user."""
    one, other = pair
    api.as_user(one).send(other, "hello").expect(201)
    for user in pair:
        api.as_user(user).announce_presence().expect(204)
    with Watcher(stack, one, contract, [other]) as watcher:
        assert watcher.presence_of(other)["online"] is True
        api.as_user(other).block_user(one).expect(204)
        assert watcher.presence_of(other) == {"userId": other.id, "online": False}
        assert api.as_user(one).fetch_presence(other).expect(200) == {"users": []}
        assert api.as_user(other).fetch_presence(one).expect(200)["users"]
        api.as_user(other).unblock_user(one).expect(204)
        assert watcher.presence_of(other)["online"] is True
    assert api.as_user(one).fetch_presence(other).expect(200)["users"]


@pytest.fixture(scope="module")
def server(stack):
    server = Parleyd(stack, {}).start()
    yield server
    server.check_log()
    server.close()


@pytest.mark.own_server
def test_blocked_typing_is_counted(server, stack, contract, alice, bob):
    api = Api(server.url, contract, stack.jwt_key)
    api.as_user(bob).block_user(alice).expect(204)
    with Stream(server, bob, contract):
        api.as_user(alice).send_typing(bob).expect(204)
    assert metrics.total(metrics.scrape(server.admin_url), "parley_typing_total", result="blocked") == 1
    api.close()


@pytest.mark.own_server
@pytest.mark.concurrent
def test_no_send_is_accepted_after_the_block_is_answered(server, stack, contract, api, pair):
    """Two servers send while a third connection blocks and unblocks, again and again. Sends that begin after the block's
    answer are refused, and the mailbox has exactly the accepted messages."""
    one, other = pair
    servers = [Api(url, contract, stack.jwt_key).as_user(one) for url in (stack.url, server.url) for _ in range(2)]
    answers, lock, stop = [], threading.Lock(), threading.Event()

    def send(mine):
        while not stop.is_set():
            begun = time.monotonic()
            answer = mine.send(other, "x")
            with lock:
                answers.append((begun, time.monotonic(), answer))

    blocked = []
    with concurrent.futures.ThreadPoolExecutor(len(servers)) as threads:
        started = [threads.submit(send, mine) for mine in servers]
        for _ in range(10):
            time.sleep(0.05 * SLOWNESS)
            api.as_user(other).block_user(one).expect(204)
            since = time.monotonic()
            time.sleep(0.05 * SLOWNESS)
            blocked.append((since, time.monotonic()))
            api.as_user(other).unblock_user(one).expect(204)
        stop.set()
        for future in started:
            future.result()
    for begun, ended, answer in answers:
        if any(since <= begun and ended <= until for since, until in blocked):
            answer.expect(403, code="recipient-unavailable")
        else:
            answer.expect(201, 403)
    accepted = sorted(int(answer.json["messageId"]) for _, _, answer in answers if answer.status == 201)
    assert accepted and len(accepted) < len(answers)
    assert sorted(int(m["messageId"]) for m in api.as_user(other).all_messages(one)) == accepted
    for mine in servers:
        mine.close()
