-- Sets or removes a user's reaction to a message.
--
-- argument  peerId, messageId, actorId: the user who reacts. In the mailbox that is changed first, the peer's of the 1:1: emoji,
--           and `on`, whether to set it; `held`, if the actor's own mailbox has the message. In the actor's own: emojis, all that
--           the actor has set now, and revision, as in change_message
-- Result: status, version; of the first: reactions, as the API shows them to the actor, as text. Follow-up of the first: the same in the actor's copy, also where
-- nothing changes, as in change_message.
-- status: done; message-not-found; recipient-unavailable; too-many-reactions; missing: the copy is not stored yet.
CREATE OR REPLACE FUNCTION {shard}.change_reaction(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    peer bigint := argument ->> 'peerId';
    message bigint := argument ->> 'messageId';
    actor text := argument ->> 'actorId';
    revision bigint := argument ->> 'revision';
    emojis jsonb := argument -> 'emojis';
    place tid;
    found bigint;
    more jsonb;
    reactions jsonb;
    answer jsonb := '{"status": "done"}';
    is_made boolean := false;
    raised bigint;
BEGIN
    SELECT m.ctid, m.message_id, coalesce(m.extra, '{}') INTO place, found, more
    FROM {shard}.message m
    WHERE m.user_id = mailbox_id AND m.peer_id = peer AND m.message_id >= message
    ORDER BY m.message_id LIMIT 1;
    IF found IS DISTINCT FROM message THEN
        -- The actor may have a copy of a message before its sender, the peer, has one.
        RETURN jsonb_build_object('status', CASE WHEN revision IS NULL AND NOT argument ? 'held' THEN 'message-not-found'
                                                 ELSE 'missing' END);
    ELSIF revision <= (more -> 'revisions' ->> actor)::bigint THEN
        RETURN answer;
    ELSIF revision IS NULL THEN
        IF {shard}.has_blocked(mailbox_id, actor::bigint) THEN
            RETURN '{"status": "recipient-unavailable"}';
        ELSIF more ->> 'deletedScope' = 'everyone' THEN
            RETURN '{"status": "message-not-found"}';
        END IF;
        emojis := parley.reactions_of(more -> 'reactions', actor);
        is_made := emojis ? (argument ->> 'emoji') = (argument -> 'on')::boolean;
        IF is_made AND more -> 'revisions' -> actor IS NULL THEN
            RETURN answer || jsonb_build_object('reactions', parley.reactions_list(more -> 'reactions', actor::bigint)::text);
        ELSIF NOT is_made THEN
            emojis := CASE WHEN (argument -> 'on')::boolean THEN emojis || jsonb_build_array(argument -> 'emoji')
                           ELSE emojis - (argument ->> 'emoji') END;
            IF jsonb_array_length(emojis) > 20 THEN
                RETURN '{"status": "too-many-reactions"}';
            END IF;
        END IF;
    END IF;

    raised := CASE WHEN is_made THEN (more -> 'revisions' ->> actor)::bigint ELSE {shard}.next_version(mailbox_id) END;
    reactions := parley.set_reactions(more -> 'reactions', actor, emojis);
    answer := answer || jsonb_build_object('version', raised);
    IF revision IS NULL THEN
        revision := raised;
        answer := answer || jsonb_build_object(
            'reactions', parley.reactions_list(reactions, actor::bigint)::text,
            'followUps', jsonb_build_array(jsonb_build_object(
                'mailbox', actor, 'kind', 'reaction',
                'argument', jsonb_build_object('peerId', mailbox_id::text, 'messageId', message::text, 'actorId', actor,
                                               'emojis', emojis, 'revision', revision::text))));
    END IF;
    IF is_made THEN
        RETURN answer;
    END IF;
    more := (more - 'reactions')
            || CASE WHEN reactions IS NULL OR more ->> 'deletedScope' = 'everyone' THEN '{}'
                    ELSE jsonb_build_object('reactions', reactions) END
            || jsonb_build_object('revisions', coalesce(more -> 'revisions', '{}')
                                               || jsonb_build_object(actor, revision::text));
    UPDATE {shard}.message m SET extra = more, version = raised WHERE m.ctid = place;
    RETURN answer;
END
$$;
