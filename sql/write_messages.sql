-- Stores a batch of messages: one call is one transaction. The server has grouped the batch (src/store/message_write.c): the
-- mailbox arrays have one element per mailbox, the first arrays one per primary copy, the copy arrays one per sender's copy.
--
-- mailbox_ids          the mailboxes, ascending; they exist (checked by the server)
-- mailbox_slots        the number of copies for each
-- mailbox_times        the latest time, in microseconds: of the arrival of a primary copy, or in the id of a sender's copy
-- first_mailboxes      the copy's mailbox: index into mailbox_ids
-- first_ordinals       its place among the copies for that mailbox, from 1 on
-- first_peers          the conversation; the peer is the sender
-- first_keys           client_message_id: with mailbox and peer the key of the send. A batch has no key twice
-- first_contents
-- first_times          when the send first reached a server, in microseconds; rising within a mailbox
-- first_has_entry      whether to insert an outbox entry for the sender's copy
-- copy_mailboxes       as above, and so on
-- copy_ordinals
-- copy_peers
-- copy_firsts          0, or the primary copy of this batch whose sender's copy it is: it is stored only if that one is
-- copy_messages        the message's id (not used if copy_firsts is above 0)
-- copy_keys
-- copy_contents
-- first_extras         empty, or for each the message's `extra` as text, or null
-- copy_extras          the same
-- awaited_ids          mailboxes with waiters: conversation rows are returned for these only
--
-- One row:
-- mailbox_previous     versions before the batch, per mailbox
-- mailbox_versions     and after it
-- first_messages       ids, new or old
-- first_versions       above the mailbox's previous one: stored; -1: refused, the recipient is erased; -2: refused, the recipient
--                      has blocked the sender; else the message existed: a retry, nothing changes
-- first_equals         null if all were stored; else whether the stored message has the same content: if not, the send is refused
-- copy_versions        of each copy; 0 for one that existed, or whose mailbox is erased
-- conversation_users   each conversation of an awaited mailbox in which something was stored: mailbox
-- conversation_peers   and peer
-- conversation_unread  and its unread messages after the batch; so are the others:
-- conversation_read, conversation_peer_read, conversation_peer_delivered, conversation_cleared,
-- conversation_muted, conversation_flags (see parley.conversation_flags)
--
-- How it keeps the promises:
-- 1. The first statement locks all mailboxes of the batch in the order of their ids, before anything else is written. So two
--    batches cannot deadlock, and in each mailbox commit order is version order. The statement raises the version by the number
--    of rows that the batch may store there, and these rows take the last versions in their order. All versions and message times
--    that the mailbox already has are at or below the version before.
-- 2. So a new id is above all ids in the mailbox of the primary copy if its time is above the version before (promise 4). Its time
--    is the time of arrival, or the version before plus the row's place, whichever is later. The version is raised at least as
--    far.
-- 3. message_dedupe finds retries (promise 3). The statement has DO UPDATE, since with DO NOTHING an existing row is not returned.
--    A returned row with a version above the one before is new.
-- 4. The last part handles rare cases that only the result shows. A mailbox in which nothing was stored gets its version back, so
--    that a retry changes nothing. If a sender's copy has an id from a clock ahead of this one, the version of its mailbox is
--    raised to the id's time (rule 2 in sql/README.md).
-- 5. Guarded mailboxes (of users who have blocked somebody or are erased) are checked one by one, and the batch is written without
--    the messages that they refuse. A batch without guarded mailboxes costs only the column `guarded` in the first result.
--
-- Only INSERT names a parent: it locks and opens only the leaves that rows go to; any other statement would open all of them. The
-- exception is the look-up of a retry's content, in its leaf. RETURNING gives rows in the order in which they were inserted.
CREATE OR REPLACE FUNCTION parley.write_messages(
    mailbox_ids bigint[], mailbox_slots integer[], mailbox_times bigint[],
    first_mailboxes integer[], first_ordinals integer[], first_peers bigint[], first_keys text[], first_contents text[],
    first_times bigint[], first_has_entry boolean[],
    copy_mailboxes integer[], copy_ordinals integer[], copy_peers bigint[], copy_firsts integer[], copy_messages bigint[],
    copy_keys text[], copy_contents text[], first_extras text[] DEFAULT '{}', copy_extras text[] DEFAULT '{}',
    awaited_ids bigint[] DEFAULT '{}',
    OUT mailbox_previous bigint[], OUT mailbox_versions bigint[],
    OUT first_messages bigint[], OUT first_versions bigint[], OUT first_equals boolean[],
    OUT copy_versions bigint[],
    OUT conversation_users bigint[], OUT conversation_peers bigint[], OUT conversation_unread integer[],
    OUT conversation_read bigint[], OUT conversation_peer_read bigint[],
    OUT conversation_peer_delivered bigint[], OUT conversation_cleared bigint[], OUT conversation_muted bigint[],
    OUT conversation_flags integer[])
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Planning this costs more than running it, and no plan depends on a value.
    SET plan_cache_mode = force_generic_plan
    SET jit = off
