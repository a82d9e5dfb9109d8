"""Proves the rules for cursors of fetchConversation, fetchMessages and fetchUpdates: T absent, 0, current, a few changes
back, more than a page back, above the version and older than the tombstone horizon."""

import pytest


@pytest.fixture
def talk(api, alice, bob):
    for i in range(5):
        api.as_user(alice).send(bob, f"old {i}").expect(201)
    return alice, bob


FETCHES = {
    "conversations": lambda api, peer, **query: api.fetch_conversation(**query),
    "messages": lambda api, peer, **query: api.fetch_messages(peer, **query),
}


@pytest.fixture(params=FETCHES)
def fetch(request, api, talk):
    """fetch(**query) by bob, of the list under test; and a function that changes one more row of it."""
    alice, bob = talk
    kind = request.param

    def get(**query):
        return FETCHES[kind](api.as_user(bob), alice, **query).expect(200)

    def change(text):
        sender = alice if kind == "messages" else api.make_user()
        return api.as_user(sender).send(bob, text).expect(201)

    return kind, get, change


def keys(page):
    return [row.get("messageId", row.get("lastMessageId"))
            for row in page.get("messages", page.get("conversations"))]


def test_absent_and_zero_are_the_newest_page(fetch):
    _, get, _ = fetch
    assert get() == get(lastUpdatedTimestamp=0)
    assert get()["isDeltaUpdate"] is False


def test_current_cursor_gives_an_empty_delta(fetch):
    kind, get, _ = fetch
    now = get()["lastUpdatedTimestamp"]
    page = get(lastUpdatedTimestamp=now)
    assert page == {kind: [], "isDeltaUpdate": True, "lastUpdatedTimestamp": now, "hasMore": False}


def test_delta_has_only_the_changes(fetch):
    _, get, change = fetch
    since = get()["lastUpdatedTimestamp"]
    expected = [change(f"new {i}")["messageId"] for i in range(3)]
    page = get(lastUpdatedTimestamp=since)
    assert page["isDeltaUpdate"] is True and page["hasMore"] is False
    assert keys(page) == expected[::-1], "a delta has the newest first too"
    assert page["lastUpdatedTimestamp"] > since
    assert get(lastUpdatedTimestamp=page["lastUpdatedTimestamp"])["isDeltaUpdate"] is True
    assert keys(get(lastUpdatedTimestamp=page["lastUpdatedTimestamp"])) == []


@pytest.mark.parametrize("changes, is_delta", [(2, True), (3, True), (4, False)])
def test_more_than_a_page_of_changes_replaces_the_view(fetch, changes, is_delta):
    _, get, change = fetch
    since = get()["lastUpdatedTimestamp"]
    expected = [change(f"new {i}")["messageId"] for i in range(changes)][::-1]
    page = get(lastUpdatedTimestamp=since, pageSize=3)
    assert page["isDeltaUpdate"] is is_delta
    assert keys(page) == (expected if is_delta else expected[:3])
    if not is_delta:
        assert page == get(pageSize=3)


@pytest.mark.parametrize("ahead", [1, 1_000_000, 10**14])
def test_cursor_above_the_version_replaces_the_view(fetch, ahead):
    _, get, _ = fetch
    newest = get()
    page = get(lastUpdatedTimestamp=min(newest["lastUpdatedTimestamp"] + ahead, 2**53 - 1))
    assert page == newest and page["isDeltaUpdate"] is False


def set_horizon(stack, user, horizon):
    stack.query(stack.database_of(user.id),
                f"UPDATE {stack.schema_of(user.id)}.mailbox SET tombstone_horizon = %s WHERE user_id = %s",
                (horizon, user.id))


