-- Moves the peer's watermarks in a conversation forward: how far the user's own messages were delivered and read.
--
-- argument  peerId: the user who has received or read; deliveredUpTo, readUpTo: one or both
-- Result: status; version, if a watermark has moved. A user who hides their own read receipts does not get others'.
-- status: done; missing: the conversation does not exist yet, since the sender's copy is still in the outbox.
CREATE OR REPLACE FUNCTION {shard}.change_peer_receipt(mailbox_id bigint, argument jsonb)
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
    place tid;
    found bigint;
    read_before bigint;
    read_now bigint;
    delivered_before bigint;
    delivered_now bigint;
    raised bigint;
BEGIN
    SELECT c.ctid, c.peer_id, c.peer_read_up_to, c.peer_delivered_up_to
    INTO place, found, read_before, delivered_before
    FROM {shard}.conversation c
    WHERE c.user_id = mailbox_id AND c.peer_id >= peer
    ORDER BY c.peer_id LIMIT 1;
    IF found IS DISTINCT FROM peer THEN
        RETURN '{"status": "missing"}';
    END IF;
    delivered_now := greatest(delivered_before, (argument ->> 'deliveredUpTo')::bigint);
    read_now := read_before;
    IF (argument ->> 'readUpTo')::bigint > read_before
       AND (SELECT a.read_receipts FROM {shard}.account a WHERE a.user_id = mailbox_id) THEN
        read_now := argument ->> 'readUpTo';
    END IF;
    IF read_now = read_before AND delivered_now = delivered_before THEN
        RETURN '{"status": "done"}';
    END IF;

    raised := {shard}.next_version(mailbox_id);
    UPDATE {shard}.conversation c
    SET peer_read_up_to = read_now, peer_delivered_up_to = delivered_now, version = raised,
        changed_period = parley.period_of(raised)
    WHERE c.ctid = place;
    RETURN jsonb_build_object('status', 'done', 'version', raised);
END
$$;
