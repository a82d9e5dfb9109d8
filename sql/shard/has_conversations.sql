-- Whether a user knows each of some others: by a conversation with a message, or by a common group.
--
-- mailbox_id  the user's
-- peers       the others
-- Result: for each, in the same order; null if the mailbox does not exist or is erased.
--
-- Each is a look-up of its own: EXISTS might be planned as a hash of the whole mailbox. It takes the first peer at or above, in an
-- order that only the primary key has: with equality a plan that was made on a small table might use another index that begins
-- with user_id, and later read the whole mailbox.
CREATE OR REPLACE FUNCTION {shard}.has_conversations(mailbox_id bigint, peers bigint[])
    RETURNS boolean[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    has boolean[];
    in_groups bigint[];
BEGIN
    PERFORM FROM {shard}.mailbox m WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    has := ARRAY(SELECT coalesce((SELECT c.peer_id = p.peer_id AND c.last_message_id > 0 FROM {shard}.conversation c
                                  WHERE c.user_id = mailbox_id AND c.peer_id >= p.peer_id
                                  ORDER BY c.peer_id LIMIT 1), false)
                 FROM unnest(peers) AS p (peer_id));
    IF false = ANY (has) THEN
        in_groups := ARRAY(SELECT DISTINCT unnest(v.member_ids)
                           FROM {shard}.membership s,
                                LATERAL (SELECT v.group_id, v.member_ids FROM {shard}.group_view v
                                         WHERE v.shard_id = parley.shard_base(mailbox_id) AND v.group_id >= s.group_id
                                         ORDER BY v.group_id LIMIT 1) v
                           WHERE s.user_id = mailbox_id AND s.left_view IS NULL AND v.group_id = s.group_id);
        has := ARRAY(SELECT h.has OR h.peer_id = ANY (in_groups) FROM unnest(has, peers) AS h (has, peer_id));
    END IF;
    RETURN has;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.has_conversations(bigint, bigint[]) TO parley_server;
