-- Stores members' copies of group messages: all changes of the kind group_message in a batch at once.
--
-- arguments  of each message: members: mailboxes of one shard; groupId, messageId, senderId, clientMessageId, content; extra,
--            which may be absent; after and witness, which may be absent: the group's message before this one, and a member
--            whose mailbox shows whether that message has arrived
-- locked     mailboxes that the transaction has locked, all members' among them, with their versions (see lock_mailboxes)
--
-- is_stored  of each message; false where the message before it has not arrived
-- raised     the mailboxes in which something was stored, with their versions now
--
-- A copy that exists already is skipped, and so is the mailbox of an erased user. As in write_messages, only INSERT names a parent.
CREATE OR REPLACE FUNCTION parley.write_group_messages(
    arguments jsonb[], locked parley.mailbox_version[], OUT is_stored boolean[], OUT raised parley.mailbox_version[])
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
DECLARE
    clock bigint := parley.clock_us();
    shard record;
    message record;
    has_message boolean[];
    lowest bigint;
BEGIN
    -- Without a witness (all members are new), or with an erased one, there is nothing to wait for.
    SELECT array_agg(a.argument -> 'witness' IS NULL OR coalesce(l.version = 0, false) ORDER BY a.n),
           min((a.argument ->> 'messageId')::bigint)
    INTO is_stored, lowest
    FROM unnest(arguments) WITH ORDINALITY AS a (argument, n)
         LEFT JOIN unnest(locked) AS l ON l.user_id = (a.argument ->> 'witness')::bigint;
    FOR shard IN
        SELECT parley.shard_schema(min(a.witness)) AS name, array_agg(a.n) AS places, array_agg(a.witness) AS witnesses,
               array_agg(a.peer) AS peers, array_agg(a.after) AS after
        FROM (SELECT n, (argument ->> 'witness')::bigint AS witness, (argument ->> 'groupId')::bigint AS peer,
                     (argument ->> 'after')::bigint AS after
              FROM unnest(arguments, is_stored) WITH ORDINALITY AS a (argument, is_ready, n) WHERE NOT is_ready) a
        GROUP BY parley.shard_of(a.witness)
    LOOP
        EXECUTE format('SELECT %I.has_messages($1, $2, $3)', shard.name) INTO has_message
        USING shard.witnesses, shard.peers, shard.after;
        FOR i IN 1 .. cardinality(has_message) LOOP
            is_stored[shard.places[i]] := has_message[i];
        END LOOP;
    END LOOP;
    -- The message before, or this one, may be in the batch itself.
    FOR message IN
        SELECT m.n, lag(m.n) OVER of_group AS previous
        FROM (SELECT n, parley.shard_of((argument #>> '{members,0}')::bigint) AS shard, argument ->> 'groupId' AS peer,
                     (argument ->> 'messageId')::bigint AS id, (argument ->> 'after')::bigint AS after
              FROM unnest(arguments) WITH ORDINALITY AS a (argument, n)) m
        WINDOW of_group AS (PARTITION BY m.shard, m.peer ORDER BY m.id, m.n)
        ORDER BY m.id, m.n
    LOOP
        IF NOT is_stored[message.n] AND arguments[message.previous] ->> 'messageId'
                                        IN (arguments[message.n] ->> 'after', arguments[message.n] ->> 'messageId') THEN
            is_stored[message.n] := is_stored[message.previous];
        END IF;
    END LOOP;

    WITH messages AS MATERIALIZED (
        SELECT a.n, a.argument, (a.argument ->> 'groupId')::bigint AS peer_id, (a.argument ->> 'messageId')::bigint AS message_id
        FROM unnest(arguments, is_stored) WITH ORDINALITY AS a (argument, is_ready, n) WHERE a.is_ready
    ),
    -- The copies take their mailbox's last versions, in the order of messages.
    copies AS MATERIALIZED (
        SELECT m.user_id, m.n,
               greatest(clock, max(parley.time_of(m.message_id)) OVER of_mailbox, l.version + count(*) OVER of_mailbox)
                   AS mailbox_version,
               count(*) OVER of_mailbox - row_number() OVER (of_mailbox ORDER BY m.message_id) AS later
        FROM (SELECT u.id::bigint AS user_id, m.n, m.message_id
              FROM messages m, jsonb_array_elements_text(m.argument -> 'members') AS u (id)) m
             JOIN unnest(locked) AS l USING (user_id)
        WHERE l.version > 0
        WINDOW of_mailbox AS (PARTITION BY m.user_id)
    ),
    stored AS MATERIALIZED (
        INSERT INTO parley.message AS s
            (user_id, peer_id, message_id, version, sender_id, client_message_id, content, extra)
        SELECT c.user_id, m.peer_id, m.message_id, c.mailbox_version - c.later, (m.argument ->> 'senderId')::bigint,
               m.argument ->> 'clientMessageId', m.argument ->> 'content', nullif(m.argument -> 'extra', 'null')
        FROM copies c JOIN messages m USING (n)
        ON CONFLICT DO NOTHING
        RETURNING s.user_id, s.peer_id, s.message_id, s.version, s.user_id <> s.sender_id AS is_unread
    ),
    conversed AS (
        INSERT INTO parley.conversation AS c
            (user_id, peer_id, last_message_id, newest_period, unread_count, version, changed_period)
        SELECT user_id, peer_id, max(message_id), parley.period_of(parley.time_of(max(message_id))),
               count(*) FILTER (WHERE is_unread), max(version), parley.period_of(max(version))
        FROM stored GROUP BY user_id, peer_id
        ON CONFLICT (user_id, peer_id) DO UPDATE
        SET last_message_id = greatest(c.last_message_id, excluded.last_message_id),
            newest_period = greatest(c.newest_period, excluded.newest_period),
            -- The user may have read further on another device than a copy that arrives late.
            unread_count = c.unread_count
                           + CASE WHEN greatest(c.read_up_to, c.cleared_up_to) < lowest THEN excluded.unread_count
                                  ELSE (SELECT count(*) FROM stored s
                                        WHERE s.user_id = c.user_id AND s.peer_id = c.peer_id AND s.is_unread
                                              AND s.message_id > greatest(c.read_up_to, c.cleared_up_to)) END,
            version = excluded.version,
            changed_period = excluded.changed_period
    ),
    bumped AS (
        INSERT INTO parley.mailbox AS b (user_id, version)
        SELECT DISTINCT c.user_id, c.mailbox_version FROM copies c WHERE c.user_id IN (SELECT s.user_id FROM stored s)
        ON CONFLICT (user_id) DO UPDATE SET version = excluded.version
        RETURNING b.user_id, b.version
    )
    SELECT array_agg(ROW(user_id, version)::parley.mailbox_version) INTO raised FROM bumped;
END
$$;
