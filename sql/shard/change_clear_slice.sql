-- Empties the next 1,000 messages that change_clear has cleared, each as change_deletion does. It is repeated until none is left.
--
-- argument  peerId; after, upTo: the range of cleared messages; timestamp
-- Result: status. status: done; missing: there are more.
--
-- It raises no version, since no page shows these messages. The last of the messages keeps the progress (erasedUpTo), and each
-- call continues from there.
CREATE OR REPLACE FUNCTION {shard}.change_clear_slice(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
    SET enable_hashjoin = off
    SET enable_mergejoin = off
AS $$
DECLARE
    peer bigint := argument ->> 'peerId';
    last bigint := argument ->> 'upTo';
    start bigint;
    reached bigint;
BEGIN
    SELECT greatest((argument ->> 'after')::bigint, (m.extra ->> 'erasedUpTo')::bigint) INTO start
    FROM {shard}.message m
    WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id >= last
    ORDER BY m.message_id LIMIT 1;

    WITH slice AS MATERIALIZED (
        SELECT m.ctid AS place, m.message_id, m.content, coalesce(m.extra, '{}') AS extra
        FROM {shard}.message m
        WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id > start AND m.message_id <= last
        ORDER BY m.message_id LIMIT 1000
    ), emptied AS (
        UPDATE {shard}.message m
        SET content = '',
            extra = jsonb_build_object('original', parley.content_hash(s.content, s.extra ->> 'metadata'))
                    || (s.extra - 'metadata')
                    -- The sender's copy will be made of this one.
                    || CASE WHEN (SELECT true FROM {shard}.outbox o
                                  WHERE o.recipient_id = mailbox_id AND o.sender_id = peer
                                        AND o.message_id = s.message_id)
                            THEN jsonb_build_object('copyContent', s.content)
                                 || CASE WHEN s.extra ? 'metadata'
                                         THEN jsonb_build_object('copyMetadata', s.extra -> 'metadata') ELSE '{}' END
                            ELSE '{}' END
                    || jsonb_build_object('deletedTimestamp', argument -> 'timestamp', 'deletedScope', 'me')
        FROM slice s
        WHERE m.ctid = s.place AND NOT s.extra ? 'deletedTimestamp'
    )
    SELECT max(message_id) INTO reached FROM slice HAVING count(*) = 1000;
    IF coalesce(reached, last) >= last THEN
        RETURN '{"status": "done"}';
    END IF;
    UPDATE {shard}.message m
    SET extra = coalesce(m.extra, '{}') || jsonb_build_object('erasedUpTo', reached::text)
    WHERE m.ctid = (SELECT k.ctid FROM {shard}.message k
                    WHERE k.user_id = mailbox_id AND k.peer_id = peer AND k.message_id >= last
                    ORDER BY k.message_id LIMIT 1);
    RETURN '{"status": "missing"}';
END
$$;
