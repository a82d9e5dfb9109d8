-- Changes of mailboxes that are no sends: one call is one batch is one transaction. Element i of the arrays is one change.
--
-- kinds        what: {shard}.change_<kind>, which says what its argument holds
-- mailbox_ids  the mailbox that it is made in
-- arguments    JSON objects; 64-bit ids in them are strings
-- companions   0, or another mailbox of this database: what the change owes to it is done in this transaction. For a group_send
--              the group itself: so is what it owes to members who are in this database, if the group is small
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
-- All mailboxes are locked first, groups before users and else in the order of their ids: so no two batches deadlock, and
-- whom a group's message goes to is known once the group is locked. write_messages locks users alone, in the same order. As
-- there the parent table is first of all: so does who takes a shard out of it.
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
    given jsonb[] := ARRAY(SELECT a.argument::jsonb FROM unnest(arguments) AS a (argument));
    group_ids bigint[];
    user_ids bigint[];
    -- So that the transaction ends soon.
    room integer := 640;
    copies_left integer := room;
    near_ids bigint[] := '{}';
    near jsonb; -- the same, as keys
    found bigint[];
    locked_ids bigint[];
    before bigint[];
    shard record;
    stored record;
    message integer := 0;
    answers jsonb[];
    owing jsonb[];
    owed jsonb;
    place bigint;
    -- Element by element what is owed, by which change, its key, and whether it is still; and which are messages to near members.
    debts jsonb[] := '{}';
    debtors integer[] := '{}';
    debt_mailboxes bigint[] := '{}';
    debt_versions bigint[] := '{}';
    debt_ordinals bigint[] := '{}';
    debt_is_open boolean[] := '{}';
    near_debts integer[] := '{}';
    raised_ids bigint[];
    raised_versions bigint[];
    touched_ids bigint[];
