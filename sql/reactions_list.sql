-- A message's reactions as the API shows them: [{emoji, userIds}].
CREATE OR REPLACE FUNCTION parley.reactions_list(reactions jsonb)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('emoji', r.key, 'userIds', r.value) ORDER BY r.key COLLATE "C"), '[]')
    FROM jsonb_each(reactions) r
$$;
