-- The answer of a change of a group's message, with one follow-up per shard of members in place of the single one: for those who
-- were members when it was made and have the message.
--
-- mailbox_id  of the group
-- kind        message or reaction
-- answer      of change_message or change_reaction in the group's mailbox
CREATE OR REPLACE FUNCTION {shard}.group_change_answer(mailbox_id bigint, kind text, answer jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    change jsonb := answer #> '{followUps,0,argument}';
    message bigint := change ->> 'messageId';
BEGIN
    IF change IS NULL THEN
        RETURN answer;
    END IF;
    RETURN answer || jsonb_build_object('followUps', {shard}.group_follow_ups(
        ARRAY(SELECT u.id FROM unnest({shard}.group_members_at(mailbox_id, (change ->> 'revision')::bigint * 2)) AS u (id)
              WHERE EXISTS (SELECT FROM {shard}.group_member had
                            WHERE had.group_id = mailbox_id AND had.user_id = u.id AND had.since_id <= message
                                  AND (had.until_id IS NULL OR had.until_id >= message))),
        'group_apply', jsonb_build_object('kind', kind, 'change', change)));
END
$$;
