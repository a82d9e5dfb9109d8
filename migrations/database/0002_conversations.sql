-- Conversations besides their messages: changes of messages, receipts, settings, blocks; and the follow-ups of changes in other
-- mailboxes.
--
-- A new column of message or mailbox must cost a send nothing. A row's header has room for the nulls of eight columns, so message
-- stays at eight, and values that few rows have are null in the others. mailbox has nine, which costs each of its rows 8 bytes: of
-- the 2,600 bytes that a send writes to the log, 16.

ALTER TABLE parley.message ADD COLUMN extra jsonb;
COMMENT ON COLUMN parley.message.extra IS 'What few messages have: replyTo, metadata, editedTimestamp, deletedTimestamp, deletedScope, reactions (emoji: user ids), and the server''s own: original (identifies what was sent), copyContent and copyMetadata (the same, while the sender''s copy still needs them), revisions (see sql/README.md).';

ALTER TABLE parley.mailbox
    ADD COLUMN delivered_version bigint,
    ADD COLUMN erased_timestamp  bigint,
    ADD COLUMN guarded           boolean,
    ADD COLUMN invited_version   bigint,
    ADD COLUMN auth_epoch        bigint;
COMMENT ON COLUMN parley.mailbox.guarded IS 'True if the user has blocked anybody or is erased, which every send has to check. Else null.';
COMMENT ON COLUMN parley.mailbox.erased_timestamp IS 'When the account was erased; the row stays, so that the id is never given out again. Else null.';
COMMENT ON COLUMN parley.mailbox.invited_version IS 'The version of the last change of the user''s open invitations. Null: there was never one.';
COMMENT ON COLUMN parley.mailbox.auth_epoch IS 'When a session of the user, or all of their tokens, last ended. Null for most users. A version check reads it too.';
COMMENT ON COLUMN parley.mailbox.delivered_version IS 'A client of the user has everything up to this version. Null: not known yet.';

ALTER TABLE parley.conversation
    ADD COLUMN peer_read_up_to      bigint  NOT NULL DEFAULT 0,
    ADD COLUMN peer_delivered_up_to bigint  NOT NULL DEFAULT 0,
    ADD COLUMN cleared_up_to        bigint  NOT NULL DEFAULT 0,
    ADD COLUMN muted_until          bigint  NOT NULL DEFAULT 0,
    ADD COLUMN archived             boolean NOT NULL DEFAULT false,
    ADD COLUMN pinned               boolean NOT NULL DEFAULT false,
    ADD COLUMN marked_unread        boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN parley.conversation.unread_count IS 'Others'' messages above read_up_to that are not deleted.';
COMMENT ON COLUMN parley.conversation.cleared_up_to IS 'The user has deleted the conversation up to this message, for themselves.';

ALTER TABLE parley.account
    ADD COLUMN read_receipts boolean NOT NULL DEFAULT true,
    ADD COLUMN show_presence boolean NOT NULL DEFAULT true,
    ADD COLUMN group_invites text    COLLATE "C" NOT NULL DEFAULT 'everyone',
    ADD COLUMN tokens_ended_timestamp bigint;
COMMENT ON COLUMN parley.account.group_invites IS 'Users who may add this user to a group without an invitation: everyone, contacts (users to whom this user has written) or nobody.';
COMMENT ON COLUMN parley.account.tokens_ended_timestamp IS 'When the user''s tokens that have no session were ended last: one that was issued before is refused. Else null.';

CREATE TABLE parley.block (
    user_id           bigint NOT NULL,
    blocked_id        bigint NOT NULL,
    blocked_timestamp bigint NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
) PARTITION BY RANGE (user_id);
COMMENT ON TABLE parley.block IS 'Users whom a user has blocked. The mailbox of a user with blocks is guarded.';

CREATE TABLE parley.change_outbox (
    mailbox_id bigint  NOT NULL,
    version    bigint  NOT NULL,
    ordinal    integer NOT NULL,
    target_id  bigint  NOT NULL,
    kind       text    COLLATE "C" NOT NULL,
    argument   jsonb   COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (mailbox_id, version, ordinal)
) PARTITION BY RANGE (mailbox_id);
COMMENT ON TABLE parley.change_outbox IS 'Follow-ups: changes that still have to be made in other mailboxes, by change_<kind> with the argument.';
COMMENT ON COLUMN parley.change_outbox.version IS 'The version of the change of mailbox_id that this is a follow-up of.';
COMMENT ON COLUMN parley.change_outbox.target_id IS 'The mailbox in which it has to be made.';

-- What the functions in sql/ pass to each other.
CREATE TYPE parley.mailbox_version AS (
    user_id bigint,
    version bigint
);
CREATE TYPE parley.follow_up AS (
    number    integer, -- of the change in its batch
    origin_id bigint,  -- with version and ordinal the key in change_outbox, where it is mailbox_id
    version   bigint,
    ordinal   bigint,
    target_id bigint,
    kind      text,
    argument  jsonb,
    is_made   boolean
);

-- Leaves of the new tables in existing shards; new shards get theirs from create_shard.
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
        FOREACH parent IN ARRAY ARRAY['block', 'change_outbox'] LOOP
            EXECUTE format('CREATE TABLE %I.%I (LIKE parley.%I INCLUDING ALL)', shard.name, parent, parent);
            EXECUTE format('ALTER TABLE parley.%I ATTACH PARTITION %I.%I %s', parent, shard.name, parent, shard.bound);
        END LOOP;
        EXECUTE format('ALTER TABLE %I.change_outbox SET (autovacuum_vacuum_scale_factor = 0,'
                       ' autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_insert_scale_factor = 0,'
                       ' autovacuum_vacuum_insert_threshold = 10000, autovacuum_analyze_scale_factor = 0,'
                       ' autovacuum_analyze_threshold = 50000, autovacuum_vacuum_cost_delay = 0)', shard.name);
    END LOOP;
END
$$;

-- A function whose result type has changed cannot be replaced. All functions are applied again after the migrations.
DO $$
DECLARE
    dropped record;
BEGIN
    FOR dropped IN
        SELECT p.oid::regprocedure AS signature
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname = 'parley' OR n.nspname ~ '^shard_[0-9]{4}$'
    LOOP
        EXECUTE format('DROP FUNCTION %s', dropped.signature);
    END LOOP;
END
$$;
