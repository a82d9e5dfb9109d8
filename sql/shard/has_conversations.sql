-- With which of some others a user has a conversation.
--
-- mailbox_id  whose conversations
-- peers       the others
-- Result: for each, in the same order, whether there is one, or they are both in a group; null if there is no such mailbox, or
-- it is erased.
--
-- Each is a look-up of its own: an EXISTS might be planned as a hash of all that the mailbox has. It takes the first peer at or
-- above, in an order that the primary key alone has: by equality, in a table that was small when the plan was made, another
-- index that begins with user_id would do, and read the whole mailbox later.
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
    has := ARRAY(SELECT coalesce((SELECT c.peer_id = p.peer_id FROM {shard}.conversation c
                                  WHERE c.user_id = mailbox_id AND c.peer_id >= p.peer_id
                                  ORDER BY c.peer_id LIMIT 1), false)
                 FROM unnest(peers) AS p (peer_id));
    IF false = ANY (has) THEN
        in_groups := ARRAY(SELECT DISTINCT unnest(v.member_ids)
                           FROM {shard}.membership s,
                                LATERAL (SELECT v.group_id, v.member_ids FROM {shard}.group_view v
                                         WHERE v.shard_id = (mailbox_id >> 50) << 50 AND v.group_id >= s.group_id
                                         ORDER BY v.group_id LIMIT 1) v
                           WHERE s.user_id = mailbox_id AND v.group_id = s.group_id AND mailbox_id = ANY (v.member_ids));
        has := ARRAY(SELECT h.has OR h.peer_id = ANY (in_groups) FROM unnest(has, peers) AS h (has, peer_id));
    END IF;
    RETURN has;
END
$$;
REVOKE ALL ON FUNCTION {shard}.has_conversations(bigint, bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {shard}.has_conversations(bigint, bigint[]) TO parley_server;
