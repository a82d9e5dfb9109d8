-- Groups. A group's home is its creator's shard, where it has a mailbox like a user's. Whatever happens in the group is first a change
-- of that mailbox, which decides the order, and then goes to every member's own mailbox.

CREATE TABLE parley.group_profile (
    group_id            bigint  NOT NULL,
    creator_id          bigint  NOT NULL,
    created_timestamp   bigint  NOT NULL,
    published_timestamp bigint  NOT NULL DEFAULT 0,
    last_message_id     bigint  NOT NULL DEFAULT 0,
    publication_pending       boolean NOT NULL DEFAULT false,
    client_group_id     text    COLLATE "C" NOT NULL,
    request_hash        text    NOT NULL,
    name                text    NOT NULL,
    topic               text    NOT NULL DEFAULT '',
    metadata            text,
    PRIMARY KEY (group_id)
) PARTITION BY RANGE (group_id);
COMMENT ON TABLE parley.group_profile IS 'Groups whose home is here. The leaf has the unique index on creator and client_group_id, which makes a creation idempotent.';
COMMENT ON COLUMN parley.group_profile.request_hash IS 'Hash of the name, the topic, the members and the metadata at the creation: a retry has the same.';
COMMENT ON COLUMN parley.group_profile.metadata IS 'The application''s own JSON object, as it was sent; null if there is none.';
COMMENT ON COLUMN parley.group_profile.publication_pending IS 'True while a change of the group''s state waits for its publication; published_timestamp is the time of the last one.';

CREATE TABLE parley.group_member (
    group_id         bigint NOT NULL,
    user_id          bigint NOT NULL,
    since_id         bigint NOT NULL,
    until_id         bigint,
    joined_timestamp bigint NOT NULL,
    delivered_up_to  bigint NOT NULL,
    read_up_to       bigint NOT NULL,
    role             text   COLLATE "C" NOT NULL,
    PRIMARY KEY (group_id, user_id, since_id)
) PARTITION BY RANGE (group_id);
COMMENT ON TABLE parley.group_member IS 'Members now and before: one row per membership, from the system message of joining (since_id) to that of leaving (until_id, null for a member now).';
COMMENT ON COLUMN parley.group_member.role IS 'owner, admin or member; left, if the membership has ended because the user has left the group.';

CREATE TABLE parley.group_view (
    shard_id   bigint   NOT NULL,
    group_id   bigint   NOT NULL,
    revision   bigint   NOT NULL,
    member_ids bigint[] NOT NULL,
    view       text     NOT NULL,
    PRIMARY KEY (shard_id, group_id)
) PARTITION BY RANGE (shard_id);
COMMENT ON TABLE parley.group_view IS 'The group''s part of its members'' conversations: one copy for all members in a shard.';
COMMENT ON COLUMN parley.group_view.shard_id IS 'The lowest id of the shard.';
COMMENT ON COLUMN parley.group_view.revision IS 'The version of the group''s mailbox that the row shows.';
COMMENT ON COLUMN parley.group_view.view IS 'Members of the Conversation''s JSON object.';

CREATE TABLE parley.membership (
    user_id   bigint NOT NULL,
    group_id  bigint NOT NULL,
    left_view text,
    PRIMARY KEY (user_id, group_id)
) PARTITION BY RANGE (user_id);
COMMENT ON TABLE parley.membership IS 'The groups that a user of the shard is or was in.';
COMMENT ON COLUMN parley.membership.left_view IS 'Null: the user is a member. Else what the conversation shows of the group since the user has left, in place of group_view.view.';

CREATE TABLE parley.group_invitation (
    group_id   bigint NOT NULL,
    user_id    bigint NOT NULL,
    inviter_id bigint NOT NULL,
    revision   bigint NOT NULL,
    PRIMARY KEY (group_id, user_id)
) PARTITION BY RANGE (group_id);
COMMENT ON TABLE parley.group_invitation IS 'Open invitations, in the group''s home shard. A user with an open invitation may join the group.';
COMMENT ON COLUMN parley.group_invitation.revision IS 'The version of the group''s mailbox at which the user was invited.';

CREATE TABLE parley.invitation (
    user_id           bigint NOT NULL,
    group_id          bigint NOT NULL,
    revision          bigint NOT NULL,
    invited_timestamp bigint,
    inviter_id        bigint,
    group_name        text,
    PRIMARY KEY (user_id, group_id)
) PARTITION BY RANGE (user_id);
-- The open ones, which are at most 100.
CREATE INDEX invitation_open ON parley.invitation (user_id, group_id) WHERE inviter_id IS NOT NULL;
COMMENT ON TABLE parley.invitation IS 'Invitations to groups, in the shard of the user who is invited. The rows of ended invitations stay, without their content.';
COMMENT ON COLUMN parley.invitation.revision IS 'The revision in group_invitation, or the version of the group''s mailbox that has ended the invitation. A later follow-up with the same or a lower revision is ignored.';
COMMENT ON COLUMN parley.invitation.inviter_id IS 'Null: the invitation has ended, or was never shown.';
COMMENT ON COLUMN parley.invitation.group_name IS 'The name that the group had when the user was invited.';

-- Leaves in existing shards.
DO $$
DECLARE
    shard record;
    parent text;
BEGIN
    FOR shard IN
        SELECT n.nspname AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE i.inhparent = 'parley.message'::regclass
        ORDER BY n.nspname
    LOOP
        FOREACH parent IN ARRAY ARRAY['group_profile', 'group_member', 'group_view', 'membership', 'group_invitation', 'invitation'] LOOP
            EXECUTE format('CREATE TABLE %I.%I (LIKE parley.%I INCLUDING ALL)', shard.name, parent, parent);
            EXECUTE format('ALTER TABLE parley.%I ATTACH PARTITION %I.%I %s', parent, shard.name, parent, shard.bound);
        END LOOP;
        EXECUTE format('CREATE UNIQUE INDEX group_profile_creation ON %I.group_profile (creator_id, client_group_id)', shard.name);
    END LOOP;
END
$$;
