"""Proves that a page of messages ends at 1 MB, whatever its messages are, and that none is lost by that: history can be
paged through in both directions, and a cursor misses no change."""

import json

import pytest

from harness.client import unique

MB = 1 << 20
# A page is not larger than 1 MB of contents, and what JSON has for each message besides.
PAGE_MAX = MB + 100 * 1000
COUNT = 60
# 20 KB: fits 52 times. The last is written with six bytes for each character.
CONTENTS = {"plain": "x" * 20000, "escaped": "\x01" * 20000, "mixed": "ü\"\n" * 4000}


@pytest.fixture(scope="module", params=CONTENTS)
def talk(request, api):
    """Two users, and the ids of the messages that one sent to the other, oldest first."""
    one, other = (api.make_user(unique("b")) for _ in range(2))
    content = CONTENTS[request.param]
    sent = [api.as_user(one).send(other, content).expect(201)["messageId"] for _ in range(COUNT)]
    return one, other, sent, MB // len(json.dumps(content, ensure_ascii=False).encode())


def ids(page):
    return [message["messageId"] for message in page["messages"]]


def checked(answer):
    assert len(answer.body) <= PAGE_MAX
    return answer.expect(200)


def test_the_newest_page(api, talk):
    one, other, sent, fitting = talk
    page = checked(api.as_user(other).fetch_messages(one, pageSize=100))
    assert ids(page) == sent[::-1][:len(ids(page))]
    assert page["hasMore"] and page["hasMoreBefore"] and not page["hasMoreAfter"]
    assert abs(len(ids(page)) - fitting) <= 2
    small = checked(api.as_user(other).fetch_messages(one, pageSize=2))
    assert ids(small) == sent[:-3:-1] and small["hasMore"]


def test_before_gets_each_message_once(api, talk):
    one, other, sent, _ = talk
    found, before = [], None
    while True:
        page = checked(api.as_user(other).fetch_messages(one, pageSize=100, before=before))
        found += ids(page)
        if not page["hasMoreBefore"]:
            break
        before = found[-1]
    assert found == sent[::-1]


def test_after_gets_each_message_once(api, talk):
    one, other, sent, _ = talk
    found = [sent[0]]
    while True:
        page = checked(api.as_user(other).fetch_messages(one, pageSize=100, after=found[-1]))
        found += ids(page)[::-1]
        if not page["hasMoreAfter"]:
            break
    assert found == sent


def test_around_has_both_sides(api, talk):
    one, other, sent, fitting = talk
    at = COUNT // 2
    page = checked(api.as_user(other).fetch_messages(one, pageSize=100, around=sent[at]))
    shown = ids(page)[::-1]
    first = sent.index(shown[0])
    assert shown == sent[first:first + len(shown)]
    assert abs(at - first - min(fitting // 2, at)) <= 2 and abs(first + len(shown) - 1 - at - min(fitting // 2, COUNT - at - 1)) <= 2
    assert page["hasMoreBefore"] == (first > 0) and page["hasMoreAfter"] == (shown[-1] != sent[-1])


def test_changes_that_do_not_fit_are_the_newest_page(api, talk):
    one, other, sent, _ = talk
    mine = api.as_user(other)
    single = mine.fetch_message(one, sent[0]).expect(200)
    newest = checked(mine.fetch_messages(one, pageSize=100))
    page = checked(mine.fetch_messages(one, pageSize=100, lastUpdatedTimestamp=single["lastUpdatedTimestamp"]))
    assert page["isDeltaUpdate"] is False and page == newest
    late = mine.fetch_message(one, sent[-3]).expect(200)
    delta = checked(mine.fetch_messages(one, pageSize=100, lastUpdatedTimestamp=late["lastUpdatedTimestamp"]))
    assert delta["isDeltaUpdate"] is True and ids(delta) == sent[:-3:-1] and not delta["hasMore"]


def test_updates_miss_nothing(api, talk):
    _, other, sent, _ = talk
    messages, cursor, pages = api.as_user(other).all_updates()
    assert [message["messageId"] for message in messages] == sent
    assert pages > 10, "a long-poll's answer is at most as large as a stream's queue"
    assert api.as_user(other).all_updates(since=cursor)[0] == []


def test_updates_that_replace_the_view_reach_the_newest(api, talk):
    _, other, sent, _ = talk
    delta = api.as_user(other).fetch_updates(lastUpdatedTimestamp=2**53 - 1, timeout=0, pageSize=100).expect(200)
    assert delta["isDeltaUpdate"] is False
    assert [message["messageId"] for message in delta["messages"]] == sent[-len(delta["messages"]):]


def test_an_export_has_all(api, talk):
    _, other, sent, _ = talk
    lines = [json.loads(line) for line in api.as_user(other).export_me().body.splitlines()]
    assert [line["message"]["messageId"] for line in lines if line["type"] == "message"] == sent
    assert lines[-1]["type"] == "end"
