"""The users and messages that a run works on: the same for Parley and for the baseline.

User i (1 to N) has a conversation with each of the P users after it. So each user has 2 P conversations, with M messages each.
"""

import base64
import hashlib
import hmac
import io
import json
import time

EPOCH_MS = 1704067200000
HISTORY_US = 30 * 86400 * 10**6  # the messages are spread evenly over 30 days
CONTENT = "parley160!" * 16


def username_shard(name, shards):
    """The same function as pl_username_shard in src/base/id.h."""
    value = 0xCBF29CE484222325
    for byte in name.lower().encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return (value ^ (value >> 32)) % shards


class Population:
    def __init__(self, users, peers, messages, shards):
        self.users, self.peers, self.messages, self.shards = users, peers, messages, shards
        self.names = [f"bench-{i:07d}" for i in range(users)]
        created_ms = int(time.time() * 1000) - EPOCH_MS - users
        self.ids = [
            username_shard(name, shards) << 50 | (created_ms + i) << 9 | i % 256
            for i, name in enumerate(self.names)
        ]
        self.step_us = max(1, HISTORY_US // (messages * users * peers))
        self.start_us = int(time.time() * 1e6) - HISTORY_US - 60_000_000

    def pairs(self):
        for i in range(self.users):
            for step in range(1, self.peers + 1):
                yield i, (i + step) % self.users

    def rows(self, ids):
        """Yields (table, row) for the messages and conversations of users with these ids."""
        now = self.start_us
        for a, b in self.pairs():
            low, high = sorted((ids[a], ids[b]))
            for number in range(self.messages):
                now += self.step_us
                sender = low if number % 2 else high
                message_id = now * 2 + (sender == high)
                for user, peer in ((low, high), (high, low)):
                    yield "message", (user, peer, message_id, now, sender, f"load-{now}", CONTENT)
            for user, peer in ((low, high), (high, low)):
                yield "conversation", (user, peer, message_id, now, self.messages // 2, message_id >> 28, now >> 27)

    def tokens(self, key):
        """Returns (id, access token) of each user; the tokens are signed as an external issuer would sign them."""
        expires = int(time.time()) + 86400

        def encode(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        head = encode(b'{"alg":"HS256","typ":"JWT"}')
        for user_id in self.ids:
            body = encode(json.dumps({"sub": str(user_id), "exp": expires}).encode())
            signature = hmac.new(key, head + b"." + body, hashlib.sha256).digest()
            yield user_id, b".".join((head, body, encode(signature))).decode()


COLUMNS = {
    "account": "user_id, created_timestamp, username, display_name",
    "mailbox": "user_id, version",
    "message": "user_id, peer_id, message_id, version, sender_id, client_message_id, content",
    "conversation": "user_id, peer_id, last_message_id, version, unread_count, newest_period, changed_period",
}


class Copier:
    """Collects the rows of each table and writes them with COPY, many at a time."""

    LIMIT = 4 << 20

    def __init__(self, connection, schema):
        self.cursor, self.schema = connection.cursor(), schema
        self.buffers = {table: io.StringIO() for table in COLUMNS}

    def add(self, table, row):
        buffer = self.buffers[table]
        buffer.write("\t".join(map(str, row)) + "\n")
        if buffer.tell() > self.LIMIT:
            self.flush(table)

    def flush(self, table):
        buffer = self.buffers[table]
        if buffer.tell() == 0:
            return
        buffer.seek(0)
        self.cursor.copy_expert(f"COPY {self.schema}{table} ({COLUMNS[table]}) FROM STDIN", buffer)
        self.buffers[table] = io.StringIO()

    def close(self):
        for table in COLUMNS:
            self.flush(table)


def load_parley(population, connections, database_of_shard):
    """connections: by database name, as a role that may insert; database_of_shard: name by shard."""
    copiers = {name: Copier(connection, "parley.") for name, connection in connections.items()}
    top = population.start_us + HISTORY_US + 1
    for user_id, name in zip(population.ids, population.names):
        copier = copiers[database_of_shard[user_id >> 50]]
        copier.add("account", (user_id, top, name, name))
        copier.add("mailbox", (user_id, top))
    for table, row in population.rows(population.ids):
        copiers[database_of_shard[row[0] >> 50]].add(table, row)
    for name, copier in copiers.items():
        copier.close()
        connections[name].commit()


def load_baseline(population, connection):
    copier = Copier(connection, "")
    for table, row in population.rows(range(1, population.users + 1)):
        copier.add(table, row)
    copier.close()
    copier.cursor.execute(
        "INSERT INTO conversation_page (user_id, peer_id, last_message_id, version, unread_count, snippet)"
        " SELECT user_id, peer_id, last_message_id, c.version, unread_count, left(content, 100)"
        " FROM conversation c JOIN message m USING (user_id, peer_id) WHERE m.message_id = c.last_message_id"
    )
    connection.commit()
