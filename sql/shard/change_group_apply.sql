-- Applies a change of a group's message to members' copies in one shard.
--
-- argument  members: the mailboxes; kind: message or reaction; change: its argument
-- Result: status. done; missing: a member has no copy yet.
CREATE OR REPLACE FUNCTION {shard}.change_group_apply(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    change jsonb := argument -> 'change';
    member bigint;
    answer jsonb;
    result jsonb := '{"status": "done"}';
BEGIN
    FOR member IN
        SELECT b.user_id FROM {shard}.mailbox b
        WHERE b.user_id = ANY (ARRAY(SELECT u.id::bigint FROM jsonb_array_elements_text(argument -> 'members') AS u (id)))
              AND b.erased_timestamp IS NULL
    LOOP
        IF argument ->> 'kind' = 'reaction' THEN
            answer := {shard}.change_reaction(member, change);
        ELSE
            answer := {shard}.change_message(member, change);
        END IF;
        IF answer ->> 'status' = 'missing' THEN
            result := '{"status": "missing"}';
        END IF;
    END LOOP;
    RETURN result;
END
$$;
