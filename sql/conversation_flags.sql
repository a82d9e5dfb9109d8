-- A conversation's settings in one number: 1 archived, plus 2 pinned, plus 4 marked unread.
CREATE OR REPLACE FUNCTION parley.conversation_flags(archived boolean, pinned boolean, marked_unread boolean)
    RETURNS integer
    LANGUAGE sql IMMUTABLE
RETURN archived::integer + 2 * pinned::integer + 4 * marked_unread::integer;
