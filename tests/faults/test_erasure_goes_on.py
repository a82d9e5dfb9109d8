"""Proves that an erasure is finished after any fault: the rest of it is an outbox entry in the database, so another
server continues it; and that copies for senders are written before the recipient's messages are erased."""

import time

from harness.client import Api
from harness.mailbox import held, insert_messages, wait_erased
from harness.stack import SLOWNESS, Parleyd, wait_until
from steps import wait_for_copy


def test_killed_between_slices(stack, contract, server, api):
    user, peer = api.make_user(), api.make_user()
    insert_messages(stack, user, peer, 5500, 50)
    api.as_user(user).delete_me().expect(204)
    server.kill()
    assert held(stack, user)[0] > 0, "the answer waited for the whole erasure"
    other = Parleyd(stack).start()
    other_api = Api(other.url, contract, stack.jwt_key)
    other_api.as_user(user).fetch_conversation().expect(401)
    wait_erased(stack, user)
    other_api.close()
    other.close_and_judge()


def test_pending_copies_are_written_first(stack, server, api, far_pair):
    """The recipient is erased while the sender's database is unreachable."""
    sender, recipient = far_pair
    api.as_user(sender).send(recipient, "before").expect(201)
    wait_for_copy(stack, sender, recipient, 1)
    server.set_proxies("refuse", [stack.database_of(sender.id)])
    assert api.as_user(sender).send(recipient, "pending").expect(201)["senderCopy"] == "pending"
    api.as_user(recipient).delete_me().expect(204)
    api.as_user(recipient).fetch_conversation().expect(401)
    time.sleep(2)
    assert held(stack, recipient)[0] == 1, "the message was erased before its copy was written"
    server.set_proxies("pass")

    def sent():
        answer = api.as_user(sender).fetch_messages(recipient)
        return [m["messageContent"] for m in answer.json["messages"]] if answer.status == 200 else []

    wait_until(lambda: sent() == ["pending", "before"], 20 * SLOWNESS, "the sender has both")
    wait_erased(stack, recipient)
