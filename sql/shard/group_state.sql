-- A group as its members' conversations show it now.
--
-- Result: revision; memberIds; view, for members, and leftView, for a user who leaves now (see group_view and membership);
-- lowestRead and lowestDelivered, of group_lowest.
CREATE OR REPLACE FUNCTION {shard}.group_state(mailbox_id bigint)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    members bigint[] := {shard}.group_members_at(mailbox_id, NULL);
    name text := (SELECT to_json(p.name)::text FROM {shard}.group_profile p WHERE p.group_id = mailbox_id);
BEGIN
    RETURN {shard}.group_lowest(mailbox_id) || jsonb_build_object(
        'revision', (SELECT b.version::text FROM {shard}.mailbox b WHERE b.user_id = mailbox_id),
        'memberIds', ARRAY(SELECT m.id::text FROM unnest(members) AS m (id)),
        'view', format('"name":%s,"memberCount":%s,"isMember":true', name, cardinality(members)),
        'leftView', format('"name":%s,"memberCount":0,"isMember":false', name));
END
$$;
