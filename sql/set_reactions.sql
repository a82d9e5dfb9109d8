-- Replaces one user's reactions in the reactions of a message. Returns all reactions, or null if none are left.
--
-- reactions  of its extra, or null
-- actor      the user's id
-- emojis     all that this user has set now
CREATE OR REPLACE FUNCTION parley.set_reactions(reactions jsonb, actor text, emojis jsonb)
    RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_object_agg(s.emoji, s.users)
    FROM (SELECT a.emoji, jsonb_agg(a.user_id ORDER BY a.user_id::bigint) AS users
          FROM (SELECT r.key AS emoji, u.user_id
                FROM jsonb_each(reactions) r, jsonb_array_elements_text(r.value) AS u (user_id)
                WHERE u.user_id <> actor
                UNION ALL
                SELECT e.emoji, actor FROM jsonb_array_elements_text(emojis) AS e (emoji)) a
          GROUP BY a.emoji) s
$$;