BEGIN
    LOCK TABLE ONLY parley.mailbox IN ACCESS SHARE MODE;
    SELECT array_agg(DISTINCT id ORDER BY id) FILTER (WHERE id & 256 > 0),
           array_agg(DISTINCT id ORDER BY id) FILTER (WHERE id & 256 = 0)
    INTO group_ids, user_ids
    FROM (SELECT unnest(mailbox_ids) UNION ALL SELECT unnest(companions) UNION ALL
          SELECT m.id::bigint FROM unnest(given) AS g (argument), jsonb_array_elements_text(g.argument -> 'members') AS m (id))
         AS l (id)
    WHERE id > 0;
    before := parley.lock_mailboxes(group_ids);
    FOR shard IN
        SELECT parley.shard_schema(min(c.id)) AS name, array_agg(DISTINCT c.id) AS ids
        FROM unnest(kinds, mailbox_ids, companions) AS c (kind, id, companion)
        WHERE c.kind = 'group_send' AND c.companion = c.id GROUP BY c.id >> 50
    LOOP
        EXECUTE format('SELECT * FROM %I.few_group_members($1, $2)', shard.name) INTO found, room USING shard.ids, room;
        near_ids := near_ids || found;
    END LOOP;
    IF cardinality(near_ids) > 0 THEN
        SELECT coalesce(array_agg(n.id), '{}'), jsonb_object_agg(n.id, true) INTO near_ids, near
        FROM (SELECT DISTINCT n.id FROM unnest(near_ids, parley.mailbox_versions(near_ids)) AS n (id, version)
              WHERE n.version > 0) n;
        user_ids := ARRAY(SELECT DISTINCT u.id FROM unnest(user_ids || near_ids) AS u (id) ORDER BY u.id);
    END IF;
    before := before || parley.lock_mailboxes(user_ids);
    locked_ids := group_ids || user_ids;

    IF 'group_message' = ANY (kinds) THEN
        stored := parley.write_group_messages(
            ARRAY(SELECT g.argument FROM unnest(kinds, given) AS g (kind, argument) WHERE g.kind = 'group_message'),
            locked_ids, before);
        raised_ids := stored.changed_ids;
        raised_versions := stored.changed_versions;
    END IF;
    FOR i IN 1 .. cardinality(kinds) LOOP
        IF kinds[i] = 'group_message' THEN
            message := message + 1;
            IF NOT stored.made[message] OR NOT given[i] ? 'state' THEN
                answers[i] := CASE WHEN stored.made[message] THEN '{"status": "done"}' ELSE '{"status": "missing"}' END;
                CONTINUE;
            END IF;
        ELSIF before[array_position(locked_ids, mailbox_ids[i])] = 0 AND kinds[i] NOT LIKE 'erase%'
              AND NOT given[i] ? 'members' THEN
            answers[i] := '{"status": "no-mailbox"}';
            CONTINUE;
        END IF;
        answers[i] := parley.apply_change(kinds[i], mailbox_ids[i], given[i]);
        owing := ARRAY[answers[i]];
        -- The second is the companion's, which may owe in turn.
        FOR n IN 1 .. 2 LOOP
            FOR owed, place IN
                SELECT o.owed, coalesce((o.owed ->> 'ordinal')::bigint, o.place)
                FROM jsonb_array_elements(owing[n] -> 'owes') WITH ORDINALITY AS o (owed, place)
            LOOP
                target_id := (owed ->> 'mailbox')::bigint;
                IF n = 1 AND target_id = companions[i] THEN
                    CONTINUE WHEN before[array_position(locked_ids, target_id)] = 0;
                    owing[2] := parley.apply_change(owed ->> 'kind', target_id, owed -> 'argument');
                    CONTINUE WHEN owing[2] ->> 'status' <> 'missing';
                END IF;
                debts := debts || owed;
                debtors := debtors || i;
                debt_mailboxes := debt_mailboxes
                    || coalesce((owing[n] ->> 'mailbox')::bigint, CASE n WHEN 1 THEN mailbox_ids[i] ELSE companions[i] END);
                debt_versions := debt_versions || (owing[n] ->> 'version')::bigint;
                debt_ordinals := debt_ordinals || place;
                debt_is_open := debt_is_open || true;
                IF companions[i] = mailbox_ids[i] AND NOT owed ? 'ordinal'
                   AND near ?& ARRAY(SELECT jsonb_array_elements_text(owed #> '{argument,members}'))
                   AND jsonb_array_length(owed #> '{argument,members}') <= copies_left THEN
                    copies_left := copies_left - jsonb_array_length(owed #> '{argument,members}');
                    near_debts := near_debts || cardinality(debts);
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
    IF cardinality(near_debts) > 0 THEN
        stored := parley.write_group_messages(ARRAY(SELECT debts[d.n] -> 'argument' FROM unnest(near_debts) AS d (n)),
                                              near_ids, parley.mailbox_versions(near_ids));
        FOR i IN 1 .. cardinality(near_debts) LOOP
            debt_is_open[near_debts[i]] := NOT stored.made[i];
        END LOOP;
        raised_ids := raised_ids || stored.changed_ids;
        raised_versions := raised_versions || stored.changed_versions;
    END IF;

    -- Which versions the mailboxes have now: of a send the group's is known, other changes may have raised any that they name.
    touched_ids := ARRAY(
        SELECT DISTINCT t.id
        FROM unnest(kinds, mailbox_ids, companions, given) AS c (kind, id, companion, argument),
             unnest(ARRAY[c.id, c.companion]
                    || ARRAY(SELECT m.id::bigint FROM jsonb_array_elements_text(c.argument -> 'members') AS m (id))) AS t (id)
        WHERE t.id > 0 AND c.kind <> 'group_send' AND (c.kind <> 'group_message' OR c.argument ? 'state'));
    FOR shard IN
        SELECT parley.shard_schema(min(t.id)) AS name, array_agg(t.id) AS ids
        FROM unnest(touched_ids) AS t (id) GROUP BY t.id >> 50
    LOOP
        EXECUTE format('SELECT %I.mailbox_versions($1)', shard.name) INTO found USING shard.ids;
        raised_ids := raised_ids || shard.ids;
        raised_versions := raised_versions || found;
    END LOOP;
    IF cardinality(debts) > 0 THEN
        -- What was asked for twice in the batch is owed to both who ask.
        RETURN QUERY
        WITH debt AS MATERIALIZED (
            SELECT d.number, d.mailbox_id, d.version, d.ordinal, (d.owed ->> 'mailbox')::bigint AS target_id,
                   d.owed ->> 'kind' AS kind, d.owed -> 'argument' AS argument
            FROM unnest(debts, debtors, debt_mailboxes, debt_versions, debt_ordinals, debt_is_open)
                 AS d (owed, number, mailbox_id, version, ordinal, is_open)
            WHERE d.is_open
        ),
        kept AS (
            INSERT INTO parley.change_outbox (mailbox_id, version, ordinal, target_id, kind, argument)
            SELECT d.mailbox_id, d.version, d.ordinal, d.target_id, d.kind, d.argument FROM debt d
            ON CONFLICT DO NOTHING
        ),
        duplicate AS MATERIALIZED (
            SELECT a.n::integer AS number, coalesce((a.answer ->> 'mailbox')::bigint, a.mailbox_id) AS mailbox_id,
                   (a.answer ->> 'version')::bigint AS version
            FROM unnest(answers, mailbox_ids) WITH ORDINALITY AS a (answer, mailbox_id, n)
            WHERE (a.answer ->> 'status' = 'duplicate' OR (a.answer -> 'isDuplicate')::boolean) AND a.n <> ALL (debtors)
        )
        SELECT o.number, 'o'::"char", d.mailbox_id, NULL::bigint, d.version, d.ordinal, d.target_id, d.kind, d.argument::text
        FROM debt d
             CROSS JOIN LATERAL (SELECT d.number UNION ALL
                                 SELECT c.number FROM duplicate c
                                 WHERE c.mailbox_id = d.mailbox_id AND c.version = d.version) AS o (number);
    END IF;
    RETURN QUERY
    SELECT a.n::integer, 'r'::"char", a.mailbox_id, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, a.answer ->> 'status',
           (a.answer - 'owes')::text
    FROM unnest(answers, mailbox_ids) WITH ORDINALITY AS a (answer, mailbox_id, n)
    UNION ALL
    SELECT 0, 'w', v.id, max(v.before), greatest(max(v.after), max(v.before) + 1), NULL, NULL, NULL, NULL
    FROM (SELECT l.id, l.before, NULL::bigint AS after FROM unnest(locked_ids, before) AS l (id, before)
          UNION ALL SELECT r.id, NULL, r.version FROM unnest(raised_ids, raised_versions) AS r (id, version)
          UNION ALL SELECT a.mailbox_id, NULL, (a.answer ->> 'version')::bigint
                    FROM unnest(answers, mailbox_ids, kinds) AS a (answer, mailbox_id, kind)
                    WHERE a.kind = 'group_send' AND a.answer ->> 'status' = 'done') v
    GROUP BY v.id HAVING max(v.after) <> max(v.before);
END
$$;
REVOKE ALL ON FUNCTION parley.write_changes(text[], bigint[], text[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parley.write_changes(text[], bigint[], text[], bigint[]) TO parley_server;