AS $$
DECLARE
    clock bigint := parley.clock_us();
    copied_users bigint[];
    copied_messages bigint[];
    stored bigint;
    ahead_us bigint;
    equal boolean;
    versions_after bigint[];
    guarded boolean[];
    refusals integer[];
    erased boolean[];
    is_erased boolean;
    refused integer[];
BEGIN
    WITH bumped AS (
        -- previous_version carries the number of slots into the update.
        INSERT INTO parley.mailbox AS m (user_id, version, previous_version)
        SELECT b.user_id, greatest(clock, b.time) + b.slots - 1, b.slots
        FROM unnest(mailbox_ids, mailbox_slots, mailbox_times) AS b (user_id, slots, time)
        ON CONFLICT (user_id) DO UPDATE
        SET previous_version = m.version,
            version = greatest(excluded.version, m.version + excluded.previous_version)
        RETURNING m.previous_version, m.version, m.guarded
    )
    SELECT array_agg(b.previous_version), array_agg(b.version), array_agg(b.guarded)
    INTO mailbox_previous, mailbox_versions, guarded FROM bumped b;

    IF true = ANY (guarded) THEN
        refusals := array_fill(0, ARRAY[cardinality(first_mailboxes)]);
        erased := array_fill(false, ARRAY[cardinality(mailbox_ids)]);
        FOR i IN 1 .. cardinality(mailbox_ids) LOOP
            CONTINUE WHEN guarded[i] IS NOT TRUE;
            EXECUTE format('SELECT * FROM %I.refuse_messages($1, $2, $3)', parley.shard_schema(mailbox_ids[i]))
            INTO is_erased, refused
            USING mailbox_ids[i], ARRAY(SELECT CASE WHEN f.mailbox = i THEN f.peer END
                                        FROM unnest(first_mailboxes, first_peers) AS f (mailbox, peer)), first_keys;
            erased[i] := is_erased;
            SELECT array_agg(least(r.before, r.now)) INTO refusals FROM unnest(refusals, refused) AS r (before, now);
        END LOOP;
    END IF;

    IF cardinality(first_mailboxes) > 0 THEN
        WITH written AS (
            INSERT INTO parley.message AS m
                (user_id, peer_id, message_id, version, sender_id, client_message_id, content, extra)
            SELECT mailbox_ids[f.mailbox], f.peer,
                   greatest(f.time, mailbox_previous[f.mailbox] + f.ordinal) * 2
                       + (f.peer > mailbox_ids[f.mailbox])::integer,
                   mailbox_versions[f.mailbox] - mailbox_slots[f.mailbox] + f.ordinal, f.peer, f.key, f.content,
                   f.extra::jsonb
            FROM unnest(first_mailboxes, first_ordinals, first_peers, first_keys, first_contents, first_times,
                        first_extras, refusals)
                 AS f (mailbox, ordinal, peer, key, content, time, extra, refusal)
            WHERE f.refusal IS NULL OR f.refusal = 0
            ON CONFLICT (user_id, peer_id, client_message_id) WHERE sender_id = peer_id
            DO UPDATE SET version = m.version
            RETURNING m.message_id, m.version
        )
        SELECT array_agg(message_id), array_agg(version) INTO first_messages, first_versions FROM written;
    END IF;
    IF refusals IS NOT NULL THEN
        -- Put refused ones back into their places.
        SELECT array_agg(CASE WHEN r.refusal < 0 THEN 0 ELSE first_messages[r.place] END ORDER BY r.n),
               array_agg(CASE WHEN r.refusal < 0 THEN r.refusal ELSE first_versions[r.place] END ORDER BY r.n)
        INTO first_messages, first_versions
        FROM (SELECT n, refusal, count(*) FILTER (WHERE refusal = 0) OVER (ORDER BY n) AS place
              FROM unnest(refusals) WITH ORDINALITY AS r (refusal, n)) r;
    END IF;

    WITH copied AS MATERIALIZED (
        INSERT INTO parley.message AS m
            (user_id, peer_id, message_id, version, sender_id, client_message_id, content, extra)
        SELECT mailbox_ids[c.mailbox], c.peer, CASE WHEN c.first > 0 THEN first_messages[c.first] ELSE c.message END,
               mailbox_versions[c.mailbox] - mailbox_slots[c.mailbox] + c.ordinal,
               mailbox_ids[c.mailbox], c.key, c.content, c.extra::jsonb
        FROM unnest(copy_mailboxes, copy_ordinals, copy_peers, copy_firsts, copy_messages, copy_keys, copy_contents,
                    copy_extras)
             AS c (mailbox, ordinal, peer, first, message, key, content, extra)
        WHERE (c.first = 0 OR first_versions[c.first] > mailbox_previous[first_mailboxes[c.first]])
              AND (erased IS NULL OR NOT erased[c.mailbox])
        -- On the primary key. Naming it would cost a look-up of each index of each leaf.
        ON CONFLICT DO NOTHING
        RETURNING m.user_id, m.peer_id, m.message_id, m.version
    ),
    first_stored AS MATERIALIZED (
        SELECT mailbox_ids[f.mailbox] AS user_id, f.peer AS peer_id, f.message_id, f.version, f.has_entry
        FROM unnest(first_mailboxes, first_peers, first_messages, first_versions, first_has_entry)
             AS f (mailbox, peer, message_id, version, has_entry)
        WHERE f.version > mailbox_previous[f.mailbox]
    ),
    conversed AS (
        INSERT INTO parley.conversation AS c
            (user_id, peer_id, last_message_id, newest_period, unread_count, version, changed_period)
        SELECT user_id, peer_id, max(message_id), parley.period_of(parley.time_of(max(message_id))), sum(unread),
               max(version), parley.period_of(max(version))
        FROM (SELECT user_id, peer_id, message_id, version, 0 AS unread FROM copied
              UNION ALL
              SELECT user_id, peer_id, message_id, version, (user_id <> peer_id)::integer FROM first_stored) s
        GROUP BY user_id, peer_id
        ON CONFLICT (user_id, peer_id) DO UPDATE
        SET last_message_id = greatest(c.last_message_id, excluded.last_message_id),
            newest_period = greatest(c.newest_period, excluded.newest_period),
            unread_count = c.unread_count + excluded.unread_count,
            version = excluded.version,
            changed_period = excluded.changed_period
        RETURNING c.*
    ),
    entries AS (
        INSERT INTO parley.outbox (recipient_id, sender_id, message_id)
        SELECT user_id, peer_id, message_id FROM first_stored WHERE has_entry
    )
    SELECT copies.users, copies.versions, copies.messages, copies.ahead_us,
           copies.stored + (SELECT count(*) FROM first_stored),
           conversations.users, conversations.peers, conversations.unread, conversations.read,
           conversations.peer_read, conversations.peer_delivered, conversations.cleared,
           conversations.muted, conversations.flags
    INTO copied_users, copy_versions, copied_messages, ahead_us,
         stored,
         conversation_users, conversation_peers, conversation_unread, conversation_read,
         conversation_peer_read, conversation_peer_delivered, conversation_cleared,
         conversation_muted, conversation_flags
    FROM (SELECT array_agg(user_id) AS users, array_agg(version) AS versions, array_agg(message_id) AS messages,
                 max(parley.time_of(message_id) - version) AS ahead_us, count(*) AS stored
          FROM copied) copies,
         (SELECT array_agg(user_id) AS users, array_agg(peer_id) AS peers, array_agg(unread_count) AS unread,
                 array_agg(read_up_to) AS read,
                 array_agg(peer_read_up_to) AS peer_read, array_agg(peer_delivered_up_to) AS peer_delivered,
                 array_agg(cleared_up_to) AS cleared, array_agg(muted_until) AS muted,
                 array_agg(parley.conversation_flags(archived, pinned, marked_unread)) AS flags
          FROM conversed WHERE user_id = ANY (awaited_ids)) conversations;

    IF stored = cardinality(first_mailboxes) + cardinality(copy_mailboxes) AND coalesce(ahead_us, 0) <= 0 THEN
        RETURN;
    END IF;

    FOR i IN 1 .. cardinality(first_mailboxes) LOOP
        IF first_versions[i] BETWEEN 0 AND mailbox_previous[first_mailboxes[i]] THEN
            first_equals := coalesce(first_equals, array_fill(true, ARRAY[cardinality(first_mailboxes)]));
            EXECUTE format('SELECT coalesce(bool_and(parley.is_as_sent(m.content, m.extra, $1, $2)), false)'
                           ' FROM %I.message m WHERE m.user_id = $3 AND m.peer_id = $4 AND m.message_id = $5',
                           parley.shard_schema(mailbox_ids[first_mailboxes[i]]))
            INTO equal
            USING first_contents[i], first_extras[i]::jsonb, mailbox_ids[first_mailboxes[i]], first_peers[i],
                  first_messages[i];
            first_equals[i] := equal;
        END IF;
    END LOOP;

    SELECT array_agg(coalesce(s.version, 0) ORDER BY c.n) INTO copy_versions
    FROM unnest(copy_mailboxes, copy_ordinals) WITH ORDINALITY AS c (mailbox, ordinal, n)
         LEFT JOIN unnest(copied_users, copy_versions) AS s (user_id, version)
             ON s.user_id = mailbox_ids[c.mailbox]
                AND s.version = mailbox_versions[c.mailbox] - mailbox_slots[c.mailbox] + c.ordinal;

    SELECT array_agg(CASE WHEN s.time IS NULL THEN b.previous ELSE greatest(b.version, s.time) END ORDER BY b.n)
    INTO versions_after
    FROM unnest(mailbox_ids, mailbox_previous, mailbox_versions) WITH ORDINALITY AS b (user_id, previous, version, n)
         LEFT JOIN (SELECT user_id, max(parley.time_of(message_id)) AS time
                    FROM (SELECT c.user_id, c.message_id
                          FROM unnest(copied_users, copied_messages) AS c (user_id, message_id)
                          UNION ALL
                          SELECT mailbox_ids[f.mailbox], f.message_id
                          FROM unnest(first_mailboxes, first_messages, first_versions) AS f (mailbox, message_id, version)
                          WHERE f.version > mailbox_previous[f.mailbox]) stored
                    GROUP BY user_id) s USING (user_id);
    INSERT INTO parley.mailbox AS m (user_id, version)
    SELECT b.user_id, b.after
    FROM unnest(mailbox_ids, mailbox_versions, versions_after) AS b (user_id, bumped, after)
    WHERE b.after <> b.bumped
    ON CONFLICT (user_id) DO UPDATE SET version = excluded.version;
    mailbox_versions := versions_after;
END
$$;
GRANT EXECUTE ON FUNCTION parley.write_messages(
    bigint[], integer[], bigint[], integer[], integer[], bigint[], text[], text[], bigint[], boolean[],
    integer[], integer[], bigint[], integer[], bigint[], text[], text[], text[], text[], bigint[]) TO parley_server;
