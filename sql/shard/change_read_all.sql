-- Marks conversations as read up to what a client had at a cursor. One call handles a limited number of conversations: the caller
-- calls again until nothing is left.
--
-- argument  version: the cursor; one above the mailbox's version is taken as the mailbox's version. after: 0, or the peer at which
--           the last call ended
-- Result: status done; version, if something has changed. after and upTo, if there may be more: call again with after, and with
-- upTo as the version. Follow-ups: what the others may see, as in change_receipt.
--
-- A conversation that has not changed since the cursor is read up to its last message. One that has changed is read up to the
-- message with the highest id among those whose version is not above the cursor. The client had all messages of others up to that
-- one, because these are stored in the order of their ids. A message that was changed later has a higher version, and so may stay
-- unread. The user's own mark (marked_unread) is cleared in any case.
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
    max_changed CONSTANT integer := 100;  -- conversations that one call changes
    max_read CONSTANT integer := 1000;    -- conversations that it reads
    max_messages CONSTANT integer := 100; -- messages that it reads in one conversation
    cursor_version bigint;
    shows_reading boolean;
    conversation record;
    places tid[] := '{}';
    reads bigint[] := '{}';
    unreads integer[] := '{}';
    conversations_read integer := 0;
    last_peer bigint;
    read_now bigint;
    new_version bigint;
    receipt jsonb;
    follow_ups jsonb := '[]';
    answer jsonb := '{"status": "done"}';
BEGIN
    SELECT least((argument ->> 'version')::bigint, m.version) INTO cursor_version
    FROM {shard}.mailbox m WHERE m.user_id = mailbox_id;
    SELECT a.read_receipts INTO shows_reading FROM {shard}.account a WHERE a.user_id = mailbox_id;
    FOR conversation IN
        SELECT c.ctid AS place, c.peer_id, c.last_message_id, c.read_up_to, c.delivered_up_to, c.cleared_up_to, c.unread_count,
               c.version, c.marked_unread
        FROM {shard}.conversation c
        WHERE c.user_id = mailbox_id AND c.peer_id > (argument ->> 'after')::bigint
        ORDER BY c.peer_id LIMIT max_read
    LOOP
        conversations_read := conversations_read + 1;
        last_peer := conversation.peer_id;
        CONTINUE WHEN conversation.unread_count = 0 AND NOT conversation.marked_unread;
        read_now := conversation.read_up_to;
        IF conversation.unread_count > 0 AND conversation.version <= cursor_version THEN
            read_now := conversation.last_message_id;
        ELSIF conversation.unread_count > 0 THEN
            -- A message that was stored by then has no later time (rule 2 in sql/README.md). Of the messages with an earlier
            -- time, few have a higher version, so it is enough to read the newest ones.
            SELECT greatest(read_now, max(m.message_id)) INTO read_now
            FROM (SELECT m.message_id, m.version FROM {shard}.message m
                  WHERE m.user_id = mailbox_id AND m.peer_id = conversation.peer_id AND m.message_id > read_now
                        AND m.message_id <= cursor_version * 2 + 1
                  ORDER BY m.message_id DESC LIMIT max_messages) m
            WHERE m.version <= cursor_version;
        END IF;
        CONTINUE WHEN read_now = conversation.read_up_to AND NOT conversation.marked_unread;
        places := places || conversation.place;
        reads := reads || read_now;
        unreads := unreads
                   || CASE WHEN read_now >= conversation.last_message_id THEN 0
                           WHEN read_now <= greatest(conversation.read_up_to, conversation.cleared_up_to)
                           THEN conversation.unread_count
                           ELSE conversation.unread_count
                                - {shard}.count_unread(mailbox_id, conversation.peer_id,
                                                       greatest(conversation.read_up_to, conversation.cleared_up_to), read_now)
                      END;
        receipt := CASE WHEN read_now > conversation.delivered_up_to
                        THEN jsonb_build_object('deliveredUpTo', read_now::text) ELSE '{}' END
                   || CASE WHEN read_now > conversation.read_up_to AND shows_reading
                           THEN jsonb_build_object('readUpTo', read_now::text) ELSE '{}' END;
        IF receipt <> '{}' THEN
            follow_ups := follow_ups || {shard}.receipt_follow_up(mailbox_id, conversation.peer_id, receipt);
        END IF;
        EXIT WHEN cardinality(places) = max_changed;
    END LOOP;

    IF conversations_read = max_read OR cardinality(places) = max_changed THEN
        answer := answer || jsonb_build_object('after', last_peer::text, 'upTo', cursor_version::text);
    END IF;
    IF cardinality(places) = 0 THEN
        RETURN answer;
    END IF;
    -- A version for each conversation, so that a delta can end after any of them.
    UPDATE {shard}.mailbox m SET version = greatest(m.version + cardinality(places), parley.clock_us())
    WHERE m.user_id = mailbox_id
    RETURNING m.version INTO new_version;
    FOR i IN 1 .. cardinality(places) LOOP
        UPDATE {shard}.conversation c
        SET read_up_to = reads[i], delivered_up_to = greatest(c.delivered_up_to, reads[i]), unread_count = unreads[i],
            marked_unread = false, version = new_version - cardinality(places) + i,
            changed_period = parley.period_of(new_version - cardinality(places) + i)
        WHERE c.ctid = places[i];
    END LOOP;
    RETURN answer || jsonb_build_object('version', new_version, 'followUps', follow_ups);
END
$$;
