-- The message up to which a user sees the reads of others in a group: to the end, or, for a user who hides their own read receipts,
-- as far as the user's conversation shows it already.
--
-- mailbox_id  of the user
-- peer        the group
-- Result: a message id; null if the mailbox does not exist or is erased.
CREATE OR REPLACE FUNCTION {shard}.visible_reads(mailbox_id bigint, peer bigint)
    RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    RETURN (SELECT CASE WHEN a.read_receipts THEN 9223372036854775807
                        ELSE coalesce((SELECT c.peer_read_up_to
                                       FROM (SELECT c.peer_id, c.peer_read_up_to FROM {shard}.conversation c
                                             WHERE c.user_id = mailbox_id AND c.peer_id >= peer
                                             ORDER BY c.peer_id LIMIT 1) c
                                       WHERE c.peer_id = peer), 0) END
            FROM {shard}.account a WHERE a.user_id = mailbox_id);
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.visible_reads(bigint, bigint) TO parley_server;
