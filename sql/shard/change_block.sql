-- Blocks another user, or ends the block. While a user blocks anybody, their mailbox is guarded: write_messages then checks the
-- senders. The blocked user's open invitations end.
--
-- argument  otherId; `on`: whether to block; timestamp
-- Result: status, and version if something has changed. status: done; too-many-blocks.
CREATE OR REPLACE FUNCTION {shard}.change_block(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    other bigint := argument ->> 'otherId';
    is_on boolean := argument -> 'on';
    raised bigint;
    invited_to bigint[];
    revisions bigint[];
    answer jsonb;
BEGIN
    IF {shard}.has_blocked(mailbox_id, other) = is_on THEN
        RETURN '{"status": "done"}';
    ELSIF is_on AND (SELECT true FROM {shard}.block b WHERE b.user_id = mailbox_id
                     ORDER BY b.blocked_id OFFSET 9999 LIMIT 1) THEN
        RETURN '{"status": "too-many-blocks"}';
    END IF;

    raised := {shard}.next_version(mailbox_id);
    answer := jsonb_build_object('status', 'done', 'version', raised);
    IF is_on THEN
        INSERT INTO {shard}.block (user_id, blocked_id, blocked_timestamp)
        VALUES (mailbox_id, other, (argument ->> 'timestamp')::bigint);
        WITH ended AS (
            UPDATE {shard}.invitation i SET inviter_id = NULL, group_name = NULL, invited_timestamp = NULL
            WHERE i.user_id = mailbox_id AND i.inviter_id IS NOT NULL AND i.inviter_id = other
            RETURNING i.group_id, i.revision
        )
        SELECT array_agg(e.group_id), array_agg(e.revision) INTO invited_to, revisions FROM ended e;
        IF invited_to IS NOT NULL THEN
            answer := answer || jsonb_build_object('followUps', {shard}.decline_invitations(
                array_fill(mailbox_id, ARRAY[cardinality(invited_to)]), invited_to, revisions));
        END IF;
    ELSE
        DELETE FROM {shard}.block b WHERE b.user_id = mailbox_id AND b.blocked_id = other;
    END IF;
    -- The mailbox of an erased user stays guarded.
    UPDATE {shard}.mailbox m
    SET guarded = CASE WHEN m.erased_timestamp IS NOT NULL
                            OR (SELECT true FROM {shard}.block b WHERE b.user_id = mailbox_id
                                ORDER BY b.blocked_id LIMIT 1)
                       THEN true END,
        invited_version = CASE WHEN invited_to IS NOT NULL THEN raised ELSE m.invited_version END
    WHERE m.user_id = mailbox_id;
    RETURN answer;
END
$$;
