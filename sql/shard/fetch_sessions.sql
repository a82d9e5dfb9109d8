-- The sessions of a user, the one that was seen last first.
--
-- mailbox_id
-- Rows: one for each session that has not expired; one with session_id null if there is none. No row: there is no such user.
CREATE OR REPLACE FUNCTION {shard}.fetch_sessions(mailbox_id bigint)
    RETURNS TABLE (session_id bigint, device_name text, address text, created_timestamp bigint, last_seen_timestamp bigint,
                   expires_timestamp bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    now_at constant bigint := parley.clock_us();
BEGIN
    RETURN QUERY
    SELECT s.session_id, s.device_name, s.address, s.created_timestamp, s.last_seen_timestamp, s.expires_timestamp
    FROM {shard}.mailbox m
         LEFT JOIN LATERAL (SELECT * FROM {shard}.session s
                            WHERE s.user_id = mailbox_id AND s.expires_timestamp > now_at OFFSET 0) s ON true
    WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL
    ORDER BY s.last_seen_timestamp DESC, s.session_id DESC;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_sessions(bigint) TO parley_server;
