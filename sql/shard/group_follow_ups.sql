-- What a group owes to members: for each of their shards one change.
--
-- user_ids  the members
-- kind      of the change
-- argument  of it; `members` is added to it
-- Result: for write_changes, which makes each of them in the mailbox of the first of its members.
CREATE OR REPLACE FUNCTION {shard}.group_owes(user_ids bigint[], kind text, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(s.owed ORDER BY s.shard), '[]')
            FROM (SELECT u.user_id >> 50 AS shard,
                         jsonb_build_object(
                             'mailbox', min(u.user_id)::text, 'kind', kind,
                             'argument', argument || jsonb_build_object(
                                 'members', jsonb_agg(u.user_id::text ORDER BY u.user_id))) AS owed
                  FROM unnest(user_ids) AS u (user_id)
                  GROUP BY u.user_id >> 50) s);
END
$$;
REVOKE ALL ON FUNCTION {shard}.group_owes(bigint[], text, jsonb) FROM PUBLIC;
