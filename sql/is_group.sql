-- Whether an id is a group's. Else it is a user's.
CREATE OR REPLACE FUNCTION parley.is_group(id bigint)
    RETURNS boolean
    LANGUAGE sql IMMUTABLE
RETURN id & 256 <> 0;
