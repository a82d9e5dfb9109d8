"""Proves exportMe: every line satisfies the contract and everything in the mailbox is there, whatever its size and
whatever changes at the same time; a client that reads slowly, leaves or asks twice costs no more memory than a page; and
an export that was cut off has no end line."""

import concurrent.futures
import json
import time

import pytest

from harness import tokens
from harness.client import Api, User, conversation_id, unique
from harness.h1conn import H1Connection
from harness.mailbox import insert_messages
from harness.stack import SLOWNESS, Parleyd

TARGET = "/v1/users/me/export"
PASSWORD = "correct horse battery"


def lines_of(export, kind):
    return [line[kind] for line in export if line["type"] == kind]


def check_whole(export):
    """The account comes first, the settings next, the end last, and its counts are right."""
    types = [line["type"] for line in export]
    assert types[:2] == ["account", "settings"] and types.count("account") == types.count("settings") == 1
    assert types[-1] == "end" and types.count("end") == 1
    assert all(line.keys() == {"type", line["type"]} for line in export)
    end = export[-1]["end"]
    for kind in ("session", "block", "conversation", "message"):
        assert end[kind + "s"] == types.count(kind)
    versions = [message["lastUpdatedTimestamp"] for message in lines_of(export, "message")]
    assert versions == sorted(versions)
    assert end["lastUpdatedTimestamp"] >= max([0, *versions])
    return end


def test_export_equals_the_pages_of_the_api(api, stack):
    """The export equals the pages of the API."""
    name = unique("carol")
    value = api.create_user(name, "Carol", PASSWORD).expect(201)
    carol = User(value["userId"], name, tokens.mint(stack.jwt_key, value["userId"]))
    mine, peers = api.as_user(carol), [api.make_user() for _ in range(3)]
    for i, peer in enumerate(peers):
        for n in range(20 * i + 1):
            mine.send(peer, f"to {i}, {n} \U0001f600\n\"").expect(201)
            api.as_user(peer).send(carol, f"from {i}, {n}").expect(201)
    mine.update_me(readReceipts=False).expect(200)
    export = mine.export_me().expect(200)
    end = check_whole(export)
    assert export[0]["account"] == {**mine.fetch_user(carol.id).expect(200), "hasPassword": True}
    assert export[1]["settings"] == {"readReceipts": False, "showPresence": True, "groupInvites": "everyone"}
    assert "argon2" not in json.dumps(export)
    found = {c["conversationId"]: c for c in lines_of(export, "conversation")}
    assert list(found.values()) == lines_of(export, "conversation"), "no message comes twice"
    assert found == {c["conversationId"]: c for c in mine.fetch_conversation(pageSize=100).expect(200)["conversations"]}
    messages = lines_of(export, "message")
    for peer in peers:
        of_peer = [m for m in messages if m["conversationId"] == conversation_id(carol.id, peer.id)]
        assert sorted(of_peer, key=lambda m: int(m["messageId"])) == mine.all_messages(peer)
    assert end["messages"] == len(messages) == 2 * (1 + 21 + 41)
    nothing = mine.fetch_updates(lastUpdatedTimestamp=end["lastUpdatedTimestamp"], timeout=0).expect(200)
    assert nothing["isDeltaUpdate"] and not nothing["messages"] and not nothing["conversations"]


def test_new_user(api, alice):
    export = api.as_user(alice).export_me().expect(200)
    assert check_whole(export)["messages"] == 0 and len(export) == 3
    assert export[0]["account"]["hasPassword"] is False


def test_blocks_of_more_than_one_page(api, stack, alice):
    """They are in the order of ids."""
    with stack.session(stack.database_of(alice.id)) as cursor:
        cursor.execute(f"""INSERT INTO {stack.schema_of(alice.id)}.block
                           SELECT %s, 1000 + n, 5000 + n FROM generate_series(1, 2000) n""", (alice.id,))
    export = api.as_user(alice).export_me().expect(200)
    check_whole(export)
    assert lines_of(export, "block") == [{"userId": str(1000 + n), "blockedTimestamp": 5000 + n} for n in range(1, 2001)]


@pytest.mark.parametrize("count, size", [(3000, 100), (70, 60000)], ids=["many", "large"])
def test_pages(api, stack, alice, bob, count, size):
    insert_messages(stack, alice, bob, count, size)
    export = api.as_user(alice).export_me().expect(200)
    assert check_whole(export)["messages"] == count
    messages = lines_of(export, "message")
    assert [m["clientMessageId"] for m in messages] == [str(n) for n in range(1, count + 1)]
    assert messages == api.as_user(alice).all_messages(bob)


