"""A random run: senders that retry until they have an answer, readers of every kind, and a nemesis that kills processes
and cuts connections at random. At the end the whole history is checked. The seed decides every choice, so a run can be
repeated; but not the timing of processes, and so not every interleaving.
"""

import asyncio
import json
import random
import signal
import time

from harness import checkers
from harness.client import Api, unique
from harness.h2conn import H2Connection
from harness.ids import username_shard
from harness.readers import KINDS, LOST, post
from harness.stack import SLOWNESS, Parleyd, wait_until
from steps import wait_for_empty_outbox

HEARTBEAT = {"push": {"heartbeat": 1}}
USERS = 6


class Sender:
    """Sends one message at a time to a random other user, through a random server, until it has a
    2xx; then reads it back through a random server (promise 6)."""

    def __init__(self, run, user, seed):
        self.run, self.user, self.random = run, user, random.Random(seed)
        self.history, self.violations = [], []
        self.connections = {}

    async def connection(self, server):
        found = self.connections.get(server)
        if found is None or found.closed:
            found = self.connections[server] = await H2Connection.open(server.url)
        return found

    async def call(self, method, target, start):
        """One attempt on a random server. Returns (status, value), or (None, None) if the connection broke."""
        server = self.random.choice(self.run.servers)
        try:
            connection = await self.connection(server)
            response = await start(connection).response(20 * SLOWNESS)
        except LOST:
            broken = self.connections.pop(server, None)
            if broken is not None:
                await broken.close()
            await asyncio.sleep(0.05)
            return None, None
        value = self.run.contract.check(method, target, response.status, response.headers, response.body)
        return response.status, value

    async def work(self, stop):
        number = 0
        while not stop.is_set():
            peer = self.random.choice([u for u in self.run.users if u is not self.user])
            send = checkers.Send(self.user.id, peer.id, f"c{number}", f"{self.user.id} to {peer.id}: {number}")
            number += 1
            repeats = 2 if self.random.random() < 0.1 else 1
            while len(send.answers) < repeats:
                send.attempts += 1
                status, value = await self.call("POST", "/v1/messages", lambda c, s=send: post(
                    c, self.user, s.recipient, s.content, s.client_message_id))
                if status in (200, 201):
                    send.answers.append(value)
                elif status is not None and status not in (429, 503):
                    self.violations.append(f"{send.key} was answered {status}: {value}")
                    break
                elif stop.is_set() and time.monotonic() > self.run.give_up:
                    break
                elif status is not None:
                    await asyncio.sleep(0.05)
            self.history.append(send)
            if send.answers and self.random.random() < 0.3:
                await self.read_back(send)
            await asyncio.sleep(self.random.random() * 0.02)
        for connection in self.connections.values():
            await connection.close()

    async def read_back(self, send):
        if send.answers[-1]["senderCopy"] == "pending":
            return
        low, high = sorted((send.sender, send.recipient), key=int)
        target = f"/v1/conversations/{low}-{high}/messages?pageSize=100"
        headers = [("authorization", f"Bearer {self.user.token}")]
        status, value = await self.call("GET", target, lambda c: c.start("GET", target, headers))
        if status == 200:
            wanted = send.answers[-1]["messageId"]
            if wanted not in [m["messageId"] for m in value["messages"]]:
                # The message is among the newest hundred: fewer messages than that can have come in between.
                self.violations.append(f"{send.key}: {wanted} is not in the sender's next read")
        elif status not in (None, 429, 503):
            self.violations.append(f"read back answered {status}: {value}")


class Nemesis:
    """Causes one fault after the other, and ends each before the next. One of them is load on the machine."""

    AT_LEAST = 5

    FAULTS = ("kill parleyd", "kill parleyd", "stop parleyd", "kill postgresql", "immediate postgresql",
              "kill pgbouncer", "stop pgbouncer", "cut", "mute", "stall", "refuse one")

    def __init__(self, run, seed):
        self.run, self.random = run, random.Random(seed)
        self.log = []

    async def work(self, stop):
        while not stop.is_set() or len(self.log) < self.AT_LEAST:
            await asyncio.sleep(0.3 + self.random.random() * 1.7)
            fault = self.random.choice(self.FAULTS)
            server = self.random.choice(self.run.servers)
            pause = self.random.random() * 1.2
            self.log.append(fault)
            print(f"{time.monotonic() - self.run.started:7.2f} {fault}", flush=True)
            await asyncio.to_thread(self.inflict, fault, server, pause)

    def inflict(self, fault, server, pause):
        stack = self.run.stack
        verb, what = fault.split()[0], fault.split()[-1]
        if what == "parleyd":
            if verb == "kill":
                server.kill()
            else:
                server.terminate(15)
            time.sleep(pause)
            server.start(60)
        elif what in ("postgresql", "pgbouncer"):
            if verb == "stop":
                stack.stop_service(what)
            else:
                stack.kill(what, signal.SIGQUIT if verb == "immediate" else signal.SIGKILL)
            time.sleep(pause)
            stack.start_service(what)
        elif fault == "cut":
            for proxy in (*server.proxies.values(), *server.direct_proxies.values()):
                proxy.cut()
        else:
            server.set_proxies(verb, [self.random.choice(stack.databases)] if what == "one" else None)
            time.sleep(pause)
            server.set_proxies("refuse")
            server.set_proxies("pass")


