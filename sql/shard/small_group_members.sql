-- Members of small groups, who get a message in the transaction that stores it.
--
-- group_ids  groups of this shard
-- room       how many members may be returned
-- members    of all groups that have at most 32 members, as long as there is room
-- room_left
CREATE OR REPLACE FUNCTION {shard}.small_group_members(
    group_ids bigint[], room integer, OUT members bigint[], OUT room_left integer)
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    few CONSTANT integer := 32;
    found bigint[];
BEGIN
    members := '{}';
    room_left := room;
    FOR i IN 1 .. cardinality(group_ids) LOOP
        found := ARRAY(SELECT g.user_id FROM {shard}.group_member g
                       WHERE g.group_id = group_ids[i] AND g.until_id IS NULL LIMIT few + 1);
        IF cardinality(found) <= least(few, room_left) THEN
            members := members || found;
            room_left := room_left - cardinality(found);
        END IF;
    END LOOP;
END
$$;
