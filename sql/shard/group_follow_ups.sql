-- Follow-ups for a group's members: one change per shard.
--
-- user_ids  the members
-- kind      of the change
-- argument  of the change; `members` is added to it
-- Result: followUps of a change's answer; each is for the mailbox of the first of its members.
CREATE OR REPLACE FUNCTION {shard}.group_follow_ups(user_ids bigint[], kind text, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(s.follow_up ORDER BY s.shard), '[]')
            FROM (SELECT parley.shard_of(u.user_id) AS shard,
                         jsonb_build_object(
                             'mailbox', min(u.user_id)::text, 'kind', kind,
                             'argument', argument || jsonb_build_object(
                                 'members', jsonb_agg(u.user_id::text ORDER BY u.user_id))) AS follow_up
                  FROM unnest(user_ids) AS u (user_id)
                  GROUP BY parley.shard_of(u.user_id)) s);
END
$$;
