"""Proves promise 6: after a 2xx every read shows the write, cached or not, on this server and on others; and that the
ETag is the mailbox's version, so that a 304 is never stale."""

import threading

import pytest

from harness.client import Api, conversation_id
from harness.stack import Parleyd

TARGETS = ["/v1/conversations", "/v1/conversations?pageSize=1", "/v1/conversations/{c}/messages",
           "/v1/conversations/{c}/messages?pageSize=1&pageNumber=2"]


@pytest.mark.parametrize("target", TARGETS)
def test_etag_and_304(api, alice, bob, target):
    mine = api.as_user(bob)
    for _ in range(3):
        api.as_user(alice).send(bob, "hello").expect(201)
    target = target.format(c=conversation_id(alice.id, bob.id))
    first = mine.request("GET", target)
    etag = first.headers["etag"]
    assert etag == f"\"{first.expect(200)['lastUpdatedTimestamp']}\""
    for header in (etag, "W/" + etag, f'"1", {etag}', "*"):
        answer = mine.request("GET", target, headers={"if-none-match": header})
        answer.expect(304)
        assert answer.headers["etag"] == etag and answer.body == b""
    for header in ('"1"', etag.strip('"'), '""', "nonsense"):
        assert mine.request("GET", target, headers={"if-none-match": header}).status == 200
    api.as_user(alice).send(bob, "more").expect(201)
    changed = mine.request("GET", target, headers={"if-none-match": etag})
    assert changed.status == 200 and changed.headers["etag"] != etag


def test_caching_is_private(api, alice):
    answer = api.as_user(alice).fetch_conversation()
    control = answer.headers["cache-control"]
    assert "no-store" in control or ("private" in control and "no-cache" in control)


def test_cached_answers_are_byte_for_byte_the_same(api, alice, bob):
    api.as_user(alice).send(bob, "hello").expect(201)
    mine = api.as_user(bob)
    bodies = {mine.fetch_conversation().body for _ in range(5)} | {mine.fetch_messages(alice).body
                                                                   for _ in range(5)}
    assert len(bodies) == 2


def test_cache_is_not_shared_between_callers_or_queries(api, alice, bob):
    api.as_user(alice).send(bob, "hello").expect(201)
    hers = api.as_user(alice).fetch_messages(bob).expect(200)
    his = api.as_user(bob).fetch_messages(alice).expect(200)
    assert hers["messages"][0]["lastUpdatedTimestamp"] != 0 and hers["messages"][0]["messageId"] == \
        his["messages"][0]["messageId"]
    mine = api.as_user(bob)
    assert mine.fetch_messages(alice, pageSize=1).json != mine.fetch_messages(alice, pageNumber=2).json
    api.as_user(api.make_user()).fetch_messages(conversation_id(alice.id, bob.id)).expect(404)


@pytest.mark.concurrent
def test_read_your_writes_under_load(api, pair):
    """Both users write and read at once, over several connections, so over several workers."""
    failures = []

    def run(me, peer):
        mine = api.as_user(me)
        for i in range(40):
            sent = mine.send(peer, f"{i}").expect(201)
            if sent["senderCopy"] == "pending":
                continue  # The one case in which the sender does not see the message yet, and the answer says so.
            messages = mine.fetch_messages(peer, pageSize=100).expect(200)["messages"]
            if sent["messageId"] not in [m["messageId"] for m in messages]:
                failures.append(("messages", i))
            (row,) = mine.fetch_conversation().expect(200)["conversations"]
            if int(row["lastMessageId"]) < int(sent["messageId"]):
                failures.append(("conversations", i))
            delta = mine.fetch_updates(lastUpdatedTimestamp=0, timeout=0, pageSize=100).expect(200)
            if sent["messageId"] not in [m["messageId"] for m in delta["messages"]]:
                failures.append(("updates", i))

    threads = [threading.Thread(target=run, args=order) for order in (pair, pair[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.own_server
def test_other_servers_read_it_too(api, stack, contract, pair):
    """A second server that has cached the mailbox never answers with the state before the write."""
    server = Parleyd(stack).start()
    try:
        other = Api(server.url, contract, stack.jwt_key)
        one, two = pair
        for i in range(30):
            writer, reader = (api, other) if i % 2 else (other, api)
            sent = writer.as_user(one).send(two, f"{i}").expect(201)
            for me, peer in ((two, one), (one, two)):
                mine = reader.as_user(me)
                assert mine.fetch_messages(peer).expect(200)["messages"][0]["messageId"] == sent["messageId"]
                assert mine.fetch_conversation().expect(200)["conversations"][0]["lastMessageId"] == \
                    sent["messageId"]
        other.close()
        server.check_log()
    finally:
        server.close()
