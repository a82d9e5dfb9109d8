"""Proves that no operation ignores a field silently: each operation with a body refuses an unknown field and names it."""

import pytest

from harness.client import conversation_id
from harness.contract import closed_document


def operations_with_a_body():
    for path, item in closed_document()["paths"].items():
        for method, operation in item.items():
            if "requestBody" in operation:
                yield pytest.param(method.upper(), path, id=operation["operationId"])


@pytest.mark.parametrize("method, path", operations_with_a_body())
def test_an_unknown_field_is_refused(api, alice, bob, method, path):
    target = path.format(conversationId=conversation_id(alice.id, bob.id), messageId="2", userId=bob.id,
                         groupId=str(int(alice.id) | 1 << 8))
    body = {"notAField": 1, "not/plain": 2, "n" * 100: 3}
    problem = api.as_user(alice).request(method, target, json_body=body).expect(422, code="unknown-field")
    unknown = [error["pointer"] for error in problem["errors"] if "known" in error["detail"]]
    assert unknown == ["/notAField", "", ""]
    assert "/notAField: is not a known field" in problem["detail"]


def test_it_changes_nothing(api, alice, bob):
    """Also if all other fields are valid."""
    api.as_user(alice).send(bob, "x", mood="good").expect(422, code="unknown-field")
    assert api.as_user(bob).fetch_conversation().expect(200)["conversations"] == []
    account = api.as_user(alice).fetch_me().expect(200)
    api.as_user(alice).update_me(displayName="Another", displayname="x").expect(422, code="unknown-field")
    assert api.as_user(alice).fetch_me().expect(200) == account
