-- The API's word for a status of parley.delivery_status.
CREATE OR REPLACE FUNCTION parley.status_word(status "char")
    RETURNS text
    LANGUAGE sql IMMUTABLE
RETURN CASE status WHEN 'r'::"char" THEN 'read' WHEN 'd'::"char" THEN 'delivered' ELSE 'sent' END;
