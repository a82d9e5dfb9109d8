-- A page of how far a group's message has come to each member who has it, but not its sender: in the order of the members' ids, in the
-- group's home shard.
--
-- id             of the group
-- caller         the user who asks
-- message        its id
-- visible_reads  of the caller, see visible_reads
-- after          0, or an id: only members above it
-- page_size      members at most
-- status  done; conversation-not-found: the caller is no member; message-not-found: the caller has no such message, or it is a
--         system message
-- page    the answer of the API as text; null unless it is done
CREATE OR REPLACE FUNCTION {shard}.fetch_group_receipts(
    id bigint, caller bigint, message bigint, visible_reads bigint, after bigint, page_size integer,
    OUT status text, OUT page text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
AS $$
DECLARE
    sender bigint := {shard}.group_sender_of(id, caller, message);
BEGIN
    status := CASE WHEN {shard}.group_role_of(id, caller) IS NULL THEN 'conversation-not-found'
                   WHEN sender IS NULL THEN 'message-not-found'
                   ELSE 'done' END;
    IF status <> 'done' THEN
        RETURN;
    END IF;
    SELECT jsonb_build_object(
               'receipts', coalesce(jsonb_agg(jsonb_build_object(
                                                  'userId', m.user_id::text,
                                                  'status', parley.status_word(parley.delivery_status(
                                                      message, least(m.read_up_to, visible_reads), m.delivered_up_to)))
                                              ORDER BY m.user_id)
                                    FILTER (WHERE m.place <= page_size), '[]'),
               'hasMore', count(*) > page_size)
    INTO page
    FROM (SELECT g.*, row_number() OVER (ORDER BY g.user_id) AS place
          FROM {shard}.group_member g
          WHERE g.group_id = id AND g.user_id > after AND g.until_id IS NULL AND g.user_id <> sender
                -- Also a member who was away in between has it.
                AND EXISTS (SELECT FROM {shard}.group_member had
                            WHERE had.group_id = id AND had.user_id = g.user_id AND had.since_id <= message
                                  AND (had.until_id IS NULL OR had.until_id >= message))
          ORDER BY g.user_id LIMIT page_size + 1) m;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_group_receipts(bigint, bigint, bigint, bigint, bigint, integer) TO parley_server;
