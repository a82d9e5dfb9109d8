"""Proves fetchMessages: order, paging by number and by `before`, stability of `before` while new messages arrive, and
that conversations of others answer 404."""

import pytest

from harness.client import conversation_id

COUNT = 60


@pytest.fixture(scope="module")
def talk(api):
    """Two users, 60 messages; ids in the order of sending."""
    one, other = api.make_user(), api.make_user()
    sent = []
    for i in range(COUNT):
        me, peer = (one, other) if i % 3 else (other, one)
        sent.append(api.as_user(me).send(peer, f"message {i}").expect(201)["messageId"])
    return one, other, sent


def ids_of(page):
    return [m["messageId"] for m in page["messages"]]


def test_newest_first_and_default_size(api, talk):
    one, other, sent = talk
    for me, peer in ((one, other), (other, one)):
        page = api.as_user(me).fetch_messages(peer).expect(200)
        assert ids_of(page) == sent[:-51:-1] and page["hasMore"] is True and page["isDeltaUpdate"] is False
        assert page["messages"][0]["messageContent"] == f"message {COUNT - 1}"


@pytest.mark.parametrize("size", [1, 7, 60, 61, 100])
def test_before_covers_everything_once(api, talk, size):
    one, other, sent = talk
    messages = api.as_user(one).all_messages(other, page_size=size)
    assert [m["messageId"] for m in messages] == sent


@pytest.mark.parametrize("size", [1, 7, 30, 100])
def test_page_numbers_cover_everything_once(api, talk, size):
    one, other, sent = talk
    collected, number = [], 1
    while True:
        page = api.as_user(one).fetch_messages(other, pageSize=size, pageNumber=number).expect(200)
        assert page["isDeltaUpdate"] is False
        collected += ids_of(page)
        if not page["hasMore"]:
            break
        number += 1
    assert collected == sent[::-1]


def test_before_is_exclusive_and_takes_any_id(api, talk):
    one, other, sent = talk
    mine = api.as_user(one)
    assert ids_of(mine.fetch_messages(other, before=sent[10], pageSize=3).expect(200)) == sent[9:6:-1]
    assert ids_of(mine.fetch_messages(other, before=int(sent[10]) + 1, pageSize=1).expect(200)) == [sent[10]]
    assert ids_of(mine.fetch_messages(other, before=sent[0]).expect(200)) == []
    assert ids_of(mine.fetch_messages(other, before=1).expect(200)) == []
    assert ids_of(mine.fetch_messages(other, before=2**63 - 1, pageSize=2).expect(200)) == sent[:-3:-1]


def test_before_is_stable_while_messages_arrive(api, alice, bob):
    sent = [api.as_user(alice).send(bob, f"{i}").expect(201)["messageId"] for i in range(20)]
    mine = api.as_user(bob)
    collected, before = [], None
    while True:
        page = mine.fetch_messages(alice, pageSize=3, before=before).expect(200)
        collected += ids_of(page)
        if not page["hasMore"]:
            break
        before = collected[-1]
        api.as_user(alice).send(bob, "meanwhile").expect(201)
    assert collected == sent[::-1]


def test_conversation_without_messages_is_empty(api, alice, bob):
    page = api.as_user(alice).fetch_messages(bob).expect(200)
    assert page["messages"] == [] and page["hasMore"] is False


def test_foreign_conversations_do_not_exist(api, talk, alice):
    """Promise 8: other users' conversations are answered exactly like unknown ones."""
    one, other, _ = talk
    answers = [api.as_user(alice).fetch_messages(conversation)
               for conversation in (conversation_id(one.id, other.id), "1-2", conversation_id(one.id, 5))]
    for answer in answers:
        answer.expect(404, code="conversation-not-found")
    details = {answer.json["detail"] for answer in answers}
    assert len(details) == 1


@pytest.mark.parametrize("shape", ["{b}-{a}", "{a}", "{a}-", "-{b}", "{a}-{b}-1", "0{a}-{b}", "{a}-0{b}", "x-y",
                                   "{a}--{b}", "{a}_{b}", "+{a}-{b}", "{a}%00-{b}", "{a}-{b}%20",
                                   "9223372036854775808-{b}"])
def test_malformed_ids(api, talk, shape):
    one, other, _ = talk
    low, high = sorted((int(one.id), int(other.id)))
    me = one if int(one.id) == low else other
    api.as_user(me).fetch_messages(shape.format(a=low, b=high)).expect(400, 404)


@pytest.mark.parametrize("parameter", ["pageSize", "pageNumber", "before", "after", "around", "lastUpdatedTimestamp"])
@pytest.mark.parametrize("value", ["-1", "abc", "1.5", "", "9223372036854775808", "99999999999999999999", "+1", "01x"])
def test_parameters_out_of_range(api, talk, parameter, value):
    one, other, _ = talk
    problem = api.as_user(one).fetch_messages(other, **{parameter: value}).expect(422)
    assert problem["errors"][0]["pointer"] == f"?{parameter}"


@pytest.mark.parametrize("parameter, value", [("pageSize", 0), ("pageSize", 101), ("pageNumber", 0),
                                              ("before", 0), ("after", 0), ("around", 0), ("pageSize", 2**32 + 1)])
def test_limits(api, talk, parameter, value):
    one, other, _ = talk
    api.as_user(one).fetch_messages(other, **{parameter: value}).expect(422)


@pytest.mark.parametrize("size, number", [(50, 21), (100, 11), (1, 1000)])
def test_pages_that_are_too_deep(api, talk, size, number):
    """The database looks at all rows up to a page."""
    one, other, _ = talk
    if size * number > 1000:
        problem = api.as_user(one).fetch_messages(other, pageSize=size, pageNumber=number).expect(422, code="page-too-deep")
        assert "before" in problem["detail"]
        number -= 1
    api.as_user(one).fetch_messages(other, pageSize=size, pageNumber=number).expect(200)


def test_messages_of_others_to_the_peer_change_nothing(api, talk, alice):
    """A user's pages do not change when strangers send to the peer."""
    one, other, sent = talk
    before = api.as_user(one).fetch_messages(other).expect(200)
    api.as_user(alice).send(other, "hello").expect(201)
    assert api.as_user(one).fetch_messages(other).expect(200) == before
    assert ids_of(api.as_user(other).fetch_messages(one).expect(200)) == sent[:-51:-1]
