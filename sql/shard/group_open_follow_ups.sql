-- The follow-ups of a group's change that are still in the outbox: followUps of a change's answer, with their ordinals.
--
-- version  that the change has taken
CREATE OR REPLACE FUNCTION {shard}.group_open_follow_ups(mailbox_id bigint, version bigint)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
#variable_conflict use_variable
BEGIN
    RETURN (SELECT coalesce(jsonb_agg(jsonb_build_object('ordinal', o.ordinal, 'mailbox', o.target_id::text, 'kind', o.kind,
                                                         'argument', o.argument) ORDER BY o.ordinal), '[]')
            FROM {shard}.change_outbox o WHERE o.mailbox_id = mailbox_id AND o.version = version);
END
$$;
