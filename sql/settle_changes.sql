-- Deletes rows of the change outbox whose change is made, as settle_outbox does those of the outbox.
--
-- mailbox_ids
-- versions
-- ordinals
-- Result: the number deleted.
CREATE OR REPLACE FUNCTION parley.settle_changes(mailbox_ids bigint[], versions bigint[], ordinals bigint[])
    RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    part record;
    deleted integer;
    total integer := 0;
BEGIN
    -- A deletion that a crash takes back costs a change that is made already.
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR part IN
        SELECT parley.shard_schema(min(k.mailbox_id)) AS shard, array_agg(k.mailbox_id) AS mailboxes,
               array_agg(k.version) AS versions, array_agg(k.ordinal) AS ordinals
        FROM unnest(mailbox_ids, versions, ordinals) AS k (mailbox_id, version, ordinal)
        GROUP BY k.mailbox_id >> 50
        ORDER BY k.mailbox_id >> 50
    LOOP
        CONTINUE WHEN to_regnamespace(part.shard) IS NULL;
        EXECUTE format('SELECT %I.settle_changes($1, $2, $3)', part.shard)
        INTO deleted USING part.mailboxes, part.versions, part.ordinals;
        total := total + deleted;
    END LOOP;
    RETURN total;
END
$$;
REVOKE ALL ON FUNCTION parley.settle_changes(bigint[], bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.settle_changes(bigint[], bigint[], bigint[]) TO parley_server;
