"""Mailboxes by SQL, without the server: fills one, and shows what is left of an erased one."""

from harness.stack import SLOWNESS, wait_until


def insert_messages(stack, user, peer, count, size):
    """Fills a mailbox by SQL, with contents that do not compress."""
    schema = stack.schema_of(user.id)
    with stack.session(stack.database_of(user.id)) as cursor:
        cursor.execute(f"""
            WITH now AS (SELECT version AS at FROM {schema}.mailbox WHERE user_id = %(user)s)
            INSERT INTO {schema}.message (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
            SELECT %(user)s, %(peer)s, (now.at + n) * 2, now.at + n, %(peer)s, n::text,
                   n::text || substr(c.text, 1, %(size)s)
            FROM now, generate_series(1, %(count)s) n,
                 (SELECT string_agg(md5(i::text), '') AS text FROM generate_series(0, %(size)s / 32) i) c""",
                       {"user": user.id, "peer": peer.id, "count": count, "size": size})
        cursor.execute(f"""
            INSERT INTO {schema}.conversation
                (user_id, peer_id, last_message_id, version, newest_period, changed_period, unread_count)
            SELECT user_id, peer_id, max(message_id), max(version), max(message_id) >> 28, max(version) >> 27, count(*)
            FROM {schema}.message WHERE user_id = %s AND peer_id = %s GROUP BY 1, 2
            ON CONFLICT DO NOTHING""", (user.id, peer.id))
        cursor.execute(f"UPDATE {schema}.mailbox SET version = version + %s WHERE user_id = %s", (count, user.id))


def held(stack, user):
    """The numbers of rows of the user: messages, conversations, blocks, account, sessions, entries of the change outbox."""
    schema = stack.schema_of(user.id)
    query = " UNION ALL ".join(
        f"SELECT count(*) FROM {schema}.{table} WHERE {column} = %(id)s"
        for table, column in (("message", "user_id"), ("conversation", "user_id"), ("block", "user_id"),
                              ("account", "user_id"), ("session", "user_id"), ("change_outbox", "mailbox_id")))
    return [row[0] for row in stack.query(stack.database_of(user.id), query, {"id": user.id})]


def wait_erased(stack, user):
    wait_until(lambda: not any(held(stack, user)), 20 * SLOWNESS, "nothing is left of the user")
