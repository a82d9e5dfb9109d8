-- What the server needs to judge a refresh token of a session.
--
-- mailbox_id, wanted_id  the user and the session
-- Rows: one; none if the session has ended or has expired. The salt and the hash are in hexadecimal.
CREATE OR REPLACE FUNCTION {shard}.find_session(mailbox_id bigint, wanted_id bigint)
    RETURNS TABLE (generation integer, rotations bigint[], salt text, current_hash text, clock bigint)
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
    SELECT s.generation, s.rotations, encode(s.salt, 'hex'), encode(s.current_hash, 'hex'), now_at
    FROM {shard}.session s
    WHERE s.user_id = mailbox_id AND s.session_id = wanted_id AND s.expires_timestamp > now_at;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.find_session(bigint, bigint) TO parley_server;
