-- Makes a batch of changes: all writes to mailboxes that are no sends. One call is one transaction.
--
-- Element i of the arrays is one change:
-- kinds        its function is {shard}.change_<kind>, which documents the argument
-- mailbox_ids  the mailbox that it is made in
-- arguments    JSON objects; 64-bit ids in them are strings
-- companions   0, or another mailbox of this database: a follow-up for that mailbox is made in this transaction. For a
--              group_send the group itself: then members' copies in this database are stored in this transaction, if the group
--              is small
--
-- Rows, by part:
-- r  the answer to change `number` (1 is the first): the status in `kind`, and in `detail` the object that its function returned.
--    Status missing: the change cannot be made yet. no-mailbox: the mailbox does not exist, or its user is erased
-- o  a follow-up of change `number` that is now an outbox entry. Its key is mailbox_id, version and ordinal. To make it, apply
--    the change `kind` with the argument `detail` in target_id; members_count is the number of `members` in that argument
-- w  a mailbox that has changed (number 0): `previous` is its version before the batch, `version` the one after. For a user who
--    was erased `version` is just higher, so that waiters read the mailbox
--
-- A change function gets a locked mailbox that exists, unless its kind checks that itself (change_needs_mailbox). It takes its
-- version by next_version. It answers with an object: status, version, more for the API, and followUps: [{mailbox, kind,
-- argument}], the changes that other mailboxes still need. Each becomes an outbox entry, unless the mailbox is the companion.
-- The entry's key is (mailbox, version, ordinal): the changed mailbox, or the `mailbox` of its shard that the answer names;
-- that mailbox's new version; and the place in followUps, unless the element has an `ordinal`. The same change again gives the
-- same follow-ups with the same version, or those that are still in the outbox. A change may come twice (after a lost
-- connection, from the relay, from a client that retries); the second time it must change nothing.
--
-- All mailboxes are locked first: groups before users, each in the order of ids. So no two batches deadlock, and the
-- members who get a group's message are known once the group is locked. write_messages locks only users, in the same order. Both lock the parent
-- table before all else, as does a move of a shard.
CREATE OR REPLACE FUNCTION parley.write_changes(
    kinds text[], mailbox_ids bigint[], arguments text[], companions bigint[])
    RETURNS TABLE (number integer, part "char", mailbox_id bigint, previous bigint, version bigint, ordinal bigint,
                   target_id bigint, kind text, detail text, members_count integer)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    given jsonb[] := ARRAY(SELECT a.argument::jsonb FROM unnest(arguments) AS a (argument));
    group_ids bigint[];
    user_ids bigint[];
    -- Members' copies in one transaction, so that it ends soon.
    room integer := 640;
    copies_left integer := room;
    near_ids bigint[] := '{}';  -- members of small groups in this database
    near jsonb;                 -- the same as keys of an object
    found bigint[];
    locked parley.mailbox_version[];  -- before the batch
    missing_ids bigint[];             -- locked mailboxes without a user
    raised parley.mailbox_version[];  -- after it
    shard record;
    stored record;
    group_messages integer := 0;
    answers jsonb[];
    answer jsonb;
    origin_id bigint;
    follow_up jsonb;
    place bigint;
    follow_ups parley.follow_up[] := '{}';
    near_places integer[] := '{}';  -- which follow-ups are messages to near members
    companion_answer jsonb;
    touched_ids bigint[];
