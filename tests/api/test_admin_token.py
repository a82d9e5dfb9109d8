"""Proves that an admin's token without a user may do what admins may do, and gets a clear error from operations that need
a mailbox."""

import pytest

from harness import tokens
from harness.client import User


@pytest.fixture
def admin(api, stack):
    return api.as_user(User("0", "admin", tokens.mint(stack.jwt_key, 0, sub=None, scope="admin")))


@pytest.mark.parametrize("target", ["/v1/conversations", "/v1/conversations/1-2/messages", "/v1/updates?timeout=0",
                                    "/v1/updates/stream"])
def test_has_no_mailbox(admin, target):
    admin.get(target).expect(401, code="invalid-token")


def test_acts_for_others(admin, api):
    sender, recipient = api.make_user(), api.make_user()
    assert admin.fetch_user(sender.id).expect(200)["userId"] == sender.id
    sent = admin.send(recipient, "on behalf", senderId=sender.id).expect(201)
    assert sent["senderId"] == sender.id
    admin.send(recipient, "on whose behalf?").expect(401, code="invalid-token")
