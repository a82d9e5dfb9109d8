-- Corrects a mailbox's unread counts by a recount, each with a new version and under the mailbox's lock: for
-- `parleyctl doctor --unread --repair`.
--
-- Result: how many were wrong.
CREATE OR REPLACE FUNCTION {shard}.repair_unread_counts(mailbox_id bigint)
    RETURNS integer
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    wrong record;
    raised bigint;
    repaired integer := 0;
BEGIN
    PERFORM FROM {shard}.mailbox m WHERE m.user_id = mailbox_id FOR UPDATE;
    FOR wrong IN SELECT * FROM {shard}.wrong_unread_counts(mailbox_id - 1, mailbox_id) LOOP
        raised := {shard}.next_version(mailbox_id);
        UPDATE {shard}.conversation c
        SET unread_count = wrong.recount, version = raised, changed_period = parley.period_of(raised)
        WHERE c.user_id = mailbox_id AND c.peer_id = wrong.peer_id;
        repaired := repaired + 1;
    END LOOP;
    RETURN repaired;
END
$$;
