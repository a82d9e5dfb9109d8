-- Sets how a user wants to see a conversation.
--
-- argument  peerId; any of mutedUntil, archived, pinned: what is not there stays
-- Result: status, the settings as they are now, and version if something has changed. status: done; conversation-not-found.
CREATE OR REPLACE FUNCTION {shard}.change_settings(mailbox_id bigint, argument jsonb)
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
    before jsonb;
    after jsonb;
    raised bigint;
BEGIN
    SELECT c.ctid, c.peer_id,
           jsonb_build_object('mutedUntil', c.muted_until, 'archived', c.archived, 'pinned', c.pinned)
    INTO place, found, before
    FROM {shard}.conversation c
    WHERE c.user_id = mailbox_id AND c.peer_id >= peer
    ORDER BY c.peer_id LIMIT 1;
    IF found IS DISTINCT FROM peer THEN
        RETURN '{"status": "conversation-not-found"}';
    END IF;
    after := before || (argument - 'peerId');
    IF after = before THEN
        RETURN after || '{"status": "done"}';
    END IF;

    raised := {shard}.next_version(mailbox_id);
    UPDATE {shard}.conversation c
    SET version = raised,
        changed_period = raised >> 27,
        muted_until = (after -> 'mutedUntil')::bigint,
        archived = (after -> 'archived')::boolean,
        pinned = (after -> 'pinned')::boolean
    WHERE c.ctid = place;
    RETURN after || jsonb_build_object('status', 'done', 'version', raised);
END
$$;
REVOKE ALL ON FUNCTION {shard}.change_settings(bigint, jsonb) FROM PUBLIC;
