-- A hash of the content and metadata of a send. It identifies a retry after the message has changed. Without metadata it is the
-- SHA-256 of the content, else the SHA-256 of the content's SHA-256 followed by the metadata.
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
