-- Sessions and tokens that have ended since a time, in any shard of this database: every server reads them at each heartbeat.
--
-- since       in microseconds: later endings of single sessions
-- since_all   later endings of all sessions of a user, or of all but one
-- page_size   rows at most, besides the first
-- Rows: the first has the present time as ended_timestamp, and the user_id 0. The others follow in the order of their times. Fewer than
-- page_size means that there are no more.
CREATE OR REPLACE FUNCTION parley.fetch_endings(since bigint, since_all bigint, page_size integer)
    RETURNS TABLE (user_id bigint, session_id bigint, ended_timestamp bigint, kept_session_id bigint, tokens_timestamp bigint,
                   is_erased boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the table was empty.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT 0::bigint, 0::bigint, parley.clock_us(), 0::bigint, NULL::bigint, false;
    RETURN QUERY
    SELECT e.user_id, e.session_id, e.ended_timestamp, e.kept_session_id, e.tokens_timestamp, e.is_erased
    FROM parley.auth_ending e
    WHERE e.ended_timestamp > least(since, since_all) AND (e.session_id = 0 OR e.ended_timestamp > since)
          AND (e.session_id <> 0 OR e.ended_timestamp > since_all)
    ORDER BY e.ended_timestamp LIMIT page_size;
END
$$;
GRANT EXECUTE ON FUNCTION parley.fetch_endings(bigint, bigint, integer) TO parley_server;
