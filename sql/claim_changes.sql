-- Claims rows of the change outbox for the transaction that calls, and gives what is owed. Element i of the arrays is one
-- row's key.
--
-- mailbox_ids
-- versions
-- ordinals
-- Rows: those that are still there and that no other session has claimed, in the order of their keys.
CREATE OR REPLACE FUNCTION parley.claim_changes(mailbox_ids bigint[], versions bigint[], ordinals bigint[])
    RETURNS TABLE (mailbox_id bigint, version bigint, ordinal bigint, target_id bigint, kind text, argument text)
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
    SELECT k.mailbox_id, k.version, k.ordinal, o.target_id, o.kind, o.argument::text
    FROM unnest(mailbox_ids, versions, ordinals) AS k (mailbox_id, version, ordinal),
         LATERAL (SELECT o.target_id, o.kind, o.argument FROM parley.change_outbox o
                  WHERE o.mailbox_id = k.mailbox_id AND o.version = k.version AND o.ordinal = k.ordinal
                  FOR UPDATE SKIP LOCKED) o
    ORDER BY k.mailbox_id, k.version, k.ordinal;
END
$$;
REVOKE ALL ON FUNCTION parley.claim_changes(bigint[], bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.claim_changes(bigint[], bigint[], bigint[]) TO parley_server;
