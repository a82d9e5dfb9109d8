"""Proves fetchMessages with `before`, `after` and `around`: each page and its `hasMoreBefore` and `hasMoreAfter` agree
with a scan of all that the user can see, in 1:1s and groups, with deleted messages and a cleared conversation; a client
can page in both directions from any message; and these pages are cached like others."""

import random

import pytest

from harness.client import conversation_id

PLACES = ("before", "after", "around")


def expected(ids, place, at, size):
    """(ids newest first, hasMoreBefore, hasMoreAfter) of a page, by a scan. ids: of all messages, ascending."""
    if place == "before":
        shown = [i for i in ids if i < at][-size:]
        newer, older = [i for i in ids if i >= at], [i for i in ids if i < at][:-size]
    elif place == "after":
        shown = [i for i in ids if i > at][:size]
        newer, older = [i for i in ids if i > at][size:], [i for i in ids if i <= at]
    else:
        above, below = [i for i in ids if i > at], [i for i in ids if i <= at]
        half = size // 2
        shown = below[-(size - half):] + above[:half]
        newer, older = above[half:], below[:-(size - half)]
    return shown[::-1], bool(older), bool(newer)


def seen(page):
    assert page["isDeltaUpdate"] is False and page["hasMore"] is page["hasMoreBefore"]
    return [int(m["messageId"]) for m in page["messages"]], page["hasMoreBefore"], page["hasMoreAfter"]


def assert_places_agree(api, me, peer, ids, seed, pages=60):
    """Pages at random places of the conversation, in which the user sees `ids`; peer: a User, or a conversation id."""
    drawn = random.Random(seed)
    mine = api.as_user(me)
    contents = {m["messageId"]: m for m in mine.all_messages(peer)}
    assert [int(i) for i in contents] == ids
    for _ in range(pages):
        place, size = drawn.choice(PLACES), drawn.choice((1, 2, 3, 7, 10, 100))
        at = drawn.choice(ids) + drawn.choice((-1, 0, 0, 1)) if ids and drawn.random() < 0.9 else drawn.choice((1, 2, 2**62, 2**63 - 1))
        page = mine.fetch_messages(peer, pageSize=size, **{place: at}).expect(200)
        assert seen(page) == expected(ids, place, at, size), (seed, place, at, size)
        assert page["messages"] == [contents[m["messageId"]] for m in page["messages"]]


@pytest.mark.parametrize("seed", range(3))
def test_random_conversation(api, pair, seed):
    """Messages of both users, some of them edited or deleted; then one user clears the conversation, and more messages
    follow."""
    drawn = random.Random(seed)
    ids = []
    for n in range(drawn.choice((5, 25))):
        sender, recipient = drawn.sample(pair, 2)
        ids.append(int(api.as_user(sender).send(recipient, f"{n}").expect(201)["messageId"]))
        fate = drawn.random()
        if fate < 0.2:
            api.as_user(sender).delete_message(recipient, ids[-1], "everyone").expect(200)
        elif fate < 0.3:
            api.as_user(sender).delete_message(recipient, ids[-1], "me").expect(200)
        elif fate < 0.4:
            api.as_user(sender).edit_message(recipient, ids[-1], "edited").expect(200)
    one, other = pair
    for me in pair:
        api.as_user(me).settled_cursor()
    for me, peer in (pair, pair[::-1]):
        assert_places_agree(api, me, peer, ids, seed)
    api.as_user(one).delete_conversation(other).expect(204)
    assert_places_agree(api, one, other, [], seed, pages=10)
    later = [int(api.as_user(other).send(one, f"{n}").expect(201)["messageId"]) for n in range(4)]
    for me in pair:
        api.as_user(me).settled_cursor()
    assert_places_agree(api, one, other, later, seed)
    for place in PLACES:
        page = api.as_user(one).fetch_messages(other, pageSize=2, **{place: ids[1]}).expect(200)
        assert seen(page) == expected(later, place, ids[1], 2)
    assert_places_agree(api, other, one, ids + later, seed)


def test_group(api, alice, bob):
    """Each member sees their own messages, a former member too, and other users see none."""
    late, eve = api.make_user(), api.make_user()
    group = api.as_user(alice).create_group("Group", [bob]).expect(201)["groupId"]
    for n in range(6):
        api.as_user(alice if n % 2 else bob).send_to(group, f"{n}").expect(201)
    api.as_user(alice).add_group_members(group, late).expect(200)
    for n in range(6):
        api.as_user(alice).send_to(group, f"{n}").expect(201)
    api.as_user(bob).remove_group_member(group, bob).expect(204)
    api.as_user(alice).send_to(group, "last").expect(201)
    for me in (alice, bob, late):
        api.as_user(me).settled_cursor()
        ids = [int(m["messageId"]) for m in api.as_user(me).all_messages(group)]
        assert len(ids) > 6
        assert_places_agree(api, me, group, ids, me.id)
    for place in PLACES:
        api.as_user(eve).fetch_messages(group, **{place: ids[0]}).expect(404, code="conversation-not-found")


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_walk_in_both_directions(api, alice, bob, size):
    """From a message in the middle to both ends, like a client that jumps to a found message."""
    sent = [api.as_user(alice).send(bob, f"{n}").expect(201)["messageId"] for n in range(12)]
    mine = api.as_user(bob)
    first = mine.fetch_messages(alice, around=sent[5], pageSize=size).expect(200)
    ids = [m["messageId"] for m in first["messages"]]
    assert sent[5] in ids
    page = first
    while page["hasMoreAfter"]:
        page = mine.fetch_messages(alice, after=ids[0], pageSize=size).expect(200)
        ids = [m["messageId"] for m in page["messages"]] + ids
    page = first
    while page["hasMoreBefore"]:
        page = mine.fetch_messages(alice, before=ids[-1], pageSize=size).expect(200)
        ids += [m["messageId"] for m in page["messages"]]
    assert ids == sent[::-1]
    newest = mine.fetch_messages(alice, pageSize=size).expect(200)
    assert seen(newest) == ([int(i) for i in sent[::-1][:size]], size < 12, False)


