-- Changes of mailboxes that are no sends: one call is one batch is one transaction. Element i of the arrays is one change.
--
-- kinds        what: {shard}.change_<kind>, which says what its argument holds
-- mailbox_ids  the mailbox that it is made in
-- arguments    JSON objects; 64-bit ids in them are strings
-- companions   0, or another mailbox of this database: what the change owes to it is done in this transaction
--
-- Rows, by their part:
-- r  the answer to change `number` (1 is the first): status in `kind`, in `detail` the object that its function gave; 'missing':
--    it cannot be made yet. 'no-mailbox': there is none, or the user is erased; the kinds that begin with erase tell that
--    themselves
-- o  what change `number` owes and is now in the outbox: mailbox_id, version and ordinal are the row's key; target_id, kind
--    and, in `detail`, the argument say what is to be called there
-- w  a mailbox that has changed (number 0): previous is its version before, version the one after; of one that was erased one
--    that is above, so that who waits for it looks
--
-- A change function is given a locked mailbox; one whose argument has `members` looks itself whose user is erased. It takes its
-- version by next_version, and answers with an object: status, version, what else the API says, and `owes`: [{mailbox, kind,
-- argument}], what other mailboxes are to be told. That is an outbox row, unless the mailbox is the companion. A change that owes
-- has raised its mailbox's version, or that of the `mailbox` of its shard that it names, so that (mailbox, version, ordinal) is a
-- key; `ordinal` is the place among what is owed, unless the element has its own. The same again owes the same under the same
-- version, or what of it is owed still. What is done again, after a lost connection, by the relay or by a client that asks
-- again, must change nothing the second time.
--
-- All mailboxes are locked first, in the order of their ids: as write_messages does, so that no two batches deadlock.
CREATE OR REPLACE FUNCTION parley.write_changes(
    kinds text[], mailbox_ids bigint[], arguments text[], companions bigint[])
    RETURNS TABLE (number integer, part "char", mailbox_id bigint, previous bigint, version bigint, ordinal bigint,
                   target_id bigint, kind text, detail text)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    locked_ids bigint[];
    before bigint[] := '{}';
    after bigint[] := '{}';
    versions bigint[];
    shard record;
    answer jsonb;
    answers jsonb[];
    owed jsonb;
BEGIN
    SELECT array_agg(DISTINCT id ORDER BY id) INTO locked_ids
    FROM (SELECT unnest(mailbox_ids) UNION ALL SELECT unnest(companions) UNION ALL
          SELECT m.id::bigint
          FROM unnest(arguments) AS a (argument), jsonb_array_elements_text(a.argument::jsonb -> 'members') AS m (id)
          WHERE strpos(a.argument, '"members"') > 0) AS l (id)
    WHERE id > 0;

    FOR shard IN
        SELECT parley.shard_schema(min(l.id)) AS name, array_agg(l.id ORDER BY l.id) AS ids
        FROM unnest(locked_ids) AS l (id) GROUP BY l.id >> 50 ORDER BY l.id >> 50
    LOOP
        EXECUTE format('SELECT %I.lock_mailboxes($1)', shard.name) INTO versions USING shard.ids;
        before := before || versions;
    END LOOP;

    FOR i IN 1 .. cardinality(kinds) LOOP
        number := i;
        mailbox_id := mailbox_ids[i];
        IF before[array_position(locked_ids, mailbox_id)] = 0 AND kinds[i] NOT LIKE 'erase%'
           AND NOT arguments[i]::jsonb ? 'members' THEN
            part := 'r'; kind := 'no-mailbox'; detail := '{}';
            RETURN NEXT;
            CONTINUE;
        END IF;
        answer := parley.apply_change(kinds[i], mailbox_id, arguments[i]::jsonb);
        answers := ARRAY[answer];
        -- The second is the companion's, which may owe in turn.
        FOR n IN 1 .. 2 LOOP
            FOR owed, ordinal IN
                SELECT o.owed, coalesce((o.owed ->> 'ordinal')::bigint, o.place)
                FROM jsonb_array_elements(answers[n] -> 'owes') WITH ORDINALITY AS o (owed, place)
            LOOP
                target_id := (owed ->> 'mailbox')::bigint;
                kind := owed ->> 'kind';
                IF n = 1 AND target_id = companions[i] THEN
                    CONTINUE WHEN before[array_position(locked_ids, target_id)] = 0;
                    answers[2] := parley.apply_change(kind, target_id, owed -> 'argument');
                    CONTINUE WHEN answers[2] ->> 'status' <> 'missing';
                END IF;
                part := 'o';
                version := (answers[n] ->> 'version')::bigint;
                detail := owed ->> 'argument';
                mailbox_id := coalesce((answers[n] ->> 'mailbox')::bigint,
                                       CASE n WHEN 1 THEN mailbox_ids[i] ELSE companions[i] END);
                INSERT INTO parley.change_outbox (mailbox_id, version, ordinal, target_id, kind, argument)
                VALUES (mailbox_id, version, ordinal, target_id, kind, owed -> 'argument')
                ON CONFLICT DO NOTHING;
                RETURN NEXT;
            END LOOP;
        END LOOP;
        part := 'r';
        mailbox_id := mailbox_ids[i];
        version := NULL; ordinal := NULL; target_id := NULL;
        kind := answer ->> 'status';
        detail := answer - 'owes';
        RETURN NEXT;
    END LOOP;

    FOR shard IN
        SELECT parley.shard_schema(min(l.id)) AS name, array_agg(l.id ORDER BY l.id) AS ids
        FROM unnest(locked_ids) AS l (id) GROUP BY l.id >> 50 ORDER BY l.id >> 50
    LOOP
        EXECUTE format('SELECT %I.mailbox_versions($1)', shard.name) INTO versions USING shard.ids;
        after := after || versions;
    END LOOP;
    RETURN QUERY
    SELECT 0, 'w'::"char", c.id, c.before, greatest(c.after, c.before + 1), NULL::bigint, NULL::bigint, NULL::text, NULL::text
    FROM unnest(locked_ids, before, after) AS c (id, before, after)
    WHERE c.after <> c.before;
END
$$;
REVOKE ALL ON FUNCTION parley.write_changes(text[], bigint[], text[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.write_changes(text[], bigint[], text[], bigint[]) TO parley_server;
