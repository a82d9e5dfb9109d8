-- Deletes expired sessions, and endings that no server needs any more, in all shards of this database. Servers call it now and then.
--
-- keep         how long an ending of one session is kept, in microseconds
-- keep_all     and one of all sessions of a user
-- page_size    rows of each table at most
-- Result: the number of deleted sessions. An expired session leaves an ending, which closes what it still has open. Its access tokens have
-- expired before it, so that auth_epoch need not change.
CREATE OR REPLACE FUNCTION parley.expire_sessions(keep bigint, keep_all bigint, page_size integer)
    RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the tables were empty.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
AS $$
DECLARE
    now_at constant bigint := parley.clock_us();
    expired integer;
BEGIN
    WITH chosen AS MATERIALIZED (
        SELECT s.user_id, s.session_id FROM parley.session s
        WHERE s.expires_hour <= parley.hour_of(now_at) AND s.expires_timestamp <= now_at
        ORDER BY s.expires_hour LIMIT page_size FOR UPDATE SKIP LOCKED
    ),
    deleted AS (
        DELETE FROM parley.session s USING chosen c WHERE s.user_id = c.user_id AND s.session_id = c.session_id
        RETURNING s.user_id, s.session_id
    )
    INSERT INTO parley.auth_ending (user_id, session_id, ended_timestamp, kept_session_id, is_erased)
    SELECT d.user_id, d.session_id, now_at, 0, false FROM deleted d
    ON CONFLICT (user_id, session_id) DO NOTHING;
    GET DIAGNOSTICS expired = ROW_COUNT;

    WITH chosen AS MATERIALIZED (
        SELECT e.user_id, e.session_id FROM parley.auth_ending e
        WHERE e.ended_timestamp < now_at - least(keep, keep_all)
              AND e.ended_timestamp < now_at - CASE WHEN e.session_id = 0 THEN keep_all ELSE keep END
        ORDER BY e.ended_timestamp LIMIT page_size FOR UPDATE SKIP LOCKED
    )
    DELETE FROM parley.auth_ending e USING chosen c WHERE e.user_id = c.user_id AND e.session_id = c.session_id;
    RETURN expired;
END
$$;
GRANT EXECUTE ON FUNCTION parley.expire_sessions(bigint, bigint, integer) TO parley_server;
