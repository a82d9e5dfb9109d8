-- Replaces the present refresh token of a session by its successor.
--
-- mailbox_id, wanted_id   the user and the session
-- old_hash, new_hash      of the secrets of the two tokens, in hexadecimal
-- from_address            or null
-- lifetime                microseconds until the session expires, unless it is refreshed again
-- Result: true if new_hash is the present token's now; so is it for a repeated call. false: the session has ended, or another request
-- has rotated it since it was read.
CREATE OR REPLACE FUNCTION {shard}.rotate_session(
    mailbox_id bigint, wanted_id bigint, old_hash text, new_hash text, from_address text, lifetime bigint)
    RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    now_at constant bigint := parley.clock_us();
BEGIN
    UPDATE {shard}.session s
    SET generation = s.generation + 1, current_hash = decode(new_hash, 'hex'), rotations = (now_at || s.rotations)[1:8],
        last_seen_timestamp = now_at, address = coalesce(from_address, s.address),
        expires_timestamp = now_at + lifetime, expires_hour = parley.hour_of(now_at + lifetime)
    WHERE s.user_id = mailbox_id AND s.session_id = wanted_id AND s.current_hash = decode(old_hash, 'hex');
    RETURN FOUND OR EXISTS (SELECT FROM {shard}.session s
                            WHERE s.user_id = mailbox_id AND s.session_id = wanted_id AND s.current_hash = decode(new_hash, 'hex'));
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.rotate_session(bigint, bigint, text, text, text, bigint) TO parley_server;
