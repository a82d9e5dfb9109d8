-- The number of the shard that an id belongs to. Works for users and groups.
--
-- An inlined helper: see "Helpers" in README.md.
CREATE OR REPLACE FUNCTION parley.shard_of(id bigint)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE
RETURN id >> 50;
