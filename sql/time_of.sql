-- The time in a message id: when the send reached a server, in microseconds since 1970.
CREATE OR REPLACE FUNCTION parley.time_of(message_id bigint)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE
RETURN message_id >> 1;
