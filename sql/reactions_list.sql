-- A message's reactions as the API shows them to a user: [{emoji, count, own, userIds}], of which userIds has the first ten.
--
-- reactions  of the message's extra: to each emoji the ids of its users, ascending; or null
-- reader     the user, whose own reactions are marked
CREATE OR REPLACE FUNCTION parley.reactions_list(reactions jsonb, reader bigint)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('emoji', r.key, 'count', jsonb_array_length(r.value),
                                                 'own', r.value ? reader::text,
                                                 'userIds', jsonb_path_query_array(r.value, '$[0 to 9]'))
                              ORDER BY r.key COLLATE "C"), '[]')
    FROM jsonb_each(reactions) r
$$;
