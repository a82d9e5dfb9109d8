-- A message as a user's mailbox has it. All is null if the mailbox does not have it, or the user has cleared it.
CREATE OR REPLACE FUNCTION {shard}.held_message(mailbox_id bigint, peer bigint, message bigint)
    RETURNS {shard}.message
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    held {shard}.message;
BEGIN
    -- The first rows of orders that only the primary keys have.
    SELECT m.* INTO held FROM {shard}.message m
    WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id >= message
    ORDER BY m.message_id LIMIT 1;
    IF held.message_id = message
       AND NOT EXISTS (SELECT FROM (SELECT c.peer_id, c.cleared_up_to FROM {shard}.conversation c
                                    WHERE c.user_id = mailbox_id AND c.peer_id >= peer ORDER BY c.peer_id LIMIT 1) c
                       WHERE c.peer_id = peer AND c.cleared_up_to >= message) THEN
        RETURN held;
    END IF;
    RETURN NULL;
END
$$;
