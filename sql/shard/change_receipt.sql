-- Moves a user's own watermarks in a conversation forward: what they have received, and what they have read.
--
-- argument  peerId; readUpTo, deliveredUpTo: messages, one or both. Above the conversation's last message they count as that one
-- Result: status; version, if a watermark has moved. Then its follow-up brings the peer, or the group, what they may see: what was
-- read only if the user shows read receipts (account.read_receipts).
-- A receipt of reading also clears the user's own mark (marked_unread), if it moves no watermark too.
-- status: done; conversation-not-found.
--
-- unread_count is a function of messages and watermarks: the messages above both read_up_to and cleared_up_to that
-- count_unread counts. So a moving watermark takes away the messages that it passes, and above the last message none is left.
CREATE OR REPLACE FUNCTION {shard}.change_receipt(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    peer bigint := argument ->> 'peerId';
    answer jsonb := '{"status": "done"}';
    place tid;
    found bigint;
    last bigint;
    read_before bigint;
    read_now bigint;
    delivered_before bigint;
    delivered_now bigint;
    cleared bigint;
    unread integer;
    marked boolean;
    reading bigint := coalesce((argument ->> 'readUpTo')::bigint, 0);
    unmarks boolean;
    shown jsonb := '{}';
    raised bigint;
BEGIN
    SELECT c.ctid, c.peer_id, c.last_message_id, c.read_up_to, c.delivered_up_to, c.cleared_up_to, c.unread_count,
           c.marked_unread
    INTO place, found, last, read_before, delivered_before, cleared, unread, marked
    FROM {shard}.conversation c
    WHERE c.user_id = mailbox_id AND c.peer_id >= peer
    ORDER BY c.peer_id LIMIT 1;
    IF found IS DISTINCT FROM peer THEN
        RETURN '{"status": "conversation-not-found"}';
    END IF;
    IF peer = mailbox_id THEN
        -- Notes to oneself are always read.
        last := 0;
    END IF;
    read_now := greatest(read_before, least(reading, last));
    delivered_now := greatest(delivered_before, read_now,
                              least(coalesce((argument ->> 'deliveredUpTo')::bigint, 0), last));
    unmarks := marked AND reading > 0;
    IF read_now = read_before AND delivered_now = delivered_before AND NOT unmarks THEN
        RETURN answer;
    END IF;

    IF read_now = last THEN
        unread := 0;
    ELSIF read_now > greatest(read_before, cleared) THEN
        unread := unread - {shard}.count_unread(mailbox_id, peer, greatest(read_before, cleared), read_now);
    END IF;
    IF delivered_now > delivered_before THEN
        shown := jsonb_build_object('deliveredUpTo', delivered_now::text);
    END IF;
    IF read_now > read_before AND (SELECT a.read_receipts FROM {shard}.account a WHERE a.user_id = mailbox_id) THEN
        shown := shown || jsonb_build_object('readUpTo', read_now::text);
    END IF;
    IF shown <> '{}' THEN
        answer := answer || jsonb_build_object('followUps', jsonb_build_array({shard}.receipt_follow_up(mailbox_id, peer, shown)));
    END IF;
    raised := {shard}.next_version(mailbox_id);
    UPDATE {shard}.conversation c
    SET read_up_to = read_now, delivered_up_to = delivered_now, unread_count = unread, version = raised,
        changed_period = parley.period_of(raised), marked_unread = marked AND NOT unmarks
    WHERE c.ctid = place;
    RETURN answer || jsonb_build_object('version', raised);
END
$$;
