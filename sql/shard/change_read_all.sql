-- Marks conversations as read up to what a client had at a cursor. One call is one slice: the caller goes on until nothing is left.
--
-- argument  version: the cursor; above the mailbox's version it counts as that. after: 0, or the peer at which the last slice ended
-- Result: status done; version, if something has changed. after and upTo, if there may be more: call again with after, and with
-- upTo as the version. Follow-ups: what the others may see, as in change_receipt.
--
-- A conversation that has not changed since the cursor is read up to its last message. In another one the client had the messages
-- that were stored up to the cursor. Others' messages are stored in the order of their ids, so these end at the highest one whose
-- version is not above the cursor. A message that was changed later has a higher version, and so may stay unread. The user's own
-- mark (marked_unread) is cleared in any case.
CREATE OR REPLACE FUNCTION {shard}.change_read_all(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    slice CONSTANT integer := 100; -- the most conversations that one call changes
    range CONSTANT integer := 1000; -- and that it reads
    until bigint;
    shows_reading boolean;
    chat record;
    places tid[] := '{}';
    reads bigint[] := '{}';
    unreads integer[] := '{}';
    seen integer := 0;
    last_peer bigint;
    read_now bigint;
    raised bigint;
    shown jsonb;
    follow_ups jsonb := '[]';
    answer jsonb := '{"status": "done"}';
BEGIN
    SELECT least((argument ->> 'version')::bigint, m.version) INTO until FROM {shard}.mailbox m WHERE m.user_id = mailbox_id;
    SELECT a.read_receipts INTO shows_reading FROM {shard}.account a WHERE a.user_id = mailbox_id;
    FOR chat IN
        SELECT c.ctid AS place, c.peer_id, c.last_message_id, c.read_up_to, c.delivered_up_to, c.cleared_up_to, c.unread_count,
               c.version, c.marked_unread
        FROM {shard}.conversation c
        WHERE c.user_id = mailbox_id AND c.peer_id > (argument ->> 'after')::bigint
        ORDER BY c.peer_id LIMIT range
    LOOP
        seen := seen + 1;
        last_peer := chat.peer_id;
        CONTINUE WHEN chat.unread_count = 0 AND NOT chat.marked_unread;
        read_now := chat.read_up_to;
        IF chat.unread_count > 0 AND chat.version <= until THEN
            read_now := chat.last_message_id;
        ELSIF chat.unread_count > 0 THEN
            -- No message that was stored by then has a later time. Of those with an earlier time few have a higher version.
            SELECT greatest(read_now, max(m.message_id)) INTO read_now
            FROM (SELECT m.message_id, m.version FROM {shard}.message m
                  WHERE m.user_id = mailbox_id AND m.peer_id = chat.peer_id AND m.message_id > read_now
                        AND m.message_id <= until * 2 + 1
                  ORDER BY m.message_id DESC LIMIT slice) m
            WHERE m.version <= until;
        END IF;
        CONTINUE WHEN read_now = chat.read_up_to AND NOT chat.marked_unread;
        places := places || chat.place;
        reads := reads || read_now;
        unreads := unreads
                   || CASE WHEN read_now >= chat.last_message_id THEN 0
                           WHEN read_now <= greatest(chat.read_up_to, chat.cleared_up_to) THEN chat.unread_count
                           ELSE chat.unread_count - {shard}.count_unread(mailbox_id, chat.peer_id,
                                                                         greatest(chat.read_up_to, chat.cleared_up_to), read_now)
                      END;
        shown := CASE WHEN read_now > chat.delivered_up_to THEN jsonb_build_object('deliveredUpTo', read_now::text) ELSE '{}' END
                 || CASE WHEN read_now > chat.read_up_to AND shows_reading THEN jsonb_build_object('readUpTo', read_now::text)
                         ELSE '{}' END;
        IF shown <> '{}' THEN
            follow_ups := follow_ups || {shard}.receipt_follow_up(mailbox_id, chat.peer_id, shown);
        END IF;
        EXIT WHEN cardinality(places) = slice;
    END LOOP;

    IF seen = range OR cardinality(places) = slice THEN
        answer := answer || jsonb_build_object('after', last_peer::text, 'upTo', until::text);
    END IF;
    IF cardinality(places) = 0 THEN
        RETURN answer;
    END IF;
    -- A version for each conversation, so that a delta can end after any of them.
    UPDATE {shard}.mailbox m SET version = greatest(m.version + cardinality(places), parley.clock_us())
    WHERE m.user_id = mailbox_id
    RETURNING m.version INTO raised;
    FOR i IN 1 .. cardinality(places) LOOP
        UPDATE {shard}.conversation c
        SET read_up_to = reads[i], delivered_up_to = greatest(c.delivered_up_to, reads[i]), unread_count = unreads[i],
            marked_unread = false, version = raised - cardinality(places) + i,
            changed_period = parley.period_of(raised - cardinality(places) + i)
        WHERE c.ctid = places[i];
    END LOOP;
    RETURN answer || jsonb_build_object('version', raised, 'followUps', follow_ups);
END
$$;
