-- The follow-ups of a group's message: one per shard of members, with their copies. Also makes it the group's last message.
--
-- mailbox_id  of the group
-- message     its id, above those of all messages before
-- argument    for write_group_messages, without members; state, for a system message
-- Result: followUps of a change's answer. Where a member of the shard was in the group before, the follow-up names the group's
-- message before (`after`) and a member whose mailbox shows whether that message has arrived (`witness`). So late copies are not
-- stored in another order.
CREATE OR REPLACE FUNCTION {shard}.group_message_follow_ups(mailbox_id bigint, message bigint, argument jsonb)
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
            FROM (SELECT parley.shard_of(g.user_id) AS shard, min(g.user_id)::text AS first,
                         jsonb_agg(g.user_id::text ORDER BY g.user_id) AS members,
                         (min(g.user_id) FILTER (WHERE g.since_id < message))::text AS witness
                  FROM {shard}.group_member g
                  WHERE g.group_id = mailbox_id AND g.since_id <= message AND (g.until_id IS NULL OR g.until_id >= message)
                  GROUP BY parley.shard_of(g.user_id)) s);
END
$$;
