-- Records that a client has everything of the mailbox up to a cursor: others' messages up to there are delivered.
--
-- argument  version: the cursor
-- Result: status; upTo: the version up to which delivery is recorded now; rest: the cursor, if there is more to look at: call again.
-- Follow-ups: each peer gets a receipt.
-- status: done, also for a cursor above the mailbox's version, which is ignored.
--
-- It reads the messages since the last time in the order of versions, one slice per call. So the cost depends on what is new and
-- not on what is stored. Without a new message it writes nothing.
--
-- It takes no version, since readers of the mailbox do not see what it writes, and so no client is woken by its own cursor. Its
-- follow-ups have the cursor as version, and ordinals that no other change uses.
CREATE OR REPLACE FUNCTION {shard}.change_delivered(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    slice CONSTANT integer := 100;
    until bigint := argument ->> 'version';
    newest bigint;
    known bigint;
    peers bigint[];
    messages bigint[];
    passed bigint;
    reached bigint;
    place tid;
    found bigint;
    delivered bigint;
    follow_ups jsonb := '[]';
    rest jsonb := '{}';
BEGIN
    SELECT m.version, coalesce(m.delivered_version, 0) INTO newest, known
    FROM {shard}.mailbox m WHERE m.user_id = mailbox_id;
    IF until <= known OR until > newest THEN
        RETURN jsonb_build_object('status', 'done', 'upTo', known);
    END IF;

    SELECT array_agg(s.peer_id), array_agg(s.message_id), sum(s.passed), max(s.version)
    INTO peers, messages, passed, reached
    FROM (SELECT s.peer_id, max(s.message_id) FILTER (WHERE s.sender_id <> mailbox_id) AS message_id,
                 count(*) AS passed, max(s.version) AS version
          FROM (SELECT m.peer_id, m.message_id, m.sender_id, m.version FROM {shard}.message m
                WHERE m.user_id = mailbox_id AND m.version > known AND m.version <= until
                ORDER BY m.version FETCH FIRST (slice) ROWS WITH TIES) s
          GROUP BY s.peer_id) s;
    FOR i IN 1 .. coalesce(cardinality(peers), 0) LOOP
        CONTINUE WHEN messages[i] IS NULL;
        SELECT c.ctid, c.peer_id, c.delivered_up_to INTO place, found, delivered
        FROM {shard}.conversation c
        WHERE c.user_id = mailbox_id AND c.peer_id >= peers[i]
        ORDER BY c.peer_id LIMIT 1;
        CONTINUE WHEN found IS DISTINCT FROM peers[i] OR delivered >= messages[i];
        UPDATE {shard}.conversation c SET delivered_up_to = messages[i] WHERE c.ctid = place;
        follow_ups := follow_ups || ({shard}.receipt_follow_up(mailbox_id, peers[i],
                                              jsonb_build_object('deliveredUpTo', messages[i]::text))
                         || jsonb_build_object('ordinal', 1000000 + i));
    END LOOP;

    IF passed >= slice AND reached < until THEN
        rest := jsonb_build_object('rest', until);
        until := reached;
    END IF;
    IF passed > 0 THEN
        UPDATE {shard}.mailbox m SET delivered_version = until WHERE m.user_id = mailbox_id;
    END IF;
    RETURN jsonb_build_object('status', 'done', 'upTo', until, 'version', until, 'followUps', follow_ups) || rest;
END
$$;
