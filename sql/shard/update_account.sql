-- Changes the parts of an account that its user may change. A parameter that is null leaves the old value.
--
-- id                 a user of this shard
-- new_display_name
-- new_password_hash
-- new_read_receipts
-- new_show_presence
-- new_group_invites
-- new_metadata       text of a JSON object
-- Rows: the account after the change; none if there is no such user. The same call again changes nothing.
CREATE OR REPLACE FUNCTION {shard}.update_account(
    id bigint, new_display_name text, new_password_hash text, new_read_receipts boolean, new_show_presence boolean,
    new_group_invites text, new_metadata text)
    RETURNS TABLE (user_id bigint, username text, display_name text, password_hash text, created_timestamp bigint,
                   read_receipts boolean, show_presence boolean, group_invites text, metadata text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
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
              a.group_invites, a.metadata;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.update_account(bigint, text, text, boolean, boolean, text, text) TO parley_server;
