-- Makes one change in one mailbox, which the transaction has locked: what write_changes calls.
--
-- kind        {shard}.change_<kind> of the mailbox's shard
-- mailbox_id
-- argument    of the change
-- Result: what the change function gave.
CREATE OR REPLACE FUNCTION parley.apply_change(kind text, mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer jsonb;
BEGIN
    EXECUTE format('SELECT %I.%I($1, $2)', parley.shard_schema(mailbox_id), 'change_' || kind)
    INTO answer USING mailbox_id, argument;
    RETURN answer;
END
$$;
REVOKE ALL ON FUNCTION parley.apply_change(text, bigint, jsonb) FROM PUBLIC;
