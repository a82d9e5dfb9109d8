-- Members' copies of groups' messages: what write_changes makes of all changes of the kind group_message in a batch, at once.
--
-- arguments   of each: members: mailboxes of one shard; groupId, messageId, senderId, clientMessageId, content; extra, or none; after
--             and witness, or none: the message before it, and the member whose mailbox shows whether that has come
-- locked_ids  mailboxes that the transaction has locked, all members' among them
-- before      and their versions; 0: not there, or erased
--
-- made              of each, whether it is stored; not, where the one before it has not come
-- changed_ids       mailboxes that something was stored in
-- changed_versions  and their versions now
--
-- A copy that is there already is passed over, and so is the mailbox of who is erased. As in write_messages, only INSERT names a parent.
CREATE OR REPLACE FUNCTION parley.write_group_messages(
    arguments jsonb[], locked_ids bigint[], before bigint[],
    OUT made boolean[], OUT changed_ids bigint[], OUT changed_versions bigint[])
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_nestloop = off
    SET enable_mergejoin = off
    SET jit = off
AS $$
DECLARE
    clock bigint := extract(epoch FROM clock_timestamp()) * 1000000;
    shard record;
    message record;
    there boolean[];
    lowest bigint;
BEGIN
    -- Where nobody was a member before, or the witness is erased, there is nothing to wait for.
    SELECT array_agg(a.argument -> 'witness' IS NULL OR coalesce(l.version = 0, false) ORDER BY a.n),
           min((a.argument ->> 'messageId')::bigint)
    INTO made, lowest
    FROM unnest(arguments) WITH ORDINALITY AS a (argument, n)
         LEFT JOIN unnest(locked_ids, before) AS l (id, version) ON l.id = (a.argument ->> 'witness')::bigint;
    FOR shard IN
        SELECT parley.shard_schema(min(a.witness)) AS name, array_agg(a.n) AS places, array_agg(a.witness) AS witnesses,
               array_agg(a.peer) AS peers, array_agg(a.after) AS after
        FROM (SELECT n, (argument ->> 'witness')::bigint AS witness, (argument ->> 'groupId')::bigint AS peer,
                     (argument ->> 'after')::bigint AS after
              FROM unnest(arguments, made) WITH ORDINALITY AS a (argument, is_made, n) WHERE NOT is_made) a
        GROUP BY a.witness >> 50
    LOOP
        EXECUTE format('SELECT %I.has_messages($1, $2, $3)', shard.name) INTO there
        USING shard.witnesses, shard.peers, shard.after;
        FOR i IN 1 .. cardinality(there) LOOP
            made[shard.places[i]] := there[i];
        END LOOP;
    END LOOP;
    -- Or the one before, or the same, is of this batch.
    FOR message IN
        SELECT m.n, lag(m.n) OVER of_group AS previous
        FROM (SELECT n, (argument #>> '{members,0}')::bigint >> 50 AS shard, argument ->> 'groupId' AS peer,
                     (argument ->> 'messageId')::bigint AS id, (argument ->> 'after')::bigint AS after
              FROM unnest(arguments) WITH ORDINALITY AS a (argument, n)) m
        WINDOW of_group AS (PARTITION BY m.shard, m.peer ORDER BY m.id, m.n)
        ORDER BY m.id, m.n
    LOOP
        IF NOT made[message.n] AND arguments[message.previous] ->> 'messageId'
                                   IN (arguments[message.n] ->> 'after', arguments[message.n] ->> 'messageId') THEN
            made[message.n] := made[message.previous];
        END IF;
    END LOOP;

    WITH messages AS MATERIALIZED (
        SELECT a.n, a.argument, (a.argument ->> 'groupId')::bigint AS peer_id, (a.argument ->> 'messageId')::bigint AS message_id
        FROM unnest(arguments, made) WITH ORDINALITY AS a (argument, is_made, n) WHERE a.is_made
    ),
    -- Each mailbox's copies take its last versions, in the messages' order.
    copies AS MATERIALIZED (
        SELECT m.user_id, m.n,
               greatest(clock, max(m.message_id >> 1) OVER of_mailbox, l.version + count(*) OVER of_mailbox) AS mailbox_version,
               count(*) OVER of_mailbox - row_number() OVER (of_mailbox ORDER BY m.message_id) AS later
        FROM (SELECT u.id::bigint AS user_id, m.n, m.message_id
              FROM messages m, jsonb_array_elements_text(m.argument -> 'members') AS u (id)) m
             JOIN unnest(locked_ids, before) AS l (id, version) ON l.id = m.user_id
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
        SELECT user_id, peer_id, max(message_id), max(message_id) >> 28, count(*) FILTER (WHERE is_unread), max(version),
               max(version) >> 27
        FROM stored GROUP BY user_id, peer_id
        ON CONFLICT (user_id, peer_id) DO UPDATE
        SET last_message_id = greatest(c.last_message_id, excluded.last_message_id),
            newest_period = greatest(c.newest_period, excluded.newest_period),
            -- Who has come further by another device's receipt has read what comes late.
            unread_count = c.unread_count
                           + CASE WHEN greatest(c.read_up_to, c.cleared_up_to) < lowest THEN excluded.unread_count
                                  ELSE (SELECT count(*) FROM stored s
                                        WHERE s.user_id = c.user_id AND s.peer_id = c.peer_id AND s.is_unread
                                              AND s.message_id > greatest(c.read_up_to, c.cleared_up_to)) END,
            version = excluded.version,
            changed_period = excluded.changed_period
    ),
    raised AS (
        INSERT INTO parley.mailbox AS b (user_id, version)
        SELECT DISTINCT c.user_id, c.mailbox_version FROM copies c WHERE c.user_id IN (SELECT s.user_id FROM stored s)
        ON CONFLICT (user_id) DO UPDATE SET version = excluded.version
        RETURNING b.user_id, b.version
    )
    SELECT array_agg(user_id), array_agg(version) INTO changed_ids, changed_versions FROM raised;
END
$$;
REVOKE ALL ON FUNCTION parley.write_group_messages(jsonb[], bigint[], bigint[]) FROM PUBLIC;
