-- The clock now, in microseconds since 1970. Unlike now() it goes on within a transaction.
CREATE OR REPLACE FUNCTION parley.clock_us()
    RETURNS bigint
    LANGUAGE sql VOLATILE
RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
