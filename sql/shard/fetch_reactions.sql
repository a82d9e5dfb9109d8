-- A page of the reactions to a message, as a user's mailbox has it: by the ids of the users who have set them, and of one user by emoji.
--
-- mailbox_id
-- peer        the conversation
-- message     its id
-- emoji       only these reactions; null: all
-- after       0, or an id: only reactions of users above it
-- page_size   users at most
-- status  done; no-mailbox: the mailbox does not exist or is erased; message-not-found
-- page    the answer of the API as text; null unless it is done
CREATE OR REPLACE FUNCTION {shard}.fetch_reactions(
    mailbox_id bigint, peer bigint, message bigint, emoji text, after bigint, page_size integer,
    OUT status text, OUT page text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    held {shard}.message := {shard}.held_message(mailbox_id, peer, message);
BEGIN
    PERFORM FROM {shard}.mailbox b WHERE b.user_id = mailbox_id AND b.erased_timestamp IS NULL;
    status := CASE WHEN NOT FOUND THEN 'no-mailbox' WHEN held.message_id IS NULL THEN 'message-not-found' ELSE 'done' END;
    IF status <> 'done' THEN
        RETURN;
    END IF;
    SELECT jsonb_build_object(
               'reactions', coalesce(jsonb_agg(jsonb_build_object('userId', r.user_id::text, 'emoji', r.emoji)
                                               ORDER BY r.user_id, r.emoji COLLATE "C")
                                     FILTER (WHERE r.place <= page_size), '[]'),
               'hasMore', coalesce(max(r.place) > page_size, false))
    INTO page
    FROM (SELECT u.id::bigint AS user_id, e.key AS emoji, dense_rank() OVER (ORDER BY u.id::bigint) AS place
          FROM jsonb_each(held.extra -> 'reactions') AS e, jsonb_array_elements_text(e.value) AS u (id)
          WHERE u.id::bigint > after AND e.key = coalesce(fetch_reactions.emoji, e.key)) r;
END
$$;
GRANT EXECUTE ON FUNCTION {shard}.fetch_reactions(bigint, bigint, bigint, text, bigint, integer) TO parley_server;
