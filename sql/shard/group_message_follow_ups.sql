-- What a group owes to members for a message: for each of their shards their copies. The group's last message is this one then.
--
-- mailbox_id  of the group
-- message     its id, above all before
-- argument    of write_group_messages, without members; state, where it is a system message
-- Result: for write_changes. Where a member of the shard was there before, the change says which message comes right before this one
-- (`after`), and whose mailbox shows whether that has come (`witness`): so what comes late does not come in another order.
CREATE OR REPLACE FUNCTION {shard}.group_message_owes(mailbox_id bigint, message bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    before bigint;
BEGIN
    UPDATE {shard}.group_profile p SET last_message_id = message
    FROM {shard}.group_profile old WHERE p.group_id = mailbox_id AND old.group_id = mailbox_id
    RETURNING old.last_message_id INTO before;
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'mailbox', s.first, 'kind', 'group_message',
                        'argument', argument || jsonb_build_object('members', s.members)
                                    || CASE WHEN s.witness IS NULL THEN '{}'
                                            ELSE jsonb_build_object('after', before::text, 'witness', s.witness) END)
                    ORDER BY s.shard), '[]')
            FROM (SELECT g.user_id >> 50 AS shard, min(g.user_id)::text AS first,
                         jsonb_agg(g.user_id::text ORDER BY g.user_id) AS members,
                         (min(g.user_id) FILTER (WHERE g.since_id < message))::text AS witness
                  FROM {shard}.group_member g
                  WHERE g.group_id = mailbox_id AND g.since_id <= message AND (g.until_id IS NULL OR g.until_id >= message)
                  GROUP BY g.user_id >> 50) s);
END
$$;
REVOKE ALL ON FUNCTION {shard}.group_message_owes(bigint, bigint, jsonb) FROM PUBLIC;
