"""Proves that a shard which leaves its database, fenced as a move does it, takes nothing from others: a send
whose sender lived there still reaches its recipient and owes the copy, which comes once the shard is reachable again;
what is to be settled there and what is asked of it disturbs nobody; and its users are not told that they do not exist."""

import asyncio
import contextlib

import pytest

from conftest import users_at
from harness.client import Api
from harness.h2conn import H2Connection
from harness.stack import SLOWNESS, Parleyd
from steps import outbox_rows, stored, wait_for_copy, wait_for_empty_outbox


@contextlib.contextmanager
def fenced(stack, user):
    """The user's shard is detached and its schema renamed, and afterwards it is put back."""
    database, schema = stack.database_of(user.id), stack.schema_of(user.id)
    bounds = stack.query(database, "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_class c "
                         "WHERE c.relnamespace = %s::regnamespace AND c.relispartition AND c.relkind = 'r'", (schema,))
    assert len(bounds) == 11
    stack.query(database, ";".join([f"ALTER TABLE parley.{table} DETACH PARTITION {schema}.{table}" for table, _ in bounds]
                                   + [f"ALTER SCHEMA {schema} RENAME TO gone"]))
    try:
        yield
    finally:
        stack.query(database, ";".join([f"ALTER SCHEMA gone RENAME TO {schema}"] + [
            f"ALTER TABLE parley.{table} ATTACH PARTITION {schema}.{table} {bound}" for table, bound in bounds]))


@pytest.fixture
def server(stack):
    """One whose operations on the fenced shard fail with an error, and are logged so."""
    server = Parleyd(stack, {"push": {"heartbeat": 1}}).start()
    yield server
    server.close_and_judge(("operation-failed",))


@pytest.fixture
def api(server, stack, contract):
    api = Api(server.url, contract, stack.jwt_key)
    yield api
    api.close()


@pytest.mark.parametrize("knows_sender", [True, False])
def test_a_fenced_sender_is_owed_the_copy(api, stack, server, knows_sender):
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
    """The statuses of one page for each, asked in one go on one connection, so that their checks share a statement."""
    connection = await H2Connection.open(url)
    try:
        streams = [connection.start("GET", "/v1/conversations", [("authorization", f"Bearer {user.token}")], flush=False)
                   for user in users]
        connection.flush()
        return [(await stream.response(30 * SLOWNESS)).status for stream in streams]
    finally:
        await connection.close()


def test_a_fenced_user_exists(api, stack, server):
    """Neither 401 nor 404, also where the check of a cached page is one statement for several shards."""
    user, other = users_at(api, stack, "same-database")
    both = [user, other] * 10
    assert asyncio.run(fetch_at_once(server.url, both)) == [200] * 20
    with fenced(stack, user):
        assert asyncio.run(fetch_at_once(server.url, both)) == [500, 200] * 10
    assert asyncio.run(fetch_at_once(server.url, both)) == [200] * 20
