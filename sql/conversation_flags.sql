-- A conversation's settings in one number: 1 archived, plus 2 pinned.
CREATE OR REPLACE FUNCTION parley.conversation_flags(archived boolean, pinned boolean)
    RETURNS integer
    LANGUAGE sql IMMUTABLE
RETURN archived::integer + 2 * pinned::integer;
