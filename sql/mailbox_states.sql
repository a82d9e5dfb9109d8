-- Versions of mailboxes of any shards of this database, with the times when their users' sessions last ended. They validate cached pages
-- and tokens, and tell whether users exist.
--
-- user_ids
-- Result: the versions in the same order; 0 for a mailbox that does not exist or is erased. The version of a mailbox with an auth_epoch
-- is negative, and these epochs follow after all versions, in the same order. Most mailboxes have none.
--
-- It names the parent: a call starts every partition once and then reads only the partition of each id. For many ids.
CREATE OR REPLACE FUNCTION parley.mailbox_states(user_ids bigint[])
    RETURNS bigint[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    states bigint[];
BEGIN
    states := ARRAY(SELECT coalesce((SELECT CASE WHEN m.auth_epoch IS NULL THEN m.version ELSE -m.version END
                                     FROM parley.mailbox m
                                     WHERE m.user_id = u.user_id AND m.erased_timestamp IS NULL), 0)
                    FROM unnest(user_ids) AS u (user_id));
    IF 0 > ANY (states) THEN
        states := states || ARRAY(SELECT (SELECT m.auth_epoch FROM parley.mailbox m WHERE m.user_id = u.user_id)
                                  FROM unnest(user_ids, states) AS u (user_id, state) WHERE u.state < 0);
    END IF;
    RETURN states;
END
$$;
GRANT EXECUTE ON FUNCTION parley.mailbox_states(bigint[]) TO parley_server;
