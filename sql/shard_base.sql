-- The lowest id of the shard that an id belongs to: the key of group_view, one row per shard and group.
CREATE OR REPLACE FUNCTION parley.shard_base(id bigint)
    RETURNS bigint
    LANGUAGE sql IMMUTABLE
RETURN (id >> 50) << 50;
