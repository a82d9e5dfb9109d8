"""Proves that no message is lost or doubled if the pooler is restarted or killed, or its connections are cut, while sends
are in flight; and that service is back within seconds."""

import threading
import time

import pytest

from harness import checkers
from harness.client import Api
from harness.stack import SLOWNESS, wait_until
from steps import stored, wait_for_copy, wait_for_empty_outbox

SENDS = 60


def restart(stack, server, way):
    if way == "stop":
        stack.stop_service("pgbouncer")
        time.sleep(0.3)
    elif way == "kill":
        stack.kill("pgbouncer")
    elif way == "backends":
        for name in stack.databases:
            stack.query(name, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'parley_server'")
    else:
        for proxy in server.proxies.values():
            proxy.cut()
    stack.start_service("pgbouncer")


@pytest.mark.parametrize("way", ["stop", "kill", "cut", "backends"])
def test_restart_under_load(api, stack, server, contract, pair, way):
    """Four senders send, each with retries until it gets a 2xx, while the pooler is restarted twice."""
    one, other = pair
    third, fourth = api.make_user(), api.make_user()
    routes = [(one, other), (other, one), (third, one), (fourth, other)]
    history, failures, lock = [], [], threading.Lock()

    def run(sender, recipient):
        mine = Api(server.url, contract, stack.jwt_key).as_user(sender)
        for i in range(SENDS):
            send = checkers.Send(sender.id, recipient.id, f"c{i}", f"{sender.id} {i}")
            deadline = time.monotonic() + 30 * SLOWNESS
            while not send.answers:
                answer = mine.send(recipient, send.content, send.client_message_id)
                send.attempts += 1
                if answer.status in (200, 201):
                    send.answers.append(answer.json)
                elif answer.status != 503 or time.monotonic() > deadline:
                    failures.append(answer)
                    return
                else:
                    time.sleep(0.05)
            with lock:
                history.append(send)
            time.sleep(0.01)
        mine.close()

    threads = [threading.Thread(target=run, args=route) for route in routes]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.3)
        restart(stack, server, way)
    for thread in threads:
        thread.join()
    assert not failures, failures
    for sender, recipient in routes:
        wait_for_copy(stack, sender, recipient, len([s for s in history if {s.sender, s.recipient}
                                                     == {sender.id, recipient.id}]))
    wait_for_empty_outbox(stack)
    mailboxes = {}
    for user in (one, other, third, fourth):
        mailboxes[user.id] = [m for sender, recipient in routes[:1] + routes[2:] if user in (sender, recipient)
                              for m in api.as_user(user).all_messages(recipient if user is sender else sender)]
    for check in (checkers.total_queue(history, mailboxes), checkers.exactly_once(history, mailboxes),
                  checkers.recipient_first(mailboxes), checkers.acknowledged_order(history, mailboxes),
                  checkers.mirrored(mailboxes)):
        assert not check, check[:10]


def test_back_within_seconds(api, stack, far_pair):
    """How long sends fail if the pooler is away for one second."""
    sender, recipient = far_pair
    api.as_user(sender).send(recipient, "warm").expect(201)
    stack.kill("pgbouncer")
    time.sleep(1)
    stack.start_service("pgbouncer")
    start = time.monotonic()
    wait_until(lambda: api.as_user(sender).send(recipient, "x", "c").status in (200, 201), 5 * SLOWNESS,
               "a 2xx after the pooler's return")
    print(f"back {time.monotonic() - start:.2f} s after the pooler")
    assert len(stored(stack, recipient, sender)) == 2
