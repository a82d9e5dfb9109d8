-- Ends sessions of a user whose mailbox the transaction has locked, and notes it for the servers (auth_ending, auth_epoch).
--
-- ended_id     a session; 0: all but kept_id
-- kept_id      with ended_id 0; 0: none is kept
-- ends_tokens  with ended_id 0: the user's tokens that have no session end too
-- is_erasure   the user is being erased
-- Result: the time of the ending, which is above the id of every session that it ends.
CREATE OR REPLACE FUNCTION {shard}.close_sessions(
    mailbox_id bigint, ended_id bigint, kept_id bigint, ends_tokens boolean, is_erasure boolean)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    ended_at bigint;
BEGIN
    UPDATE {shard}.mailbox m
    SET auth_epoch = greatest(parley.clock_us(), m.auth_epoch + 1,
                              (SELECT max(s.session_id) + 1 FROM {shard}.session s WHERE s.user_id = mailbox_id))
    WHERE m.user_id = mailbox_id
    RETURNING m.auth_epoch INTO ended_at;

    DELETE FROM {shard}.session s
    WHERE s.user_id = mailbox_id AND s.session_id = ended_id OR s.user_id = mailbox_id AND ended_id = 0 AND s.session_id <> kept_id;
    IF ends_tokens THEN
        UPDATE {shard}.account a SET tokens_ended_timestamp = ended_at WHERE a.user_id = mailbox_id;
    END IF;
    INSERT INTO {shard}.auth_ending AS e (user_id, session_id, ended_timestamp, kept_session_id, tokens_timestamp, is_erased)
    VALUES (mailbox_id, ended_id, ended_at, kept_id, CASE WHEN ends_tokens THEN ended_at END, is_erasure)
    ON CONFLICT (user_id, session_id) DO UPDATE
    SET ended_timestamp = excluded.ended_timestamp, kept_session_id = excluded.kept_session_id,
        tokens_timestamp = coalesce(excluded.tokens_timestamp, e.tokens_timestamp), is_erased = excluded.is_erased;
    RETURN ended_at;
END
$$;
