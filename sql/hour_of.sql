-- The hour of a time in microseconds: what expired sessions are found by.
CREATE OR REPLACE FUNCTION parley.hour_of(microseconds bigint)
    RETURNS integer
    LANGUAGE sql IMMUTABLE
RETURN (microseconds / 3600000000)::integer;
