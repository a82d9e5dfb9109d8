-- Deletes one slice of an erased user's mailbox: at most 1,000 messages, conversations, blocks and invitations each. It also
-- leaves as many groups, by follow-ups to them, and others end the open invitations there.
--
-- argument  empty
-- Result: status, version. missing: there is more, or a message has to stay for now; done: nothing is left.
--
-- It deletes messages in the order of versions, and the mailbox keeps the progress (tombstone_horizon), so that a slice does not
-- scan the dead index entries of the slices before. A message with an outbox entry is what the sender's copy is made of: it stays
-- until that entry is settled, and the progress stays below it.
CREATE OR REPLACE FUNCTION {shard}.change_erase_slice(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    -- Plans are made once per connection, maybe when the tables were empty and a full scan was cheap.
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    slice constant integer := 1000;
    horizon bigint;
    seen integer;
    last bigint;
    first_needed bigint;
    conversations integer;
    blocks integer;
    memberships integer;
    groups bigint[];
    invitations integer;
    invited_to bigint[];
    revisions bigint[];
    follow_ups jsonb := '{}';
BEGIN
    SELECT m.tombstone_horizon INTO horizon
    FROM {shard}.mailbox m WHERE m.user_id = mailbox_id AND m.erased_timestamp IS NOT NULL;
    IF NOT FOUND THEN
        RETURN '{"status": "no-mailbox"}';
    END IF;

    WITH page AS MATERIALIZED (
        SELECT m.ctid AS place, m.version,
               m.sender_id = m.peer_id
               AND (SELECT true FROM {shard}.outbox o
                    WHERE o.recipient_id = mailbox_id AND o.sender_id = m.peer_id AND o.message_id = m.message_id) IS NOT NULL
                   AS is_needed
        FROM {shard}.message m
        WHERE m.user_id = mailbox_id AND m.version > horizon
        ORDER BY m.version LIMIT slice
    ),
    erased AS (
        DELETE FROM {shard}.message WHERE ctid = ANY (ARRAY(SELECT p.place FROM page p WHERE NOT p.is_needed))
    )
    SELECT count(*), max(p.version), min(p.version) FILTER (WHERE p.is_needed) INTO seen, last, first_needed FROM page p;
    UPDATE {shard}.mailbox m SET tombstone_horizon = coalesce(first_needed - 1, last)
    WHERE m.user_id = mailbox_id AND m.tombstone_horizon < coalesce(first_needed - 1, last);

    DELETE FROM {shard}.conversation
    WHERE ctid = ANY (ARRAY(SELECT c.ctid FROM {shard}.conversation c
                            WHERE c.user_id = mailbox_id ORDER BY c.peer_id LIMIT slice));
    GET DIAGNOSTICS conversations = ROW_COUNT;
    DELETE FROM {shard}.block
    WHERE ctid = ANY (ARRAY(SELECT b.ctid FROM {shard}.block b
                            WHERE b.user_id = mailbox_id ORDER BY b.blocked_id LIMIT slice));
    GET DIAGNOSTICS blocks = ROW_COUNT;

    WITH left_groups AS (
        DELETE FROM {shard}.membership
        WHERE ctid = ANY (ARRAY(SELECT s.ctid FROM {shard}.membership s
                                WHERE s.user_id = mailbox_id ORDER BY s.group_id LIMIT slice))
        RETURNING group_id, left_view
    )
    SELECT count(*), coalesce(array_agg(group_id) FILTER (WHERE left_view IS NULL), '{}') INTO memberships, groups
    FROM left_groups;

    WITH ended AS (
        DELETE FROM {shard}.invitation
        WHERE ctid = ANY (ARRAY(SELECT i.ctid FROM {shard}.invitation i
                                WHERE i.user_id = mailbox_id ORDER BY i.group_id LIMIT slice))
        RETURNING group_id, revision, inviter_id
    )
    SELECT count(*), array_agg(e.group_id) FILTER (WHERE e.inviter_id IS NOT NULL),
           array_agg(e.revision) FILTER (WHERE e.inviter_id IS NOT NULL)
    INTO invitations, invited_to, revisions FROM ended e;

    IF cardinality(groups) > 0 THEN
        follow_ups := {shard}.leave_groups(mailbox_id, array_fill(mailbox_id, ARRAY[cardinality(groups)]), groups);
    END IF;
    IF invited_to IS NOT NULL THEN
        follow_ups := jsonb_build_object('version', {shard}.next_version(mailbox_id)) || follow_ups
                      || jsonb_build_object('followUps', coalesce(follow_ups -> 'followUps', '[]')
                                                         || {shard}.decline_invitations(
                                                                array_fill(mailbox_id, ARRAY[cardinality(invited_to)]),
                                                                invited_to, revisions));
    END IF;
    RETURN jsonb_build_object('status', CASE WHEN first_needed IS NOT NULL
                                                  OR slice IN (seen, conversations, blocks, memberships, invitations)
                                             THEN 'missing' ELSE 'done' END)
           || follow_ups;
END
$$;
