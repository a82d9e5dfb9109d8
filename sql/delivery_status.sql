-- The status of a message that the mailbox's user has sent: r read, d delivered, or s sent.
--
-- message_id
-- peer_read_up_to, peer_delivered_up_to  of the conversation; null counts as 0
CREATE OR REPLACE FUNCTION parley.delivery_status(message_id bigint, peer_read_up_to bigint, peer_delivered_up_to bigint)
    RETURNS "char"
    LANGUAGE sql IMMUTABLE
RETURN CASE WHEN message_id <= peer_read_up_to THEN 'r'::"char"
            WHEN message_id <= peer_delivered_up_to THEN 'd'::"char"
            ELSE 's'::"char" END;
