-- Takes over a group's state in this shard, unless a later one is here: its name, its members, and how far they have received and
-- read. A member who has left keeps what the conversation showed of the group. An erased user gets nothing, and leaves nothing behind.
--
-- peer     the group
-- state    of group_state
-- members  mailboxes of this shard
CREATE OR REPLACE FUNCTION {shard}.set_group_view(peer bigint, state jsonb, members jsonb)
    RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    mailbox_ids bigint[] := ARRAY(SELECT m.id::bigint FROM jsonb_array_elements_text(members) AS m (id));
    here bigint := parley.shard_base(mailbox_ids[1]);
    current_ids bigint[] := ARRAY(SELECT m.id::bigint FROM jsonb_array_elements_text(state -> 'memberIds') AS m (id));
    present_ids bigint[] := ARRAY(SELECT b.user_id FROM {shard}.mailbox b
                                  WHERE b.user_id = ANY (mailbox_ids) AND b.erased_timestamp IS NULL);
    staying bigint[];
    is_newer boolean;
BEGIN
    INSERT INTO {shard}.group_view AS v (shard_id, group_id, revision, member_ids, view)
    VALUES (here, peer, (state ->> 'revision')::bigint, current_ids, state ->> 'view')
    ON CONFLICT (shard_id, group_id) DO UPDATE
    SET revision = excluded.revision, member_ids = excluded.member_ids, view = excluded.view
    WHERE v.revision < excluded.revision;
    is_newer := FOUND;
    -- The message about a member who has left may arrive after a later state.
    IF NOT is_newer THEN
        SELECT v.member_ids INTO current_ids FROM {shard}.group_view v WHERE v.shard_id = here AND v.group_id = peer;
    END IF;
    -- A state that comes again, or late, is not that in which the user has left last.
    INSERT INTO {shard}.membership AS s (user_id, group_id, left_view)
    SELECT m.id, peer, state ->> 'leftView' FROM unnest(present_ids) AS m (id) WHERE m.id <> ALL (current_ids)
    ON CONFLICT (user_id, group_id) DO UPDATE SET left_view = excluded.left_view WHERE is_newer OR s.left_view IS NULL;
    IF NOT is_newer THEN
        RETURN;
    END IF;
    staying := ARRAY(SELECT m.id FROM unnest(present_ids) AS m (id) WHERE m.id = ANY (current_ids));
    INSERT INTO {shard}.membership AS s (user_id, group_id)
    SELECT m.user_id, peer FROM unnest(staying) AS m (user_id)
    ON CONFLICT (user_id, group_id) DO UPDATE SET left_view = NULL WHERE s.left_view IS NOT NULL;
    PERFORM {shard}.set_group_watermarks(peer, state, staying);
END
$$;