def test_cursor_before_the_horizon_replaces_the_view(fetch, stack, talk):
    _, get, change = fetch
    since = get()["lastUpdatedTimestamp"]
    change("new")
    set_horizon(stack, talk[1], since + 1)
    page = get(lastUpdatedTimestamp=since)
    assert page["isDeltaUpdate"] is False and page == get()
    set_horizon(stack, talk[1], since)
    assert get(lastUpdatedTimestamp=since)["isDeltaUpdate"] is True, "a delta from the horizon is complete"


def test_page_number_above_one_is_history(fetch):
    _, get, change = fetch
    since = get()["lastUpdatedTimestamp"]
    change("new")
    page = get(lastUpdatedTimestamp=since, pageNumber=2, pageSize=1)
    assert page["isDeltaUpdate"] is False and page == get(pageNumber=2, pageSize=1)


def test_before_is_history(api, talk):
    alice, bob = talk
    mine = api.as_user(bob)
    newest = mine.fetch_messages(alice).expect(200)
    before = newest["messages"][0]["messageId"]
    page = mine.fetch_messages(alice, before=before,
                               lastUpdatedTimestamp=newest["lastUpdatedTimestamp"]).expect(200)
    assert page["isDeltaUpdate"] is False and len(page["messages"]) == 4


def test_other_conversations_are_not_in_a_conversations_delta(api, talk):
    alice, bob = talk
    mine = api.as_user(bob)
    since = mine.fetch_messages(alice).expect(200)["lastUpdatedTimestamp"]
    api.as_user(api.make_user()).send(bob, "from somebody else").expect(201)
    page = mine.fetch_messages(alice, lastUpdatedTimestamp=since).expect(200)
    assert page["messages"] == [] and page["isDeltaUpdate"] is True
    assert page["lastUpdatedTimestamp"] > since


def test_own_sends_are_changes(api, talk):
    alice, bob = talk
    mine = api.as_user(bob)
    since = mine.fetch_conversation().expect(200)["lastUpdatedTimestamp"]
    sent = mine.send(alice, "from bob").expect(201)
    assert keys(mine.fetch_messages(alice, lastUpdatedTimestamp=since).expect(200)) == [sent["messageId"]]
    assert keys(mine.fetch_conversation(lastUpdatedTimestamp=since).expect(200)) == [sent["messageId"]]


@pytest.mark.parametrize("age_s", [0, 5, 20, 86400])
def test_changed_rows_of_old_messages_are_in_the_delta(api, stack, talk, age_s):
    """A row whose version rises long after its time, as by an edit or a late copy, is a change like any other. SQL makes
    such a message."""
    alice, bob = talk
    mine = api.as_user(bob)
    page = mine.fetch_messages(alice).expect(200)
    since, oldest = page["lastUpdatedTimestamp"], int(page["messages"][-1]["messageId"])
    aged = oldest - 2_000_000 * age_s
    schema = stack.schema_of(bob.id)
    stack.query(stack.database_of(bob.id), f"""
        UPDATE {schema}.mailbox SET previous_version = version, version = %(version)s WHERE user_id = %(me)s;
        UPDATE {schema}.message SET version = %(version)s, message_id = %(aged)s
        WHERE user_id = %(me)s AND peer_id = %(peer)s AND message_id = %(id)s""",
                {"version": since + 5, "me": bob.id, "peer": alice.id, "id": oldest, "aged": aged})
    delta = mine.fetch_messages(alice, lastUpdatedTimestamp=since).expect(200)
    assert delta["isDeltaUpdate"] is True and keys(delta) == [str(aged)]
    assert delta["lastUpdatedTimestamp"] == since + 5
    update = mine.fetch_updates(lastUpdatedTimestamp=since, timeout=0).expect(200)
    assert keys(update) == [str(aged)]


# fetchUpdates

def test_updates_from_the_beginning(api, talk):
    alice, bob = talk
    delta = api.as_user(bob).fetch_updates(lastUpdatedTimestamp=0, timeout=0).expect(200)
    assert [m["messageContent"] for m in delta["messages"]] == [f"old {i}" for i in range(5)]
    assert len(delta["conversations"]) == 1 and delta["hasMore"] is False