class Run:
    def __init__(self, stack, contract, seed, servers=2, readers=True):
        self.stack, self.contract, self.seed = stack, contract, seed
        self.random = random.Random(seed)
        self.servers = [Parleyd(stack, HEARTBEAT, proxied=True).start() for _ in range(servers)]
        self.with_readers = readers
        self.give_up = self.started = 0
        api = Api(self.servers[0].url, contract, stack.jwt_key)
        self.users = [self.make_user(api, i) for i in range(USERS)]
        api.close()

    def make_user(self, api, i):
        """Makes users in all databases, two of them in one shard."""
        placed = self.stack.shards_by_database()
        shards = placed[sorted(placed)[i % 2]]
        shard = shards[0] if i < 4 else self.random.choice(shards)
        name = unique("n")
        while username_shard(name, self.stack.shards) != shard:
            name = unique("n")
        return api.make_user(name)

    async def main(self, seconds):
        stop, faults_over = asyncio.Event(), asyncio.Event()
        senders = [Sender(self, user, self.random.random()) for user in self.users for _ in range(1)]
        readers = [cls(f"{kind} of {user.id}", self.random.choice(self.servers).url, user, self.contract,
                       random.Random(self.random.random()))
                   for user in self.users[:3] for kind, cls in KINDS.items()] if self.with_readers else []
        nemesis = Nemesis(self, self.random.random())
        self.started = time.monotonic()
        inflicting = asyncio.ensure_future(nemesis.work(faults_over))
        sending = [asyncio.ensure_future(sender.work(stop)) for sender in senders]
        reading_stop = asyncio.Event()
        reading = [asyncio.ensure_future(reader.run(reading_stop)) for reader in readers]
        done, _ = await asyncio.wait([inflicting, *sending, *reading], timeout=seconds,
                                     return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        faults_over.set()
        await inflicting
        await asyncio.sleep(1)
        self.give_up = time.monotonic() + 30 * SLOWNESS
        stop.set()
        await asyncio.gather(*sending)
        await asyncio.to_thread(wait_for_empty_outbox, self.stack, 10)
        reading_stop.set()
        await asyncio.wait_for(asyncio.gather(*reading), 60 * SLOWNESS)
        return senders, readers, nemesis

    def execute(self, seconds):
        """Returns the violations, empty if every promise held."""
        senders, readers, nemesis = asyncio.run(self.main(seconds))
        return self.judge(senders, readers, nemesis)

    def judge(self, senders, readers, nemesis):
        api = Api(self.servers[0].url, self.contract, self.stack.jwt_key)
        wait_until(lambda: api.as_user(self.users[0]).fetch_conversation().status == 200, 20 * SLOWNESS, "reads")
        mailboxes, by_version = {}, {}
        for user in self.users:
            mailboxes[user.id] = [m for peer in self.users if peer is not user
                                  for m in api.as_user(user).all_messages(peer)]
            by_version[user.id], _, _ = api.as_user(user).all_updates()
        api.close()
        history = [send for sender in senders for send in sender.history]
        violations = [v for sender in senders for v in sender.violations]
        violations += checkers.total_queue(history, mailboxes)
        violations += checkers.recipient_first(mailboxes)
        violations += checkers.exactly_once(history, mailboxes)
        violations += checkers.acknowledged_order(history, mailboxes)
        violations += checkers.mirrored(mailboxes)
        for user in self.users:
            views = {r.name: r.messages for r in readers if r.user is user}
            views["from the beginning"] = by_version[user.id]
            violations += checkers.offset_agreement(views)
            if {(m["conversationId"], m["messageId"]) for m in by_version[user.id]} != \
                    {(m["conversationId"], m["messageId"]) for m in mailboxes[user.id]}:
                violations.append(f"conversations and updates of {user.id} differ")
        violations += [f"{s.key} never got a 2xx" for s in history if not s.is_acknowledged]
        self.summary = {
            "seed": self.seed, "acknowledged": sum(s.is_acknowledged for s in history),
            "attempts": sum(s.attempts for s in history), "faults": len(nemesis.log),
            "reconnects": sum(r.reconnects for r in readers), "violations": len(violations)}
        print(json.dumps(self.summary), flush=True)
        return violations

    def close(self):
        failure = None
        for server in self.servers:
            server.set_proxies("pass")
            try:
                server.close_and_judge()
            except AssertionError as error:
                failure = error
        if failure is not None:
            raise failure