def test_pages_without_has_more_before_and_after(api, alice, bob):
    """Deltas have no hasMoreBefore and hasMoreAfter, nor has a page by its number, which moves with each new message."""
    for n in range(3):
        api.as_user(alice).send(bob, f"{n}").expect(201)
    mine = api.as_user(bob)
    numbered = mine.fetch_messages(alice, pageSize=1, pageNumber=2).expect(200)
    delta = mine.fetch_messages(alice, lastUpdatedTimestamp=mine.settled_cursor()).expect(200)
    assert delta["isDeltaUpdate"] is True
    for page in (numbered, delta):
        assert not {"hasMoreBefore", "hasMoreAfter"} & page.keys()


def test_after_is_stable_while_messages_arrive(api, alice, bob):
    sent = [api.as_user(alice).send(bob, f"{n}").expect(201)["messageId"] for n in range(6)]
    mine = api.as_user(bob)
    for _ in range(3):
        page = mine.fetch_messages(alice, after=sent[1], pageSize=3).expect(200)
        assert [m["messageId"] for m in page["messages"]] == sent[4:1:-1] and page["hasMoreAfter"] is True
        api.as_user(alice).send(bob, "meanwhile").expect(201)
    newest = mine.fetch_messages(alice, pageSize=1).expect(200)["messages"][0]["messageId"]
    for _ in range(2):
        page = mine.fetch_messages(alice, after=newest).expect(200)
        assert seen(page) == ([], True, False)
    came = api.as_user(alice).send(bob, "came").expect(201)["messageId"]
    assert seen(mine.fetch_messages(alice, after=newest).expect(200)) == ([int(came)], True, False)


@pytest.mark.parametrize("place", PLACES)
def test_after_and_around_in_an_empty_or_foreign_conversation(api, alice, bob, place):
    mine = api.as_user(alice)
    assert seen(mine.fetch_messages(bob, **{place: 2**60}).expect(200)) == ([], False, False)
    for conversation in (conversation_id(bob.id, int(bob.id) + 1), conversation_id(alice.id, int(bob.id) + (1 << 20))):
        mine.fetch_messages(conversation, **{place: 2**60}).expect(404, code="conversation-not-found")


@pytest.mark.parametrize("place", PLACES)
def test_pages_are_cached_and_have_an_etag(api, alice, bob, place):
    sent = [api.as_user(alice).send(bob, f"{n}").expect(201)["messageId"] for n in range(5)]
    mine = api.as_user(bob)
    query = {place: sent[2], "pageSize": 2}
    bodies = {mine.fetch_messages(alice, **query).body for _ in range(4)}
    assert len(bodies) == 1
    first = mine.fetch_messages(alice, **query)
    etag = first.headers["etag"]
    assert etag == f'"{first.json["lastUpdatedTimestamp"]}"'
    assert mine.fetch_messages(alice, {"if-none-match": etag}, **query).status == 304
    others = {mine.fetch_messages(alice, pageSize=2, **{other: sent[2]}).body for other in PLACES}
    assert len(others) == 3
    api.as_user(alice).edit_message(bob, sent[2], "changed").expect(200)
    assert mine.fetch_messages(alice, {"if-none-match": etag}, **query).status == 200


@pytest.mark.parametrize("given, pointer", [
    (("before", "after"), "?after"), (("before", "around"), "?around"), (("after", "around"), "?around"),
    (("pageNumber", "before"), "?before"), (("pageNumber", "after"), "?after"), (("pageNumber", "around"), "?around"),
    (("before", "after", "around"), "?after")])
def test_at_most_one_of_before_after_and_around(api, alice, bob, given, pointer):
    problem = api.as_user(alice).fetch_messages(bob, **{name: 1 for name in given}).expect(422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


@pytest.mark.parametrize("place", PLACES)
def test_last_updated_timestamp_is_ignored(api, alice, bob, place):
    sent = [api.as_user(alice).send(bob, f"{n}").expect(201)["messageId"] for n in range(4)]
    mine = api.as_user(bob)
    page = mine.fetch_messages(alice, **{place: sent[1]}).expect(200)
    again = mine.fetch_messages(alice, lastUpdatedTimestamp=page["lastUpdatedTimestamp"], **{place: sent[1]}).expect(200)
    assert again == page
