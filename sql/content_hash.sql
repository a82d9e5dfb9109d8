-- Identifies the sent content after the message has changed: SHA-256 of the content, or of the content's hash and the metadata.
--
-- content
-- metadata  of the message's extra, or null
CREATE OR REPLACE FUNCTION parley.content_hash(content text, metadata text)
    RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
AS $$
    SELECT encode(CASE WHEN metadata IS NULL THEN sha256(convert_to(content, 'UTF8'))
                       ELSE sha256(sha256(convert_to(content, 'UTF8')) || convert_to(metadata, 'UTF8')) END, 'hex')
$$;
