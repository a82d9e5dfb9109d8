-- Claims entries of the change outbox for the caller's transaction and returns the changes that have to be made.
--
-- Element i of the arrays is the key of one entry:
-- mailbox_ids
-- versions
-- ordinals
-- Rows: the entries that exist and that no other session has claimed, in the order of their keys. members_count is the number of
-- `members` in the argument.
CREATE OR REPLACE FUNCTION parley.claim_changes(mailbox_ids bigint[], versions bigint[], ordinals bigint[])
    RETURNS TABLE (mailbox_id bigint, version bigint, ordinal bigint, target_id bigint, kind text, argument text,
                   members_count integer)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT k.mailbox_id, k.version, k.ordinal, o.target_id, o.kind, o.argument::text,
           coalesce(jsonb_array_length(o.argument -> 'members'), 0)
    FROM unnest(mailbox_ids, versions, ordinals) AS k (mailbox_id, version, ordinal),
         LATERAL (SELECT o.target_id, o.kind, o.argument FROM parley.change_outbox o
                  WHERE o.mailbox_id = k.mailbox_id AND o.version = k.version AND o.ordinal = k.ordinal
                  FOR UPDATE SKIP LOCKED) o
    ORDER BY k.mailbox_id, k.version, k.ordinal;
END
$$;
GRANT EXECUTE ON FUNCTION parley.claim_changes(bigint[], bigint[], bigint[]) TO parley_server;
