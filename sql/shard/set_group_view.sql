-- Takes over a group's state in this shard, unless a later one is here: what members' conversations show of it, and how far all
-- other members have received and read.
--
-- peer     the group
-- state    of group_state
-- members  mailboxes of this shard
-- Result: whether the state is newer than the one that was here.
CREATE OR REPLACE FUNCTION {shard}.set_group_view(peer bigint, state jsonb, members jsonb)
    RETURNS boolean
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
    staying bigint[];
    leaving bigint[];
    is_newer boolean;
BEGIN
    INSERT INTO {shard}.group_view AS v (shard_id, group_id, revision, member_ids, view, hidden_view)
    VALUES (here, peer, (state ->> 'revision')::bigint, current_ids, state ->> 'view', state ->> 'hiddenView')
    ON CONFLICT (shard_id, group_id) DO UPDATE
    SET revision = excluded.revision, member_ids = excluded.member_ids, view = excluded.view,
        hidden_view = excluded.hidden_view
    WHERE v.revision < excluded.revision;
    is_newer := FOUND;
    -- The message about a member who has left may arrive after a later state.
    IF NOT is_newer THEN
        SELECT v.member_ids INTO current_ids FROM {shard}.group_view v WHERE v.shard_id = here AND v.group_id = peer;
    END IF;
    leaving := ARRAY(SELECT m.id FROM unnest(mailbox_ids) AS m (id) EXCEPT SELECT c.id FROM unnest(current_ids) AS c (id));
    IF cardinality(leaving) > 0 THEN
        DELETE FROM {shard}.membership s WHERE s.user_id = ANY (leaving) AND s.group_id = peer;
    END IF;
    IF NOT is_newer THEN
        RETURN false;
    END IF;
    staying := ARRAY(SELECT m.id FROM unnest(mailbox_ids) AS m (id) INTERSECT SELECT c.id FROM unnest(current_ids) AS c (id));
    INSERT INTO {shard}.membership (user_id, group_id)
    SELECT s.user_id, peer FROM unnest(staying) AS s (user_id)
    ON CONFLICT DO NOTHING;
    -- The lowest watermark of the others. For the member with the lowest of all it is the second lowest.
    UPDATE {shard}.conversation c
    SET peer_read_up_to = CASE
            WHEN (SELECT a.read_receipts FROM {shard}.account a WHERE a.user_id = c.user_id)
            THEN greatest(c.peer_read_up_to, (state #>> ARRAY[
                     'lowestRead', (c.user_id::text = state #>> '{lowestRead,0,0}')::integer::text, '1'])::bigint)
            ELSE c.peer_read_up_to END,
        peer_delivered_up_to = greatest(c.peer_delivered_up_to, (state #>> ARRAY[
            'lowestDelivered', (c.user_id::text = state #>> '{lowestDelivered,0,0}')::integer::text, '1'])::bigint)
    WHERE c.ctid = ANY ({shard}.group_conversations(staying, peer));
    RETURN true;
END
$$;
