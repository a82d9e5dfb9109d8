-- Whether a stored message was sent with the given content, replyTo and metadata, even if it was edited or deleted since.
--
-- content, extra            of the stored message
-- sent_content, sent_extra  of the send
CREATE OR REPLACE FUNCTION parley.is_as_sent(content text, extra jsonb, sent_content text, sent_extra jsonb)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT extra ->> 'replyTo' IS NOT DISTINCT FROM sent_extra ->> 'replyTo'
           AND CASE WHEN extra ? 'original'
                    THEN extra ->> 'original' = parley.content_hash(sent_content, sent_extra ->> 'metadata')
                    ELSE content = sent_content AND extra ->> 'metadata' IS NOT DISTINCT FROM sent_extra ->> 'metadata' END
$$;
