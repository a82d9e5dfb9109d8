-- Locks mailboxes of any shards of this database for the transaction that calls.
--
-- ids  ascending
-- Result: their versions, in the same order; 0 for one that is not there or whose user is erased.
CREATE OR REPLACE FUNCTION parley.lock_mailboxes(ids bigint[])
    RETURNS bigint[]
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked bigint[] := '{}';
    versions bigint[];
    shard record;
BEGIN
    FOR shard IN
        SELECT parley.shard_schema(min(l.id)) AS name, array_agg(l.id ORDER BY l.id) AS ids
        FROM unnest(ids) AS l (id) GROUP BY l.id >> 50 ORDER BY l.id >> 50
    LOOP
        EXECUTE format('SELECT %I.lock_mailboxes($1)', shard.name) INTO versions USING shard.ids;
        locked := locked || versions;
    END LOOP;
    RETURN locked;
END
$$;
REVOKE ALL ON FUNCTION parley.lock_mailboxes(bigint[]) FROM PUBLIC;
