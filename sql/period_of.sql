-- The period of a time or a version in microseconds: what the indexes of conversation sort by (see migrations/README.md).
CREATE OR REPLACE FUNCTION parley.period_of(microseconds bigint)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE
RETURN microseconds >> 27;
