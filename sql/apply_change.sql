-- Makes one change in one mailbox that the transaction has locked, by the function of its kind.
--
-- kind        of the change: it calls {shard}.change_<kind> in the mailbox's shard
-- mailbox_id
-- argument    of the change
-- Result: the answer of that function.
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
