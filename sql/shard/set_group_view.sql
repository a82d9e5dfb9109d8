-- Takes over a group's state, unless a later one is there: what its members' conversations in this shard show of it, and how far all
-- others have come.
--
-- peer     the group
-- state    of group_state
-- members  mailboxes of the shard
-- Result: whether it is newer than what was there.
CREATE OR REPLACE FUNCTION {shard}.set_group_view(peer bigint, state jsonb, members jsonb)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    INSERT INTO {shard}.group_view AS v (shard_id, group_id, revision, member_ids, view, hidden_view)
    VALUES (((members ->> 0)::bigint >> 50) << 50, peer, (state ->> 'revision')::bigint,
            ARRAY(SELECT m.id::bigint FROM jsonb_array_elements_text(state -> 'memberIds') AS m (id)),
            state ->> 'view', state ->> 'hiddenView')
    ON CONFLICT (shard_id, group_id) DO UPDATE
    SET revision = excluded.revision, member_ids = excluded.member_ids, view = excluded.view,
        hidden_view = excluded.hidden_view
    WHERE v.revision < excluded.revision;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- The least of the others: of who has come least far themselves, the second.
    UPDATE {shard}.conversation c
    SET peer_read_up_to = greatest(c.peer_read_up_to, (state #>> ARRAY['lowestRead', o.read_place, '1'])::bigint),
        peer_delivered_up_to = greatest(c.peer_delivered_up_to,
                                        (state #>> ARRAY['lowestDelivered', o.delivered_place, '1'])::bigint)
    FROM (SELECT m.id::bigint AS user_id,
                 (m.id = state #>> '{lowestRead,0,0}')::integer::text AS read_place,
                 (m.id = state #>> '{lowestDelivered,0,0}')::integer::text AS delivered_place
          FROM jsonb_array_elements_text(members) AS m (id)
          WHERE state -> 'memberIds' ? m.id) o
    WHERE c.user_id = o.user_id AND c.peer_id = peer;
    RETURN true;
END
$$;
REVOKE ALL ON FUNCTION {shard}.set_group_view(bigint, jsonb, jsonb) FROM PUBLIC;
