-- Ends one session of a user, all others, or all with the tokens that have no session.
--
-- mailbox_id   the user
-- ended_id     a session; 0: all but kept_id
-- kept_id      with ended_id 0: the caller's own session; 0: none
-- ends_tokens  with ended_id 0: the user's tokens that have no session end too
-- Rows: one. status: done; no-mailbox: there is no such user; session-not-found: ended_id is no session, and has not ended lately;
-- session-ended: kept_id has ended itself. ended_timestamp is null if there was nothing to end.
CREATE OR REPLACE FUNCTION {shard}.end_sessions(mailbox_id bigint, ended_id bigint, kept_id bigint, ends_tokens boolean)
    RETURNS TABLE (status text, ended_timestamp bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    ended_at bigint;
BEGIN
    PERFORM FROM {shard}.mailbox m WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'no-mailbox', NULL::bigint;
    ELSIF ended_id <> 0 AND NOT EXISTS (SELECT FROM {shard}.session s WHERE s.user_id = mailbox_id AND s.session_id = ended_id) THEN
        -- Perhaps by an earlier attempt of this very call.
        SELECT e.ended_timestamp INTO ended_at FROM {shard}.auth_ending e WHERE e.user_id = mailbox_id AND e.session_id = ended_id;
        RETURN QUERY SELECT CASE WHEN ended_at IS NULL THEN 'session-not-found' ELSE 'done' END, ended_at;
    ELSIF kept_id <> 0 AND NOT EXISTS (SELECT FROM {shard}.session s WHERE s.user_id = mailbox_id AND s.session_id = kept_id) THEN
        RETURN QUERY SELECT 'session-ended', NULL::bigint;
    ELSIF ended_id = 0 AND NOT ends_tokens
          AND NOT EXISTS (SELECT FROM {shard}.session s WHERE s.user_id = mailbox_id AND s.session_id <> kept_id) THEN
        RETURN QUERY SELECT 'done', NULL::bigint;
    ELSE
        RETURN QUERY SELECT 'done', {shard}.close_sessions(mailbox_id, ended_id, kept_id, ends_tokens, false);
    END IF;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.end_sessions(bigint, bigint, bigint, boolean) TO parley_server;
