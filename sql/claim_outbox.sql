-- Claims outbox entries for the caller's transaction and returns the content of the senders' copies.
--
-- Element i of the arrays is the key of one entry:
-- recipient_ids
-- sender_ids
-- message_ids
-- Rows: the entries that exist and that no other session has claimed. client_message_id and content are null if the recipient's
-- message is gone: then there is no copy to make. content and extra are those of the message now, without changes that the recipient
-- has made only for themselves.
--
-- It names the parent, which opens every partition: for large batches only.
CREATE OR REPLACE FUNCTION parley.claim_outbox(recipient_ids bigint[], sender_ids bigint[], message_ids bigint[])
    RETURNS TABLE (recipient_id bigint, sender_id bigint, message_id bigint, client_message_id text, content text,
                   extra text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the tables were empty and a full scan was cheap. LATERAL: one look-up
    -- per key. The message is read as the first of an order that only the primary key has.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH claimed AS MATERIALIZED (
        SELECT k.recipient_id, k.sender_id, k.message_id
        FROM unnest(recipient_ids, sender_ids, message_ids) AS k (recipient_id, sender_id, message_id),
             LATERAL (SELECT FROM parley.outbox o
                      WHERE o.recipient_id = k.recipient_id AND o.sender_id = k.sender_id
                            AND o.message_id = k.message_id
                      FOR UPDATE SKIP LOCKED) o
    )
    SELECT c.recipient_id, c.sender_id, c.message_id, m.client_message_id, m.content, m.extra
    FROM claimed c
         LEFT JOIN LATERAL (
             SELECT m.message_id, m.client_message_id, coalesce(m.extra ->> 'copyContent', m.content) AS content,
                    nullif(CASE WHEN m.extra ->> 'deletedScope' = 'me'
                                THEN (m.extra - '{deletedTimestamp,deletedScope,copyContent,copyMetadata,original,erasedUpTo}'::text[])
                                     || CASE WHEN m.extra ? 'copyMetadata'
                                             THEN jsonb_build_object('metadata', m.extra -> 'copyMetadata') ELSE '{}' END
                                ELSE m.extra - '{original,erasedUpTo}'::text[] END, '{}')::text AS extra
             FROM parley.message m
             WHERE m.user_id = c.recipient_id AND m.peer_id = c.sender_id AND m.message_id >= c.message_id
             ORDER BY m.message_id LIMIT 1
         ) m ON m.message_id = c.message_id
    ORDER BY c.recipient_id, c.sender_id, c.message_id;
END
$$;
GRANT EXECUTE ON FUNCTION parley.claim_outbox(bigint[], bigint[], bigint[]) TO parley_server;
