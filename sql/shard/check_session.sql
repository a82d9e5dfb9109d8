-- Whether a session goes on, and when the user's tokens without a session were ended last: read once after an ending, for a token that
-- was issued before.
--
-- mailbox_id, wanted_id  the user and the session; wanted_id 0: none
-- Rows: one. tokens_timestamp is null if such tokens were never ended.
CREATE OR REPLACE FUNCTION {shard}.check_session(mailbox_id bigint, wanted_id bigint)
    RETURNS TABLE (is_open boolean, tokens_timestamp bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    RETURN QUERY
    SELECT EXISTS (SELECT FROM {shard}.session s WHERE s.user_id = mailbox_id AND s.session_id = wanted_id),
           (SELECT a.tokens_ended_timestamp FROM {shard}.account a WHERE a.user_id = mailbox_id);
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.check_session(bigint, bigint) TO parley_server;