@pytest.mark.concurrent
def test_changes_during_the_export_lose_nothing(api, stack, alice, bob):
    insert_messages(stack, alice, bob, 20000, 50)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        export = pool.submit(api.as_user(alice).export_me)
        sent = [api.as_user(bob).send(alice, f"{n}").expect(201)["messageId"] for n in range(30)]
        export = export.result().expect(200)
    end = check_whole(export)
    later, _, _ = api.as_user(alice).all_updates(end["lastUpdatedTimestamp"])
    ids = [m["messageId"] for m in lines_of(export, "message")]
    assert set(sent) <= set(ids) | {m["messageId"] for m in later} and len(ids) >= 20000
    assert len(ids) == len(set(ids)), "a message that does not change comes once"


def test_token_of_unknown_user(api, stack, alice):
    unknown = str(int(alice.id) ^ 0xff)
    api.as_user(User(unknown, "unknown", tokens.mint(stack.jwt_key, unknown))).export_me().expect(401, code="invalid-token")


def open_export(server, user):
    """A connection on which an export has begun. Only the head of the response is read. An export that was left just
    before may still be running."""
    while True:
        connection = H1Connection(server.url, timeout=40 * SLOWNESS)
        connection.send(connection.encode("GET", TARGET, [("Authorization", f"Bearer {user.token}")]))
        status, headers = connection.read_head()
        if status == 200:
            assert headers["content-type"] == "application/x-ndjson"
            return connection
        assert status == 429, (status, headers)
        connection.close()
        time.sleep(0.02)


def resident(server):
    """Bytes of memory that the server has."""
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as stream:
        return int(stream.read().split()[1]) * 4096


def read_chunks(connection):
    body = b""
    while chunk := connection.read_chunk():
        body += chunk
    return body


@pytest.fixture
def single(stack, contract):
    """A server of one worker."""
    server = Parleyd(stack, {"server": {"workers": 1}}, proxied=True).start()
    api = Api(server.url, contract, stack.jwt_key)
    yield server, api
    api.close()
    server.close_and_judge()


@pytest.mark.own_server
def test_slow_reader_and_a_second_export(single, stack, alice, bob):
    """40 MB for a client that does not read: the server holds one page of it and no connection to the database, answers
    others, and continues when the client does. Meanwhile the user gets no second export; another user does."""
    server, api = single
    insert_messages(stack, alice, bob, 700, 60000)
    before = resident(server)
    with open_export(server, alice) as connection:
        time.sleep(1)
        answer = api.as_user(alice).export_me()
        answer.expect(429, code="too-many-requests")
        check_whole(api.as_user(bob).export_me().expect(200))
        api.as_user(alice).fetch_conversation().expect(200)
        assert SLOWNESS > 1 or resident(server) - before < 16e6
        lines = [json.loads(line) for line in read_chunks(connection).splitlines()]
    assert check_whole(lines)["messages"] == 700
    check_whole(api.as_user(alice).export_me().expect(200))


@pytest.mark.own_server
def test_clients_that_leave(single, stack, alice, bob):
    """They leave at any moment, over either protocol. The next export is complete."""
    server, api = single
    insert_messages(stack, alice, bob, 200, 60000)
    for pause in (0, 0, 0.001, 0.005, 0.02, 0.1, 0.3):
        connection = open_export(server, alice)
        time.sleep(pause)
        connection.close()
        connection = H1Connection(server.url)
        connection.send(connection.encode("GET", TARGET, [("Authorization", f"Bearer {bob.token}")]))
        time.sleep(pause / 10)
        connection.close()
    for _ in range(100):
        answer = api.as_user(alice).export_me()
        if answer.status == 200:
            break
        answer.expect(429)
        time.sleep(0.1)
    assert check_whole(answer.json)["messages"] == 200


@pytest.mark.own_server
def test_a_cut_off_export_has_no_end_line(single, stack, alice, bob):
    """The database fails in the middle: the response breaks off, which its form shows."""
    server, _ = single
    insert_messages(stack, alice, bob, 700, 60000)
    with open_export(server, alice) as connection:
        server.set_proxies("refuse")
        with pytest.raises(Exception) as broken:
            read_chunks(connection)
        assert not isinstance(broken.value, AssertionError), broken.value
    server.set_proxies("pass")
