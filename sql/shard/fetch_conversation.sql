-- Single conversations of mailboxes: any number of reads of mailboxes of this shard.
--
-- Element i of the arrays is one read:
-- mailbox_ids
-- peers        the conversation
-- Rows: one for each read, with the columns of fetch_conversations. peer_id is null if there is no such conversation. No row: the
-- mailbox does not exist or is erased. A conversation that was cleared is there too, as in the changes of fetch_conversations.
-- STABLE: versions and rows are of one snapshot.
CREATE OR REPLACE FUNCTION {shard}.fetch_conversation(mailbox_ids bigint[], peers bigint[])
    RETURNS TABLE (read integer, mailbox_version bigint, is_delta boolean,
                   peer_id bigint, last_message_id bigint, beginning text, unread_count integer, version bigint,
                   read_up_to bigint, delivered_up_to bigint, peer_read_up_to bigint, peer_delivered_up_to bigint,
                   cleared_up_to bigint, muted_until bigint, flags integer, view text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- As in fetch_conversations: each row is read as the first of an index's order, whatever the plan was made on.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET max_parallel_workers_per_gather = 0
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT r.number::integer, b.version, false, c.peer_id, c.last_message_id, m.beginning, c.unread_count,
           c.version, c.read_up_to, c.delivered_up_to, c.peer_read_up_to, c.peer_delivered_up_to, c.cleared_up_to,
           c.muted_until, parley.conversation_flags(c.archived, c.pinned, c.marked_unread),
           CASE WHEN parley.is_group(c.peer_id) THEN {shard}.group_view_of(c.user_id, c.peer_id) END
    FROM unnest(mailbox_ids, peers) WITH ORDINALITY AS r (mailbox_id, peer_id, number)
         CROSS JOIN LATERAL (SELECT b.version FROM {shard}.mailbox b
                             WHERE b.user_id = r.mailbox_id AND b.erased_timestamp IS NULL LIMIT 1) b
         LEFT JOIN LATERAL (
             SELECT * FROM {shard}.conversation c
             WHERE c.user_id = r.mailbox_id AND c.peer_id >= r.peer_id
             ORDER BY c.peer_id LIMIT 1) c ON c.peer_id = r.peer_id
         LEFT JOIN LATERAL (
             SELECT CASE WHEN octet_length(m.content) <= 400 THEN m.content ELSE left(m.content, 100) END
             FROM {shard}.message m
             WHERE m.user_id = r.mailbox_id AND m.peer_id = c.peer_id
                   AND m.message_id >= greatest(c.last_message_id, c.cleared_up_to + 1)
             ORDER BY m.message_id LIMIT 1) AS m (beginning) ON true;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_conversation(bigint[], bigint[]) TO parley_server;
