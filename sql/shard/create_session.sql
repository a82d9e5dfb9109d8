-- Makes a session for a login whose password was verified.
--
-- mailbox_id     the user
-- verified_hash  the account's password_hash that the password was verified with: a change of the password since then ends the login
-- secret_hash    of the refresh token's secret, in hexadecimal; it identifies a repeated call, for example after a lost connection
-- secret_salt    in hexadecimal
-- device         or null
-- from_address   or null
-- lifetime       microseconds until the session expires, unless it is refreshed
-- max_sessions   of one user: those that were not seen for the longest time end
-- Rows: the session's id, and the sessions that ended with their time. No row: there is no such account with this password.
CREATE OR REPLACE FUNCTION {shard}.create_session(
    mailbox_id bigint, verified_hash text, secret_hash text, secret_salt text, device text, from_address text, lifetime bigint,
    max_sessions integer)
    RETURNS TABLE (session_id bigint, closed_ids bigint[], closed_timestamp bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    now_at bigint;
    made bigint;
    closed bigint[];
    closed_at bigint;
    epoch bigint;
BEGIN
    SELECT m.auth_epoch INTO epoch FROM {shard}.mailbox m
    WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NULL FOR UPDATE;
    PERFORM FROM {shard}.account a WHERE a.user_id = mailbox_id AND a.password_hash = verified_hash;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT s.session_id INTO made FROM {shard}.session s
    WHERE s.user_id = mailbox_id AND s.current_hash = decode(secret_hash, 'hex') AND s.generation = 0;
    IF NOT FOUND THEN
        closed := ARRAY(SELECT s.session_id FROM {shard}.session s WHERE s.user_id = mailbox_id
                        ORDER BY s.last_seen_timestamp DESC, s.session_id DESC OFFSET max_sessions - 1);
        FOR i IN 1 .. cardinality(closed) LOOP
            closed_at := {shard}.close_sessions(mailbox_id, closed[i], 0, false, false);
        END LOOP;
        now_at := parley.clock_us();
        made := greatest(now_at, epoch + 1, closed_at + 1,
                         (SELECT max(s.session_id) + 1 FROM {shard}.session s WHERE s.user_id = mailbox_id));
        INSERT INTO {shard}.session (user_id, session_id, created_timestamp, last_seen_timestamp, expires_timestamp, expires_hour,
                                     salt, current_hash, device_name, address)
        VALUES (mailbox_id, made, now_at, now_at, now_at + lifetime, parley.hour_of(now_at + lifetime),
                decode(secret_salt, 'hex'), decode(secret_hash, 'hex'), device, from_address);
    END IF;
    RETURN QUERY SELECT made, closed, closed_at;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.create_session(bigint, text, text, text, text, text, bigint, integer) TO parley_server;
