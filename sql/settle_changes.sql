-- Deletes entries of the change outbox whose change is made, as settle_outbox deletes those of the outbox.
--
-- Element i of the arrays is the key of one entry:
-- mailbox_ids
-- versions
-- ordinals
-- Result: the number of deleted entries.
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
    -- If a crash undoes the deletion, the change is only made once more, which alters nothing.
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR part IN
        SELECT parley.shard_schema(min(k.mailbox_id)) AS shard, array_agg(k.mailbox_id) AS mailboxes,
               array_agg(k.version) AS versions, array_agg(k.ordinal) AS ordinals
        FROM unnest(mailbox_ids, versions, ordinals) AS k (mailbox_id, version, ordinal)
        GROUP BY parley.shard_of(k.mailbox_id)
        ORDER BY parley.shard_of(k.mailbox_id)
    LOOP
        -- The shard is no longer in this database. The relay finds its entries and makes the changes again, which alters nothing.
        CONTINUE WHEN to_regnamespace(part.shard) IS NULL;
        EXECUTE format('SELECT %I.settle_changes($1, $2, $3)', part.shard)
        INTO deleted USING part.mailboxes, part.versions, part.ordinals;
        total := total + deleted;
    END LOOP;
    RETURN total;
END
$$;
GRANT EXECUTE ON FUNCTION parley.settle_changes(bigint[], bigint[], bigint[]) TO parley_server;
