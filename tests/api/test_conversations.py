"""Proves fetchConversation: order, paging, the fields of a row, and that only the owner can read a list."""

import pytest

from harness.client import conversation_id

PEERS = 25


@pytest.fixture(scope="module")
def mailbox(api):
    """One user with 25 peers, the newest last; peer 0 has the newest message again."""
    me = api.make_user()
    peers = [api.make_user() for _ in range(PEERS)]
    for i, peer in enumerate(peers):
        api.as_user(peer if i % 2 else me).send(me if i % 2 else peer, f"from {i}").expect(201)
    api.as_user(peers[0]).send(me, "again").expect(201)
    newest_first = [peers[0], *peers[:0:-1]]
    return me, [conversation_id(me.id, peer.id) for peer in newest_first]


def ids_of(page):
    return [c["conversationId"] for c in page["conversations"]]


def test_empty_list(api, alice):
    page = api.as_user(alice).fetch_conversation().expect(200)
    assert page["conversations"] == [] and page["isDeltaUpdate"] is False and page["hasMore"] is False
    assert page["lastUpdatedTimestamp"] > 0


def test_newest_first_and_default_size(api, mailbox):
    me, expected = mailbox
    page = api.as_user(me).fetch_conversation().expect(200)
    assert ids_of(page) == expected[:20]
    assert page["hasMore"] is True and page["isDeltaUpdate"] is False
    stamps = [c["lastMessageTimestamp"] for c in page["conversations"]]
    assert stamps == sorted(stamps, reverse=True)
    assert page["conversations"][0]["snippet"] == "again"
    versions = [c["lastUpdatedTimestamp"] for c in page["conversations"]]
    assert max(versions) == page["lastUpdatedTimestamp"], "the newest row's version is the mailbox's"


@pytest.mark.parametrize("size", [1, 7, 25, 26, 100])
def test_pages_cover_everything_once(api, mailbox, size):
    me, expected = mailbox
    collected, number = [], 1
    while True:
        page = api.as_user(me).fetch_conversation(pageSize=size, pageNumber=number).expect(200)
        assert page["isDeltaUpdate"] is False and len(page["conversations"]) <= size
        collected += ids_of(page)
        if not page["hasMore"]:
            break
        assert len(page["conversations"]) == size
        number += 1
    assert collected == expected


def test_page_after_the_last(api, mailbox):
    for number in (3, 50):
        page = api.as_user(mailbox[0]).fetch_conversation(pageNumber=number).expect(200)
        assert page["conversations"] == [] and page["hasMore"] is False


@pytest.mark.parametrize("parameter", ["pageSize", "pageNumber", "lastUpdatedTimestamp"])
@pytest.mark.parametrize("value", ["-1", "abc", "1.5", "1e2", " 1", "+1", "0x10", "99999999999999999999999", "",
                                   "9223372036854775808", "-9223372036854775809", "1;drop", "٣", "9007199254740992"])
def test_parameters_out_of_range(api, alice, parameter, value):
    problem = api.as_user(alice).fetch_conversation(**{parameter: value}).expect(422)
    assert problem["errors"][0]["pointer"] == f"?{parameter}"


@pytest.mark.parametrize("parameter, value", [("pageSize", 0), ("pageSize", 101), ("pageNumber", 0),
                                              ("pageNumber", 1001), ("pageSize", 2**31), ("pageSize", 2**32 + 1)])
def test_limits(api, alice, parameter, value):
    api.as_user(alice).fetch_conversation(**{parameter: value}).expect(422)


@pytest.mark.parametrize("size, number", [(20, 51), (100, 11), (1, 1000), (7, 143)])
def test_pages_that_are_too_deep(api, alice, size, number):
    """The database looks at all rows up to a page."""
    if size * number > 1000:
        api.as_user(alice).fetch_conversation(pageSize=size, pageNumber=number).expect(422, code="page-too-deep")
        number -= 1
    api.as_user(alice).fetch_conversation(pageSize=size, pageNumber=number).expect(200)


