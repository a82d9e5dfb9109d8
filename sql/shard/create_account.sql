-- Creates an account and its mailbox.
--
-- user_id            from the id generator, of this shard
-- username           lower-case; its hash is of this shard
-- display_name
-- password_hash      or null
-- created_timestamp  microseconds; the mailbox's first version
-- metadata           text of a JSON object, or null
-- Result: 'created', 'username-taken' or 'id-taken' (call again with another id). The same call again, for example after a lost
-- connection, is 'created' too.
CREATE OR REPLACE FUNCTION {shard}.create_account(
    user_id bigint, username text, display_name text, password_hash text, created_timestamp bigint, metadata text)
    RETURNS text
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    holder {shard}.account;
BEGIN
    INSERT INTO {shard}.account (user_id, username, display_name, password_hash, created_timestamp, metadata)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        INSERT INTO {shard}.mailbox (user_id, version) VALUES ($1, $5) ON CONFLICT DO NOTHING;
        IF FOUND THEN
            RETURN 'created';
        END IF;
        -- The mailbox of an erased user: its id is not used again.
        DELETE FROM {shard}.account a WHERE a.user_id = $1;
        RETURN 'id-taken';
    END IF;

    SELECT a.* INTO holder FROM {shard}.account a WHERE a.user_id = $1;
    IF NOT FOUND THEN
        RETURN 'username-taken';
    END IF;
    IF (holder.username, holder.created_timestamp, holder.password_hash) IS NOT DISTINCT FROM ($2, $5, $4) THEN
        RETURN 'created';
    END IF;
    RETURN 'id-taken';
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.create_account(bigint, text, text, text, bigint, text) TO parley_server;
