-- Erases a user. The account and the sessions are gone at once and the username is free; readers and writers find no mailbox. The mailbox row stays,
-- marked, so that the id is not used again. A follow-up to the mailbox itself deletes its content slice by slice.
--
-- argument  timestamp of the request, in microseconds: it identifies a repeated call, for example after a lost connection
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
    PERFORM {shard}.close_sessions(mailbox_id, 0, 0, true, true);
    -- From now on tombstone_horizon is the progress of the slices.
    UPDATE {shard}.mailbox m SET erased_timestamp = at, guarded = true, tombstone_horizon = 0 WHERE m.user_id = mailbox_id;
    DELETE FROM {shard}.account a WHERE a.user_id = mailbox_id;
    RETURN jsonb_build_object('status', 'done', 'version', raised, 'followUps', jsonb_build_array(jsonb_build_object(
        'mailbox', mailbox_id::text, 'kind', 'erase_slice', 'argument', '{}'::jsonb)));
END
$$;