@pytest.mark.parametrize("size", [1, 7, 24, 25, 26, 100])
def test_cursors_cover_everything_once(api, mailbox, size):
    me, expected = mailbox
    collected, cursor = [], None
    while True:
        page = api.as_user(me).fetch_conversation(pageSize=size, cursor=cursor).expect(200)
        assert page["isDeltaUpdate"] is False and len(page["conversations"]) <= size
        collected += ids_of(page)
        assert page["hasMore"] == ("nextCursor" in page)
        if not page["hasMore"]:
            break
        cursor = page["nextCursor"]
    assert collected == expected


def test_a_cursor_stays_while_messages_arrive(api):
    """A conversation that moves up is on no further page; all others are, each once."""
    me = api.make_user()
    peers = [api.make_user() for _ in range(9)]
    for peer in peers:
        api.as_user(peer).send(me, "hello").expect(201)
    mine = api.as_user(me)
    expected = [conversation_id(me.id, peer.id) for peer in peers[::-1]]
    first = mine.fetch_conversation(pageSize=3).expect(200)
    assert ids_of(first) == expected[:3]
    api.as_user(peers[0]).send(me, "I move up").expect(201)  # the last in the list
    api.as_user(peers[7]).send(me, "so do I").expect(201)  # the second
    second = mine.fetch_conversation(pageSize=3, cursor=first["nextCursor"]).expect(200)
    api.as_user(peers[2]).send(me, "and I").expect(201)  # the last but two
    third = mine.fetch_conversation(pageSize=3, cursor=second["nextCursor"], lastUpdatedTimestamp=10**15).expect(200)
    assert ids_of(second) == expected[3:6] and ids_of(third) == [expected[7]]
    assert "nextCursor" not in third and not third["hasMore"]


def test_a_page_by_its_number_has_a_cursor_too(api, mailbox):
    me, expected = mailbox
    mine = api.as_user(me)
    page = mine.fetch_conversation(pageSize=4, pageNumber=2).expect(200)
    assert ids_of(mine.fetch_conversation(pageSize=5, cursor=page["nextCursor"]).expect(200)) == expected[8:13]
    delta = mine.fetch_conversation(lastUpdatedTimestamp=mine.settled_cursor()).expect(200)
    assert delta["isDeltaUpdate"] is True and "nextCursor" not in delta


@pytest.mark.parametrize("cursor", ["", "1", ".", "1.", ".1", "0.1", "1.0", "-1.1", "1.2.3", "x.y", "1 .1", "9223372036854775808.1"])
def test_what_is_no_cursor(api, alice, cursor):
    problem = api.as_user(alice).fetch_conversation(cursor=cursor).expect(422)
    assert problem["errors"][0]["pointer"] == "?cursor"


def test_a_cursor_or_a_number(api, mailbox):
    mine = api.as_user(mailbox[0])
    cursor = mine.fetch_conversation(pageSize=1).expect(200)["nextCursor"]
    problem = mine.fetch_conversation(pageNumber=2, cursor=cursor).expect(422)
    assert problem["errors"][0]["pointer"] == "?cursor"


def test_a_page_after_a_cursor_is_cached(api, mailbox):
    mine = api.as_user(mailbox[0])
    cursor = mine.fetch_conversation(pageSize=2).expect(200)["nextCursor"]
    first = mine.fetch_conversation(pageSize=2, cursor=cursor)
    assert mine.fetch_conversation(pageSize=2, cursor=cursor).body == first.body
    assert mine.fetch_conversation({"if-none-match": first.headers["etag"]}, pageSize=2, cursor=cursor).status == 304


def test_own_messages_are_read_and_others_are_not(api, alice, bob):
    for i in range(3):
        api.as_user(alice).send(bob, f"a{i}").expect(201)
    api.as_user(bob).send(alice, "b").expect(201)
    (hers,) = api.as_user(alice).fetch_conversation().expect(200)["conversations"]
    (his,) = api.as_user(bob).fetch_conversation().expect(200)["conversations"]
    assert hers["unreadCount"] == 1
    assert his["unreadCount"] == 3
    assert hers["conversationId"] == his["conversationId"] and hers["lastMessageId"] == his["lastMessageId"]
