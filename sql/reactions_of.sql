-- The emojis that one user has set on a message.
--
-- reactions  of the message's extra: to each emoji the ids of its users; or null
-- actor      the user's id
CREATE OR REPLACE FUNCTION parley.reactions_of(reactions jsonb, actor text)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(r.key ORDER BY r.key COLLATE "C"), '[]') FROM jsonb_each(reactions) r WHERE r.value ? actor
$$;