def test_updates_from_now(api, talk):
    alice, bob = talk
    mine = api.as_user(bob)
    delta = mine.fetch_updates(timeout=0).expect(200)
    assert delta["messages"] == [] and delta["conversations"] == []
    assert delta["isDeltaUpdate"] is True and delta["hasMore"] is False
    assert delta["lastUpdatedTimestamp"] == mine.fetch_conversation().expect(200)["lastUpdatedTimestamp"]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_updates_by_pages(api, talk, size):
    alice, bob = talk
    for i in range(4):
        api.as_user(api.make_user()).send(bob, f"other {i}").expect(201)
    messages, cursor, pages = api.as_user(bob).all_updates(0, size)
    assert [m["messageContent"] for m in messages] == [f"old {i}" for i in range(5)] + \
        [f"other {i}" for i in range(4)]
    versions = [m["lastUpdatedTimestamp"] for m in messages]
    assert versions == sorted(set(versions)) and versions[-1] <= cursor
    if size == 1:
        assert pages >= 9


def test_conversations_by_pages_end_in_the_final_state(api, talk):
    """Merging the conversations of all pages gives the list itself."""
    alice, bob = talk
    for i in range(7):
        api.as_user(api.make_user()).send(bob, f"other {i}").expect(201)
    mine, merged, since = api.as_user(bob), {}, 0
    while True:
        delta = mine.fetch_updates(lastUpdatedTimestamp=since, pageSize=2, timeout=0).expect(200)
        versions = [c["lastUpdatedTimestamp"] for c in delta["conversations"]]
        assert versions == sorted(versions)
        merged.update({c["conversationId"]: c for c in delta["conversations"]})
        since = delta["lastUpdatedTimestamp"]
        if not delta["hasMore"]:
            break
    listed = mine.fetch_conversation(pageSize=100).expect(200)["conversations"]
    assert merged == {c["conversationId"]: c for c in listed}


@pytest.mark.parametrize("case", ["future", "horizon"])
def test_updates_begin_again_with_a_first_page(api, stack, talk, case):
    """If no delta can be given for a cursor, the first page replaces the view, and the next pages are deltas again."""
    alice, bob = talk
    mine = api.as_user(bob)
    version = mine.fetch_conversation().expect(200)["lastUpdatedTimestamp"]
    if case == "horizon":
        set_horizon(stack, bob, version)
    since = version + 10**9 if case == "future" else version - 1
    delta = mine.fetch_updates(lastUpdatedTimestamp=since, pageSize=3, timeout=30).expect(200)
    assert delta["isDeltaUpdate"] is False and delta["hasMore"] is False
    assert [m["messageContent"] for m in delta["messages"]] == ["old 2", "old 3", "old 4"]
    assert len(delta["conversations"]) == 1 and delta["lastUpdatedTimestamp"] == version
    sent = api.as_user(alice).send(bob, "next").expect(201)
    following = mine.fetch_updates(lastUpdatedTimestamp=version, timeout=0).expect(200)
    assert keys(following) == [sent["messageId"]] and following["isDeltaUpdate"] is True


@pytest.mark.parametrize("parameter, value", [("pageSize", 0), ("pageSize", 101), ("pageSize", "x"), ("timeout", -1),
                                              ("timeout", 61), ("timeout", "1.5"), ("timeout", ""),
                                              ("lastUpdatedTimestamp", -1), ("lastUpdatedTimestamp", "now"),
                                              ("lastUpdatedTimestamp", 2**53), ("lastUpdatedTimestamp", 2**63)])
def test_updates_parameters_out_of_range(api, alice, parameter, value):
    problem = api.as_user(alice).fetch_updates(**{"timeout": 0, parameter: value}).expect(422)
    assert problem["errors"][0]["pointer"] == f"?{parameter}"
