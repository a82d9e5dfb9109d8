-- The part of a message's extra that the API shows to a user: members of its JSON object, without the braces. A message without extra is
-- a user's, and the server writes these members itself.
CREATE OR REPLACE FUNCTION parley.message_extra(extra jsonb, reader bigint)
    RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN concat_ws(',',
        '"messageType":' || coalesce((extra -> 'messageType')::text, '"user"'),
        '"systemEvent":' || (extra -> 'systemEvent')::text,
        '"replyTo":' || (extra -> 'replyTo')::text,
        '"metadata":' || (extra ->> 'metadata'),
        '"editedTimestamp":' || (extra -> 'editedTimestamp')::text,
        '"deletedTimestamp":' || (extra -> 'deletedTimestamp')::text,
        '"deletedScope":' || (extra -> 'deletedScope')::text,
        '"reactions":' || CASE WHEN extra ? 'reactions' THEN parley.reactions_list(extra -> 'reactions', reader)::text END);
END
$$;
