-- Locks mailboxes of any shards of this database until the caller's transaction ends.
--
-- ids  ascending
-- Result: the mailboxes in the same order with their versions; version 0 for one that does not exist or whose user is erased.
CREATE OR REPLACE FUNCTION parley.lock_mailboxes(ids bigint[])
    RETURNS parley.mailbox_version[]
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked parley.mailbox_version[] := '{}';
    part parley.mailbox_version[];
    shard record;
BEGIN
    FOR shard IN
        SELECT parley.shard_schema(min(l.id)) AS name, array_agg(l.id ORDER BY l.id) AS ids
        FROM unnest(ids) AS l (id) GROUP BY parley.shard_of(l.id) ORDER BY parley.shard_of(l.id)
    LOOP
        EXECUTE format('SELECT %I.lock_mailboxes($1)', shard.name) INTO part USING shard.ids;
        locked := locked || part;
    END LOOP;
    RETURN locked;
END
$$;
