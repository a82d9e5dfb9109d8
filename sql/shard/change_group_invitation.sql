-- Brings an invitation to a group to users of one shard, or ends it: a follow-up of a change of the group.
--
-- argument  members: the users; groupId; revision; inviterId, name and timestamp, which are absent if the invitation ends
-- Result: status: done; and for users to whom it is not shown, follow-ups that end it in the group.
--
-- A user who has blocked the inviter, who has 100 open invitations, or who is erased is not shown another one. An invitation
-- that is open already stays as it is then, and also if the same user makes it again.
CREATE OR REPLACE FUNCTION {shard}.change_group_invitation(mailbox_id bigint, argument jsonb)
    RETURNS jsonb
    LANGUAGE plpgsql VOLATILE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET enable_sort = off
AS $$
DECLARE
    grp bigint := argument ->> 'groupId';
    new_revision bigint := argument -> 'revision';
    inviter bigint := argument ->> 'inviterId';
    member bigint;
    is_erased boolean;
    shown {shard}.invitation;
    is_refused boolean;
    refused bigint[] := '{}';
BEGIN
    FOR member, is_erased IN
        SELECT b.user_id, b.erased_timestamp IS NOT NULL FROM {shard}.mailbox b
        WHERE b.user_id = ANY (ARRAY(SELECT u.id::bigint FROM jsonb_array_elements_text(argument -> 'members') AS u (id)))
    LOOP
        IF is_erased THEN
            IF inviter IS NOT NULL THEN
                refused := refused || member;
            END IF;
            CONTINUE;
        END IF;
        SELECT i.* INTO shown FROM {shard}.invitation i WHERE i.user_id = member AND i.group_id = grp;
        CONTINUE WHEN shown.revision >= new_revision;
        is_refused := inviter IS NOT NULL
                      AND ({shard}.has_blocked(member, inviter)
                           OR shown.inviter_id IS NULL
                              AND (SELECT true FROM {shard}.invitation i
                                   WHERE i.user_id = member AND i.inviter_id IS NOT NULL
                                   ORDER BY i.group_id OFFSET 99 LIMIT 1) IS NOT NULL);
        IF shown.inviter_id IS NOT NULL
           AND (is_refused OR (shown.inviter_id, shown.group_name) = (inviter, argument ->> 'name')) THEN
            UPDATE {shard}.invitation i SET revision = new_revision WHERE i.user_id = member AND i.group_id = grp;
            CONTINUE;
        END IF;
        INSERT INTO {shard}.invitation AS i (user_id, group_id, revision, invited_timestamp, inviter_id, group_name)
        SELECT member, grp, new_revision, (n.offer ->> 'timestamp')::bigint, (n.offer ->> 'inviterId')::bigint, n.offer ->> 'name'
        FROM (SELECT CASE WHEN NOT is_refused THEN argument END AS offer) n
        ON CONFLICT (user_id, group_id) DO UPDATE
        SET revision = excluded.revision, invited_timestamp = excluded.invited_timestamp, inviter_id = excluded.inviter_id,
            group_name = excluded.group_name;
        IF is_refused THEN
            refused := refused || member;
        ELSIF inviter IS NOT NULL OR shown.inviter_id IS NOT NULL THEN
            PERFORM {shard}.next_invited_version(member);
        END IF;
    END LOOP;
    IF cardinality(refused) = 0 THEN
        RETURN '{"status": "done"}';
    END IF;
    RETURN jsonb_build_object(
        'status', 'done', 'mailbox', refused[1]::text, 'version', {shard}.next_version(refused[1]),
        'followUps', {shard}.decline_invitations(refused, array_fill(grp, ARRAY[cardinality(refused)]),
                                                 array_fill(new_revision, ARRAY[cardinality(refused)])));
END
$$;
