-- Totals of unread messages: any number of reads of mailboxes of this shard.
--
-- mailbox_ids
-- Rows: one for each mailbox. `read` is its place in the array; conversation_count: conversations with unread messages, or that the
-- user has marked unread; message_count: unread messages; has_more: there are older conversations, which are not counted. No row
-- for a mailbox that does not exist or is erased.
--
-- It counts in the newest 1,000 conversations. So the cost has a bound, and does not depend on how many messages there are. An index
-- of only the unread conversations would be cheaper to read, but each send and each receipt would change it, and could not update
-- the conversation within its page (HOT).
-- STABLE: all counts are of one snapshot.
CREATE OR REPLACE FUNCTION {shard}.fetch_unread(mailbox_ids bigint[])
    RETURNS TABLE (read integer, conversation_count integer, message_count bigint, has_more boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the table was empty. The LIMIT has to be filled in the order of the index.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET jit = off
AS $$
DECLARE
    counted CONSTANT integer := 1000;
BEGIN
    RETURN QUERY
    SELECT r.number::integer, t.conversations::integer, t.messages::bigint, t.found > counted
    FROM unnest(mailbox_ids) WITH ORDINALITY AS r (mailbox_id, number)
         CROSS JOIN LATERAL (SELECT FROM {shard}.mailbox b
                             WHERE b.user_id = r.mailbox_id AND b.erased_timestamp IS NULL LIMIT 1) b
         CROSS JOIN LATERAL (
             SELECT count(*) AS found,
                    count(*) FILTER (WHERE c.place <= counted AND c.last_message_id > c.cleared_up_to
                                           AND (c.unread_count > 0 OR c.marked_unread)) AS conversations,
                    coalesce(sum(c.unread_count) FILTER (WHERE c.place <= counted), 0) AS messages
             FROM (SELECT c.last_message_id, c.cleared_up_to, c.unread_count, c.marked_unread, row_number() OVER () AS place
                   FROM (SELECT c.last_message_id, c.cleared_up_to, c.unread_count, c.marked_unread
                         FROM {shard}.conversation c
                         WHERE c.user_id = r.mailbox_id
                         ORDER BY c.newest_period DESC LIMIT counted + 1) c) c) t;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_unread(bigint[]) TO parley_server;
