-- Blocks another user, or ends the block. While a user blocks anybody, their mailbox is guarded: write_messages then checks the
-- senders.
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
BEGIN
    IF {shard}.has_blocked(mailbox_id, other) = is_on THEN
        RETURN '{"status": "done"}';
    ELSIF is_on AND (SELECT true FROM {shard}.block b WHERE b.user_id = mailbox_id
                     ORDER BY b.blocked_id OFFSET 9999 LIMIT 1) THEN
        RETURN '{"status": "too-many-blocks"}';
    END IF;

    raised := {shard}.next_version(mailbox_id);
    IF is_on THEN
        INSERT INTO {shard}.block (user_id, blocked_id, blocked_timestamp)
        VALUES (mailbox_id, other, (argument ->> 'timestamp')::bigint);
    ELSE
        DELETE FROM {shard}.block b WHERE b.user_id = mailbox_id AND b.blocked_id = other;
    END IF;
    -- The mailbox of an erased user stays guarded.
    UPDATE {shard}.mailbox m
    SET guarded = CASE WHEN m.erased_timestamp IS NOT NULL
                            OR (SELECT true FROM {shard}.block b WHERE b.user_id = mailbox_id
                                ORDER BY b.blocked_id LIMIT 1)
                       THEN true END
    WHERE m.user_id = mailbox_id;
    RETURN jsonb_build_object('status', 'done', 'version', raised);
END
$$;
