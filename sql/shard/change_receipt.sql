-- Moves a user's own watermarks in a conversation forward: what they have read, which is delivered too, or been delivered.
--
-- argument  peerId; readUpTo, deliveredUpTo: messages, one or both. What is above the conversation's last message is that one
-- Result: status; version, if a watermark has moved. Then it owes the peer, or the group, what they may see of it: what was read only if the
-- user tells who reads (account.read_receipts).
-- status: done; conversation-not-found.
--
-- unread_count is a function of messages and watermarks: the messages above both read_up_to and cleared_up_to that
-- count_unread counts. So it goes down by those that the watermark passes, and none is left above the last message.
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
    told jsonb := '{}';
    raised bigint;
BEGIN
    SELECT c.ctid, c.peer_id, c.last_message_id, c.read_up_to, c.delivered_up_to, c.cleared_up_to, c.unread_count
    INTO place, found, last, read_before, delivered_before, cleared, unread
    FROM {shard}.conversation c
    WHERE c.user_id = mailbox_id AND c.peer_id >= peer
    ORDER BY c.peer_id LIMIT 1;
    IF found IS DISTINCT FROM peer THEN
        RETURN '{"status": "conversation-not-found"}';
    END IF;
    read_now := greatest(read_before, least(coalesce((argument ->> 'readUpTo')::bigint, 0), last));
    delivered_now := greatest(delivered_before, read_now,
                              least(coalesce((argument ->> 'deliveredUpTo')::bigint, 0), last));
    IF read_now = read_before AND delivered_now = delivered_before THEN
        RETURN answer;
    END IF;

    IF read_now = last THEN
        unread := 0;
    ELSIF read_now > greatest(read_before, cleared) THEN
        unread := unread - {shard}.count_unread(mailbox_id, peer, greatest(read_before, cleared), read_now);
    END IF;
    IF delivered_now > delivered_before THEN
        told := jsonb_build_object('deliveredUpTo', delivered_now::text);
    END IF;
    IF read_now > read_before AND (SELECT a.read_receipts FROM {shard}.account a WHERE a.user_id = mailbox_id) THEN
        told := told || jsonb_build_object('readUpTo', read_now::text);
    END IF;
    IF told <> '{}' THEN
        answer := answer || jsonb_build_object('owes', jsonb_build_array({shard}.receipt_owed(mailbox_id, peer, told)));
    END IF;
    raised := {shard}.next_version(mailbox_id);
    UPDATE {shard}.conversation c
    SET read_up_to = read_now, delivered_up_to = delivered_now, unread_count = unread, version = raised,
        changed_period = raised >> 27
    WHERE c.ctid = place;
    RETURN answer || jsonb_build_object('version', raised);
END
$$;
REVOKE ALL ON FUNCTION {shard}.change_receipt(bigint, jsonb) FROM PUBLIC;
