-- Changes the parts of an account that its user may change. A parameter that is null leaves the old value.
--
-- id                 a user of this shard
-- new_display_name
-- new_password_hash
-- new_read_receipts
-- new_show_presence
-- new_group_invites
-- new_metadata       text of a JSON object
-- verified_hash      with new_password_hash: the account's hash that the current password was verified with; null: it has none
-- kept_session       with new_password_hash: the caller's session, which goes on while the user's others end; 0: none
-- Rows: the account after the change, and when the other sessions ended, if they did. None if there is no such user, or the password
-- was changed since it was verified. The same call again changes nothing.
CREATE OR REPLACE FUNCTION {shard}.update_account(
    id bigint, new_display_name text, new_password_hash text, new_read_receipts boolean, new_show_presence boolean,
    new_group_invites text, new_metadata text, verified_hash text, kept_session bigint)
    RETURNS TABLE (user_id bigint, username text, display_name text, password_hash text, created_timestamp bigint,
                   read_receipts boolean, show_presence boolean, group_invites text, metadata text, sessions_ended_timestamp bigint)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    old_hash text;
    ended_at bigint;
BEGIN
    IF new_password_hash IS NOT NULL THEN
        SELECT m.auth_epoch INTO ended_at FROM {shard}.mailbox m WHERE m.user_id = id FOR UPDATE;
        SELECT a.password_hash INTO old_hash FROM {shard}.account a WHERE a.user_id = id;
        IF old_hash IS DISTINCT FROM new_password_hash THEN
            IF old_hash IS DISTINCT FROM verified_hash THEN
                RETURN;
            END IF;
            -- A first password ends no session.
            ended_at := CASE WHEN old_hash IS NOT NULL THEN {shard}.close_sessions(id, 0, kept_session, false, false) END;
        END IF;
    END IF;
    -- From now on the user's pages show the reads of others, or hide them.
    IF new_read_receipts <> (SELECT a.read_receipts FROM {shard}.account a WHERE a.user_id = id) THEN
        PERFORM {shard}.next_version(id);
    END IF;
    RETURN QUERY
    UPDATE {shard}.account a
    SET display_name = coalesce(new_display_name, a.display_name),
        password_hash = coalesce(new_password_hash, a.password_hash),
        read_receipts = coalesce(new_read_receipts, a.read_receipts),
        show_presence = coalesce(new_show_presence, a.show_presence),
        group_invites = coalesce(new_group_invites, a.group_invites),
        metadata = coalesce(new_metadata, a.metadata)
    WHERE a.user_id = id
    RETURNING a.user_id, a.username, a.display_name, a.password_hash, a.created_timestamp, a.read_receipts, a.show_presence,
              a.group_invites, a.metadata, ended_at;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.update_account(bigint, text, text, boolean, boolean, text, text, text, bigint) TO parley_server;
