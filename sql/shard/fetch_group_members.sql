-- A page of a group's members, in the order of their ids, in the group's home shard.
--
-- id             of the group
-- caller         the user who asks
-- visible_reads  of the caller, see visible_reads
-- after          0, or an id: only members above it
-- page_size      members at most
-- status  done; group-not-found: there is no such group, or the caller is no member
-- page    the answer of the API as text; null unless it is done
CREATE OR REPLACE FUNCTION {shard}.fetch_group_members(
    id bigint, caller bigint, visible_reads bigint, after bigint, page_size integer, OUT status text, OUT page text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
BEGIN
    IF {shard}.group_role_of(id, caller) IS NULL THEN
        status := 'group-not-found';
        RETURN;
    END IF;
    status := 'done';
    SELECT jsonb_build_object(
               'members', coalesce(jsonb_agg(jsonb_build_object(
                                                 'userId', m.user_id::text, 'role', m.role, 'joinedTimestamp', m.joined_timestamp,
                                                 'deliveredUpTo', m.delivered_up_to::text,
                                                 'readUpTo', least(m.read_up_to, visible_reads)::text) ORDER BY m.user_id)
                                   FILTER (WHERE m.place <= page_size), '[]'),
               'hasMore', count(*) > page_size)
    INTO page
    FROM (SELECT g.*, row_number() OVER (ORDER BY g.user_id) AS place
          FROM {shard}.group_member g
          WHERE g.group_id = id AND g.user_id > after AND g.until_id IS NULL
          ORDER BY g.user_id LIMIT page_size + 1) m;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_group_members(bigint, bigint, bigint, bigint, integer) TO parley_server;
