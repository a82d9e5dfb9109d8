-- Sets how a user sees a conversation: muted, archived, pinned, marked unread.
--
-- argument  peerId; any of mutedUntil, archived, pinned, markedUnread: a setting that is absent stays. creates: present if a
--           conversation without messages may be created; the caller has checked that the peer is a user
-- Result: status, all settings as they are now, and version if something has changed. status: done; conversation-not-found.
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
    -- Read as the first of an order, so that the plan uses the primary key even if it was made when the table was empty.
    SELECT c.ctid, c.peer_id,
           jsonb_build_object('mutedUntil', c.muted_until, 'archived', c.archived, 'pinned', c.pinned,
                              'markedUnread', c.marked_unread)
    INTO place, found, before
    FROM {shard}.conversation c
    WHERE c.user_id = mailbox_id AND c.peer_id >= peer
    ORDER BY c.peer_id LIMIT 1;
    IF found IS DISTINCT FROM peer THEN
        IF NOT argument ? 'creates' THEN
            RETURN '{"status": "conversation-not-found"}';
        END IF;
        before := '{"mutedUntil": 0, "archived": false, "pinned": false, "markedUnread": false}';
        place := NULL;
    END IF;
    after := before || (argument - '{peerId,creates}'::text[]);
    IF after = before THEN
        RETURN after || '{"status": "done"}';
    END IF;

    raised := {shard}.next_version(mailbox_id);
    IF place IS NULL THEN
        -- Without a message it is only in deltas: the list shows it from its first message on.
        INSERT INTO {shard}.conversation (user_id, peer_id, last_message_id, newest_period, version, changed_period,
                                          muted_until, archived, pinned, marked_unread)
        VALUES (mailbox_id, peer, 0, 0, raised, parley.period_of(raised),
                (after -> 'mutedUntil')::bigint, (after -> 'archived')::boolean, (after -> 'pinned')::boolean,
                (after -> 'markedUnread')::boolean);
        RETURN after || jsonb_build_object('status', 'done', 'version', raised);
    END IF;
    UPDATE {shard}.conversation c
    SET version = raised,
        changed_period = parley.period_of(raised),
        muted_until = (after -> 'mutedUntil')::bigint,
        archived = (after -> 'archived')::boolean,
        pinned = (after -> 'pinned')::boolean,
        marked_unread = (after -> 'markedUnread')::boolean
    WHERE c.ctid = place;
    RETURN after || jsonb_build_object('status', 'done', 'version', raised);
END
$$;
