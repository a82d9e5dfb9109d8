"""Proves that each checker finds the violations that it looks for, and finds none in a correct history. A checker that
cannot fail proves nothing."""

import pytest

from harness import checkers

A, B = "100", "200"


def message(number, sender=A, client=None, content=None, version=None):
    return {"messageId": str(number), "conversationId": f"{A}-{B}", "senderId": sender, "participants": [A, B],
            "messageContent": content or f"content {number}", "clientMessageId": client or f"c{number}",
            "sentTimestamp": number // 2, "lastUpdatedTimestamp": version or number}


def sound():
    """(sends, mailboxes) of three acknowledged messages from A to B."""
    sends = []
    for number in (10, 20, 30):
        send = checkers.Send(A, B, f"c{number}", f"content {number}")
        send.answers.append({"messageId": str(number)})
        sends.append(send)
    return sends, {A: [message(n) for n in (10, 20, 30)], B: [message(n) for n in (10, 20, 30)]}


def all_checks(sends, mailboxes):
    return (checkers.total_queue(sends, mailboxes) + checkers.recipient_first(mailboxes)
            + checkers.exactly_once(sends, mailboxes) + checkers.acknowledged_order(sends, mailboxes)
            + checkers.mirrored(mailboxes) + checkers.offset_agreement({"one": mailboxes[A], "two": mailboxes[A]}))


def test_sound_history():
    assert all_checks(*sound()) == []


def test_unacknowledged_may_be_lost_or_there():
    sends, mailboxes = sound()
    sends[2].answers.clear()
    assert all_checks(sends, mailboxes) == []
    for messages in mailboxes.values():
        messages.pop()
    assert all_checks(sends, mailboxes) == []


@pytest.mark.parametrize("user", [A, B])
def test_lost(user):
    sends, mailboxes = sound()
    mailboxes[user].pop(1)
    assert [v for v in checkers.total_queue(sends, mailboxes) if v.startswith("lost")]
    assert checkers.mirrored(mailboxes)


def test_unexpected_and_altered():
    sends, mailboxes = sound()
    mailboxes[B].append(message(40))
    assert [v for v in checkers.total_queue(sends, mailboxes) if v.startswith("unexpected")]
    sends, mailboxes = sound()
    mailboxes[B][0] = message(10, content="other")
    assert [v for v in checkers.total_queue(sends, mailboxes) if v.startswith("altered")]
    assert checkers.mirrored(mailboxes)


def test_recipient_lacks_it():
    sends, mailboxes = sound()
    mailboxes[B].pop()
    assert checkers.recipient_first(mailboxes)
    sends, mailboxes = sound()
    mailboxes[A].pop()
    assert not checkers.recipient_first(mailboxes), "the sender's copy may be late, the recipient's may not"


def test_doubled():
    sends, mailboxes = sound()
    mailboxes[B].append(message(31, client="c30", content="content 30"))
    assert checkers.exactly_once(sends, mailboxes)
    sends, mailboxes = sound()
    sends[0].answers.append({"messageId": "11"})
    assert checkers.exactly_once(sends, mailboxes)
    sends, mailboxes = sound()
    mailboxes[B].append(message(30, client="other"))
    assert checkers.exactly_once(sends, mailboxes)


def test_out_of_order():
    sends, mailboxes = sound()
    sends[0], sends[1] = sends[1], sends[0]
    assert checkers.acknowledged_order(sends, mailboxes)
    sends, mailboxes = sound()
    mailboxes[B].reverse()
    assert checkers.acknowledged_order(sends, mailboxes)
    assert checkers.mirrored(mailboxes)


@pytest.mark.parametrize("change", [lambda v: v.pop(), lambda v: v.append(message(30)), lambda v: v.reverse(),
                                    lambda v: v.__setitem__(0, message(10, version=9)),
                                    lambda v: v.append(message(40))])
def test_readers_disagree(change):
    _, mailboxes = sound()
    view = list(mailboxes[A])
    change(view)
    assert checkers.offset_agreement({"one": mailboxes[A], "two": view})
