-- Erases a user: the account is gone at once, so that the username is free, and to readers and writers so is the mailbox. Its row
-- stays, marked, for the id is not given out again. What the mailbox holds goes in slices, which it owes itself.
--
-- argument  timestamp: when, in microseconds. With it the same call again, as after a lost connection, is told from another
-- Result: status, version. status: done; no-mailbox: there is none, or the user was erased before.
CREATE OR REPLACE FUNCTION {shard}.change_erase(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    at bigint := argument ->> 'timestamp';
    erased bigint;
    raised bigint;
BEGIN
    SELECT m.erased_timestamp INTO erased FROM {shard}.mailbox m WHERE m.user_id = mailbox_id;
    IF NOT FOUND OR erased <> at THEN
        RETURN '{"status": "no-mailbox"}';
    ELSIF erased = at THEN
        RETURN '{"status": "done"}';
    END IF;

    raised := {shard}.next_version(mailbox_id);
    -- tombstone_horizon tells from now on how far the slices have come.
    UPDATE {shard}.mailbox m SET erased_timestamp = at, guarded = true, tombstone_horizon = 0 WHERE m.user_id = mailbox_id;
    DELETE FROM {shard}.account a WHERE a.user_id = mailbox_id;
    RETURN jsonb_build_object('status', 'done', 'version', raised, 'owes', jsonb_build_array(jsonb_build_object(
        'mailbox', mailbox_id::text, 'kind', 'erase_slice', 'argument', '{}'::jsonb)));
END
$$;
REVOKE ALL ON FUNCTION {shard}.change_erase(bigint, jsonb) FROM PUBLIC;
