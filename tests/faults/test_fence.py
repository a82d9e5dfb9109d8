"""Proves that a shard which is fenced, as in a move, does not harm other shards: a send from a user of the shard still
reaches its recipient, and the sender's copy follows when the shard is back; failing follow-ups and reads of the shard do
not disturb others; and its users are not reported as unknown."""

import asyncio
import concurrent.futures
import contextlib

import pytest

from conftest import users_at
from harness.client import Api
from harness.h2conn import H2Connection
from harness.logs import decode
from harness.stack import SLOWNESS, Parleyd
from steps import outbox_rows, stored, wait_for_copy, wait_for_empty_outbox


@contextlib.contextmanager
def fenced(stack, user):
    """Detaches the user's shard and renames its schema; undoes both at the end."""
    database, schema = stack.database_of(user.id), stack.schema_of(user.id)
    bounds = stack.query(database, "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c "
                         "WHERE c.relnamespace = %s::regnamespace AND c.relispartition AND c.relkind = 'r'", (schema,))
    parents = stack.query(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'parley'::regnamespace AND relkind = 'p'")
    assert len(bounds) == parents[0][0] > 0
    stack.query(database, ";".join([f"ALTER TABLE parley.{table} DETACH PARTITION {schema}.{table}" for table, _ in bounds]
                                   + [f"ALTER SCHEMA {schema} RENAME TO gone"]))
    try:
        yield
    finally:
        stack.query(database, ";".join([f"ALTER SCHEMA gone RENAME TO {schema}"] + [
            f"ALTER TABLE parley.{table} ATTACH PARTITION {schema}.{table} {bound}" for table, bound in bounds]))


@pytest.fixture
def server(stack):
    """A server on which operations of the fenced shard fail and are logged as errors."""
    server = Parleyd(stack, {"push": {"heartbeat": 1}}).start()
    yield server
    server.close_and_judge(("operation-failed",))


@pytest.fixture
def api(server, stack, contract):
    api = Api(server.url, contract, stack.jwt_key)
    yield api
    api.close()


@pytest.mark.parametrize("knows_sender", [True, False])
def test_copy_of_a_fenced_sender_is_pending(api, stack, server, knows_sender):
    sender, recipient = users_at(api, stack, "same-database")
    api.as_user(sender).send(recipient, "before", "before").expect(201)
    with fenced(stack, sender):
        if not knows_sender:
            server.kill()
            server.start()
        answer = api.as_user(sender).send(recipient, "meanwhile", "meanwhile").expect(201)
        assert answer["senderCopy"] == "pending" and answer["duplicate"] is False
        assert [row[1] for row in stored(stack, recipient, sender)] == ["before", "meanwhile"]
        assert outbox_rows(stack) == 1
        again = api.as_user(sender).send(recipient, "meanwhile", "meanwhile").expect(200)
        assert again["messageId"] == answer["messageId"] and again["senderCopy"] == "pending"
        assert outbox_rows(stack) == 1
    wait_for_copy(stack, sender, recipient, 2)
    wait_for_empty_outbox(stack)
    assert stored(stack, sender, recipient) == stored(stack, recipient, sender)


async def fetch_at_once(url, users):
    """Reads one page of each user, all at once on one connection, so that their checks share a statement; returns the
    statuses."""
    connection = await H2Connection.open(url)
    try:
        streams = [connection.start("GET", "/v1/conversations", [("authorization", f"Bearer {user.token}")], flush=False)
                   for user in users]
        connection.flush()
        return [(await stream.response(30 * SLOWNESS)).status for stream in streams]
    finally:
        await connection.close()


def failures(server):
    """The requestId of each line of the log about a failed operation; None where a line names no request."""
    lines = (decode(line) for line in server.log().splitlines())
    return [line["requestId"] for line in lines if line and line["event"] == "operation-failed" and "requestId" in line]


def test_failures_are_logged_with_their_request(api, stack, server):
    """Also if the statement that failed was shared by several requests, as the check of a user is."""
    user, other = users_at(api, stack, "same-database")
    mine = api.as_user(user)
    server.kill()
    server.start()  # after the restart it knows no user
    with fenced(stack, user):
        answers = [mine.send_typing(other), mine.get("/v1/conversations"), mine.fetch_presence(user)]
        assert [answer.status for answer in answers] == [500] * 3, answers
        assert [failures(server).count(answer.json["requestId"]) for answer in answers] == [1] * 3


def test_one_failed_write_of_several_receipts_is_logged_once(api, stack, server):
    user, other = users_at(api, stack, "same-database")
    message_id = api.as_user(other).send(user, "text").expect(201)["messageId"]
    with fenced(stack, user), concurrent.futures.ThreadPoolExecutor(8) as pool:
        def receipt(_):
            return Api(server.url, api.contract, stack.jwt_key).as_user(user).send_receipt(other, message_id)

        answers = list(pool.map(receipt, range(8)))
        assert [answer.status for answer in answers] == [500] * 8
        ids = {answer.json["requestId"] for answer in answers}
        # The first receipt is one write; those that come during the second after it are another one.
        assert len([request_id for request_id in failures(server) if request_id in ids]) == 2


def test_a_fenced_user_exists(api, stack, server):
    """No 401 and no 404, even if the check of a cached page is one statement for several shards."""
    user, other = users_at(api, stack, "same-database")
    both = [user, other] * 10
    assert asyncio.run(fetch_at_once(server.url, both)) == [200] * 20
    with fenced(stack, user):
        assert asyncio.run(fetch_at_once(server.url, both)) == [500, 200] * 10
    assert asyncio.run(fetch_at_once(server.url, both)) == [200] * 20
