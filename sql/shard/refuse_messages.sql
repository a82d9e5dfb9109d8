-- Whether a guarded mailbox takes messages.
--
-- mailbox_id
-- senders     of the messages; null is passed over
-- keys        their client_message_ids: what was stored before is no refusal, but a retry
-- erased      the user is erased
-- refusals    for each sender 0, -1: the user is erased, or -2: has blocked the sender
CREATE OR REPLACE FUNCTION {shard}.refuse_messages(
    mailbox_id bigint, senders bigint[], keys text[], OUT erased boolean, OUT refusals integer[])
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
BEGIN
    SELECT m.erased_timestamp IS NOT NULL INTO erased FROM {shard}.mailbox m WHERE m.user_id = mailbox_id;
    refusals := ARRAY(SELECT CASE WHEN s.sender_id IS NULL THEN 0
                                  WHEN erased THEN -1
                                  WHEN (SELECT true FROM {shard}.block b
                                        WHERE b.user_id = mailbox_id AND b.blocked_id = s.sender_id)
                                       -- As change_group_send looks for a retry.
                                       AND (SELECT (m.peer_id, m.client_message_id) = (s.sender_id, s.key)
                                            FROM {shard}.message m
                                            WHERE m.user_id = mailbox_id AND m.sender_id = m.peer_id
                                                  AND (m.peer_id, m.client_message_id) >= (s.sender_id, s.key)
                                            ORDER BY m.peer_id, m.client_message_id LIMIT 1) IS NOT TRUE
                                  THEN -2
                                  ELSE 0 END
                      FROM unnest(senders, keys) AS s (sender_id, key));
END
$$;
REVOKE ALL ON FUNCTION {shard}.refuse_messages(bigint, bigint[], text[]) FROM PUBLIC;
