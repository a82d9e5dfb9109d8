-- The members of small groups, to whom a message goes in the transaction that stores it.
--
-- group_ids  of the shard
-- room       how many may be given
-- members    who is in one of the groups; nobody of a group with more than 32, or for whom no room is left
-- room_left
CREATE OR REPLACE FUNCTION {shard}.few_group_members(
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
REVOKE ALL ON FUNCTION {shard}.few_group_members(bigint[], integer) FROM PUBLIC;
