-- Which messages a guarded mailbox refuses.
--
-- mailbox_id
-- senders     of the messages; null is skipped
-- keys        their client_message_ids: a message that is stored already is a retry and not refused
-- erased      whether the user is erased
-- refusals    for each sender 0 (not refused), -1 (the user is erased) or -2 (the user has blocked the sender)
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
                                       -- A retry is found as in change_group_send.
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