BEGIN
    LOCK TABLE ONLY parley.mailbox IN ACCESS SHARE MODE;
    SELECT array_agg(DISTINCT id ORDER BY id) FILTER (WHERE parley.is_group(id)),
           array_agg(DISTINCT id ORDER BY id) FILTER (WHERE NOT parley.is_group(id))
    INTO group_ids, user_ids
    FROM (SELECT unnest(mailbox_ids) UNION ALL SELECT unnest(companions) UNION ALL
          SELECT m.id::bigint FROM unnest(given) AS g (argument), jsonb_array_elements_text(g.argument -> 'members') AS m (id))
         AS l (id)
    WHERE id > 0;
    locked := parley.lock_mailboxes(group_ids);
    FOR shard IN
        SELECT parley.shard_schema(min(c.id)) AS name, array_agg(DISTINCT c.id) AS ids
        FROM unnest(kinds, mailbox_ids, companions) AS c (kind, id, companion)
        WHERE c.kind = 'group_send' AND c.companion = c.id GROUP BY parley.shard_of(c.id)
    LOOP
        EXECUTE format('SELECT * FROM %I.small_group_members($1, $2)', shard.name) INTO found, room USING shard.ids, room;
        near_ids := near_ids || found;
    END LOOP;
    IF cardinality(near_ids) > 0 THEN
        SELECT coalesce(array_agg(n.id), '{}'), jsonb_object_agg(n.id, true) INTO near_ids, near
        FROM (SELECT DISTINCT n.id FROM unnest(near_ids, parley.mailbox_versions(near_ids)) AS n (id, version)
              WHERE n.version > 0) n;
        user_ids := ARRAY(SELECT DISTINCT u.id FROM unnest(user_ids || near_ids) AS u (id) ORDER BY u.id);
    END IF;
    locked := locked || parley.lock_mailboxes(user_ids);
    missing_ids := ARRAY(SELECT l.user_id FROM unnest(locked) AS l WHERE l.version = 0);

    IF 'group_message' = ANY (kinds) THEN
        stored := parley.write_group_messages(
            ARRAY(SELECT g.argument FROM unnest(kinds, given) AS g (kind, argument) WHERE g.kind = 'group_message'), locked);
        raised := stored.raised;
    END IF;
    FOR i IN 1 .. cardinality(kinds) LOOP
        IF kinds[i] = 'group_message' THEN
            group_messages := group_messages + 1;
            IF NOT stored.is_stored[group_messages] OR NOT given[i] ? 'state' THEN
                answers[i] := CASE WHEN stored.is_stored[group_messages] THEN '{"status": "done"}'
                                   ELSE '{"status": "missing"}' END;
                CONTINUE;
            END IF;
        ELSIF mailbox_ids[i] = ANY (missing_ids) AND parley.change_needs_mailbox(kinds[i]) THEN
            answers[i] := '{"status": "no-mailbox"}';
            CONTINUE;
        END IF;
        answers[i] := parley.apply_change(kinds[i], mailbox_ids[i], given[i]);
        -- The follow-ups of the change, and then those of its companion's change.
        origin_id := mailbox_ids[i];
        answer := answers[i];
        companion_answer := NULL;
        WHILE answer IS NOT NULL LOOP
            FOR follow_up, place IN
                SELECT f.follow_up, coalesce((f.follow_up ->> 'ordinal')::bigint, f.place)
                FROM jsonb_array_elements(answer -> 'followUps') WITH ORDINALITY AS f (follow_up, place)
            LOOP
                target_id := (follow_up ->> 'mailbox')::bigint;
                IF origin_id = mailbox_ids[i] AND target_id = companions[i] THEN
                    CONTINUE WHEN target_id = ANY (missing_ids);
                    companion_answer := parley.apply_change(follow_up ->> 'kind', target_id, follow_up -> 'argument');
                    CONTINUE WHEN companion_answer ->> 'status' <> 'missing';
                END IF;
                follow_ups := follow_ups || ROW(i, coalesce((answer ->> 'mailbox')::bigint, origin_id), (answer ->> 'version')::bigint, place,
                                                target_id, follow_up ->> 'kind', follow_up -> 'argument', false)::parley.follow_up;
                IF companions[i] = mailbox_ids[i] AND NOT follow_up ? 'ordinal'
                   AND near ?& ARRAY(SELECT jsonb_array_elements_text(follow_up #> '{argument,members}'))
                   AND jsonb_array_length(follow_up #> '{argument,members}') <= copies_left THEN
                    copies_left := copies_left - jsonb_array_length(follow_up #> '{argument,members}');
                    near_places := near_places || cardinality(follow_ups);
                END IF;
            END LOOP;
            answer := companion_answer;
            origin_id := companions[i];
            companion_answer := NULL;
        END LOOP;
    END LOOP;
    IF cardinality(near_places) > 0 THEN
        stored := parley.write_group_messages(
            ARRAY(SELECT (follow_ups[n.place]).argument FROM unnest(near_places) AS n (place)),
            ARRAY(SELECT ROW(n.id, n.version)::parley.mailbox_version
                  FROM unnest(near_ids, parley.mailbox_versions(near_ids)) AS n (id, version)));
        FOR i IN 1 .. cardinality(near_places) LOOP
            follow_ups[near_places[i]].is_made := stored.is_stored[i];
        END LOOP;
        raised := raised || stored.raised;
    END IF;

    -- Versions after the batch. That of a group that was sent to is in the answer; the rest is read, for a change function may
    -- raise other mailboxes that its argument names.
    touched_ids := ARRAY(
        SELECT DISTINCT t.id
        FROM unnest(kinds, mailbox_ids, companions, given) AS c (kind, id, companion, argument),
             unnest(ARRAY[c.id, c.companion]
                    || ARRAY(SELECT m.id::bigint FROM jsonb_array_elements_text(c.argument -> 'members') AS m (id))) AS t (id)
        WHERE t.id > 0 AND c.kind <> 'group_send' AND (c.kind <> 'group_message' OR c.argument ? 'state'));
    FOR shard IN
        SELECT parley.shard_schema(min(t.id)) AS name, array_agg(t.id) AS ids
        FROM unnest(touched_ids) AS t (id) GROUP BY parley.shard_of(t.id)
    LOOP
        EXECUTE format('SELECT %I.mailbox_versions($1)', shard.name) INTO found USING shard.ids;
        raised := raised || ARRAY(SELECT ROW(f.id, f.version)::parley.mailbox_version
                                  FROM unnest(shard.ids, found) AS f (id, version));
    END LOOP;
    IF cardinality(follow_ups) > 0 THEN
        -- Two requests for the same change in one batch both get its follow-ups.
        RETURN QUERY
        WITH entry AS MATERIALIZED (
            SELECT f.number, f.origin_id, f.version, f.ordinal, f.target_id, f.kind, f.argument
            FROM unnest(follow_ups) AS f WHERE NOT f.is_made
        ),
        kept AS (
            INSERT INTO parley.change_outbox (mailbox_id, version, ordinal, target_id, kind, argument)
            SELECT e.origin_id, e.version, e.ordinal, e.target_id, e.kind, e.argument FROM entry e
            ON CONFLICT DO NOTHING
        ),
        duplicate AS MATERIALIZED (
            SELECT a.n::integer AS number, coalesce((a.answer ->> 'mailbox')::bigint, a.mailbox_id) AS origin_id,
                   (a.answer ->> 'version')::bigint AS version
            FROM unnest(answers, mailbox_ids) WITH ORDINALITY AS a (answer, mailbox_id, n)
            WHERE (a.answer ->> 'status' = 'duplicate' OR (a.answer -> 'isDuplicate')::boolean)
                  AND a.n <> ALL (ARRAY(SELECT f.number FROM unnest(follow_ups) AS f))
        )
        SELECT r.number, 'o'::"char", e.origin_id, NULL::bigint, e.version, e.ordinal, e.target_id, e.kind, e.argument::text,
               coalesce(jsonb_array_length(e.argument -> 'members'), 0)
        FROM entry e
             CROSS JOIN LATERAL (SELECT e.number UNION ALL
                                 SELECT d.number FROM duplicate d
                                 WHERE d.origin_id = e.origin_id AND d.version = e.version) AS r (number);
    END IF;
    RETURN QUERY
    SELECT a.n::integer, 'r'::"char", a.mailbox_id, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, a.answer ->> 'status',
           (a.answer - 'followUps')::text, NULL::integer
    FROM unnest(answers, mailbox_ids) WITH ORDINALITY AS a (answer, mailbox_id, n)
    UNION ALL
    SELECT 0, 'w', v.id, max(v.before), greatest(max(v.after), max(v.before) + 1), NULL, NULL, NULL, NULL, NULL
    FROM (SELECT l.user_id, l.version, NULL::bigint FROM unnest(locked) AS l
          UNION ALL SELECT r.user_id, NULL, r.version FROM unnest(raised) AS r
          UNION ALL SELECT a.mailbox_id, NULL, (a.answer ->> 'version')::bigint
                    FROM unnest(answers, mailbox_ids, kinds) AS a (answer, mailbox_id, kind)
                    WHERE a.kind = 'group_send' AND a.answer ->> 'status' = 'done') AS v (id, before, after)
    GROUP BY v.id HAVING max(v.after) <> max(v.before);
END
$$;
GRANT EXECUTE ON FUNCTION parley.write_changes(text[], bigint[], text[], bigint[]) TO parley_server;
