-- What the tests say often. Schema `test`, in the tests' databases only.
CREATE SCHEMA test;
GRANT USAGE ON SCHEMA test TO PUBLIC;

-- Id of the n-th user of a shard.
CREATE FUNCTION test.id(shard integer, n integer) RETURNS bigint LANGUAGE sql IMMUTABLE
RETURN (shard::bigint << 50) + n;

-- Makes the n-th user of a shard, whose mailbox has version 1000, and returns the id.
CREATE FUNCTION test.user(shard integer, n integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT shard_%s.create_account($1, $2, $2, NULL, 1000)', to_char(shard, 'FM0000'))
    INTO result USING test.id(shard, n), format('user%s.%s', shard, n);
    ASSERT result = 'created', result;
    RETURN test.id(shard, n);
END
$$;

CREATE TYPE test.operation AS (
    mailbox_id bigint, peer_id bigint, sender_id bigint, message_id bigint, client_message_id text, content text,
    received bigint, copy_mode smallint);

-- A first-written copy, for the recipient.
CREATE FUNCTION test.deliver(recipient bigint, sender bigint, key text, content text DEFAULT 'text',
                             received bigint DEFAULT 5000, copy_mode integer DEFAULT 0)
RETURNS test.operation LANGUAGE sql IMMUTABLE
RETURN ROW(recipient, sender, sender, 0, key, content, received, copy_mode)::test.operation;

-- A sender's copy of a message.
CREATE FUNCTION test.copy(sender bigint, recipient bigint, message_id bigint, key text, content text DEFAULT 'text')
RETURNS test.operation LANGUAGE sql IMMUTABLE
RETURN ROW(sender, recipient, sender, message_id, key, content, 0, 0)::test.operation;

-- Writes the operations as one batch.
CREATE FUNCTION test.write(VARIADIC operations test.operation[])
RETURNS TABLE (op integer, status smallint, message_id bigint, version bigint,
               mailbox_previous bigint, mailbox_version bigint, unread_count integer,
               copy_version bigint, copy_mailbox_previous bigint, copy_mailbox_version bigint,
               copy_unread_count integer)
LANGUAGE sql AS $$
    SELECT w.*
    FROM (SELECT array_agg(o.mailbox_id) AS mailbox_ids, array_agg(o.peer_id) AS peer_ids,
                 array_agg(o.sender_id) AS sender_ids, array_agg(o.message_id) AS message_ids,
                 array_agg(o.client_message_id) AS keys, array_agg(o.content) AS contents,
                 array_agg(o.received) AS received, array_agg(o.copy_mode) AS copy_modes
          FROM unnest(operations) o) a,
         parley.write_messages(mailbox_ids, peer_ids, sender_ids, message_ids, keys, contents, received, copy_modes) w
$$;

-- All that the tables hold, as text: equal texts, equal tables.
CREATE FUNCTION test.everything() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT concat_ws(E'\n',
        (SELECT string_agg(m::text, E'\n' ORDER BY m) FROM (SELECT user_id, version FROM parley.mailbox) m),
        (SELECT string_agg(m::text, E'\n' ORDER BY m) FROM parley.message m),
        (SELECT string_agg(c::text, E'\n' ORDER BY c) FROM parley.conversation c),
        (SELECT string_agg(o::text, E'\n' ORDER BY o) FROM parley.outbox o))
$$;

-- Rules that hold between any two transactions; rows name what breaks one.
CREATE FUNCTION test.broken_rules() RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT format('version of %s above its mailbox''s', m) FROM parley.message m JOIN parley.mailbox b USING (user_id)
    WHERE m.version > b.version
    UNION ALL
    SELECT format('time of %s above its mailbox''s version', m)
    FROM parley.message m JOIN parley.mailbox b USING (user_id) WHERE m.message_id >> 1 > b.version
    UNION ALL
    SELECT format('version %s twice in mailbox %s', version, user_id)
    FROM parley.message GROUP BY user_id, version HAVING count(*) > 1
    UNION ALL
    SELECT format('%s is not the sum of its messages', c)
    FROM parley.conversation c
    JOIN (SELECT user_id, peer_id, max(message_id) AS last, max(version) AS version,
                 count(*) FILTER (WHERE sender_id <> user_id) AS unread
          FROM parley.message GROUP BY user_id, peer_id) m USING (user_id, peer_id)
    WHERE (c.last_message_id, c.version, c.unread_count) IS DISTINCT FROM (m.last, m.version, m.unread)
       OR c.snippet <> (SELECT left(content, 100) FROM parley.message x
                        WHERE x.user_id = c.user_id AND x.peer_id = c.peer_id AND x.message_id = c.last_message_id)
    UNION ALL
    SELECT format('message without conversation: %s', m) FROM parley.message m
    WHERE NOT EXISTS (SELECT FROM parley.conversation c WHERE c.user_id = m.user_id AND c.peer_id = m.peer_id)
    UNION ALL
    SELECT format('direction bit of %s', m) FROM parley.message m
    WHERE (m.message_id & 1) <> (m.sender_id > CASE WHEN m.sender_id = m.user_id THEN m.peer_id ELSE m.user_id END)::integer
$$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test TO PUBLIC;
