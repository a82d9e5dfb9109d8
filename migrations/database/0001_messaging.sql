-- Parents of the shards' tables. A shard's leaves (sql/shard/create_shard.sql) are their partitions, so every key
-- begins with the id that the range is over. The ledger parley.migration is parleyctl's own.
--
-- Timestamps are microseconds since 1970. There are no foreign keys: a key share lock on a hot mailbox or
-- conversation row for every message would cost more than the check is worth. Storage parameters are on the leaves,
-- since PostgreSQL takes none on a partitioned table.

-- By default every role may execute a new function. Here only roles with a grant may; the grants are in sql/.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS parley;
GRANT USAGE ON SCHEMA parley TO parley_server;

CREATE TABLE parley.account (
    user_id           bigint NOT NULL,
    created_timestamp bigint NOT NULL,
    username          text   COLLATE "C" NOT NULL,
    display_name      text   NOT NULL,
    password_hash     text,
    metadata          text,
    PRIMARY KEY (user_id)
) PARTITION BY RANGE (user_id);
COMMENT ON TABLE parley.account IS 'Accounts of users. The leaf has the unique index on username; the hash of the username decides the shard.';
COMMENT ON COLUMN parley.account.password_hash IS 'Argon2id, encoded; null for an account whose tokens an integrator issues.';
COMMENT ON COLUMN parley.account.metadata IS 'The application''s own JSON object, as it was sent; null if there is none.';

CREATE TABLE parley.session (
    user_id               bigint   NOT NULL,
    session_id            bigint   NOT NULL,
    created_timestamp     bigint   NOT NULL,
    last_seen_timestamp   bigint   NOT NULL,
    expires_timestamp     bigint   NOT NULL,
    expires_hour          integer  NOT NULL,
    generation            integer  NOT NULL DEFAULT 0,
    rotations             bigint[] NOT NULL DEFAULT '{}',
    salt                  bytea    NOT NULL,
    current_hash          bytea    NOT NULL,
    device_name           text,
    address               text,
    PRIMARY KEY (user_id, session_id)
) PARTITION BY RANGE (user_id);
-- For the deletion of expired sessions. A refresh moves the expiry; by whole hours it seldom changes the index.
CREATE INDEX session_expires ON parley.session (expires_hour);
COMMENT ON TABLE parley.session IS 'Logins that have not ended. Of a refresh token only its hash is stored.';
COMMENT ON COLUMN parley.session.session_id IS 'The time of the login, so that the sessions before an ending are those with lower ids.';
COMMENT ON COLUMN parley.session.generation IS 'How often the refresh token was replaced.';
COMMENT ON COLUMN parley.session.rotations IS 'When the refresh tokens of the last generations replaced the ones before; the newest first, at most 8.';
COMMENT ON COLUMN parley.session.salt IS 'Key of the HMAC by which a refresh token''s successor follows from it.';
COMMENT ON COLUMN parley.session.current_hash IS 'SHA-256 of the present refresh token''s secret.';

CREATE TABLE parley.auth_ending (
    user_id          bigint  NOT NULL,
    session_id       bigint  NOT NULL,
    ended_timestamp  bigint  NOT NULL,
    kept_session_id  bigint  NOT NULL,
    tokens_timestamp bigint,
    is_erased        boolean NOT NULL,
    PRIMARY KEY (user_id, session_id)
) PARTITION BY RANGE (user_id);
CREATE INDEX auth_ending_ended ON parley.auth_ending (ended_timestamp);
COMMENT ON TABLE parley.auth_ending IS 'Sessions that have ended lately. Every server reads the new rows at each heartbeat, and those of a token''s lifetime when it starts.';
COMMENT ON COLUMN parley.auth_ending.session_id IS 'The session that has ended; 0: all but kept_session_id.';
COMMENT ON COLUMN parley.auth_ending.tokens_timestamp IS 'With session_id 0: when the user''s tokens that have no session were ended last.';
COMMENT ON COLUMN parley.auth_ending.is_erased IS 'The user was erased.';

CREATE TABLE parley.mailbox (
    user_id           bigint NOT NULL,
    version           bigint NOT NULL,
    previous_version  bigint NOT NULL DEFAULT 0,
    tombstone_horizon bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id)
) PARTITION BY RANGE (user_id);
COMMENT ON TABLE parley.mailbox IS 'One row per user and per group. Every writer of the mailbox locks it first.';
COMMENT ON COLUMN parley.mailbox.version IS 'The change counter. Every row of the mailbox has a version, and every message a time (message_id / 2), at or below it.';
COMMENT ON COLUMN parley.mailbox.previous_version IS 'The version before the last write, so that RETURNING of that write can give it. Not for readers.';
COMMENT ON COLUMN parley.mailbox.tombstone_horizon IS 'Newest version whose tombstone was purged: changes since an older cursor are no longer complete.';

CREATE TABLE parley.conversation (
    user_id         bigint  NOT NULL,
    peer_id         bigint  NOT NULL,
    last_message_id bigint  NOT NULL,
    read_up_to      bigint  NOT NULL DEFAULT 0,
    delivered_up_to bigint  NOT NULL DEFAULT 0,
    version         bigint  NOT NULL,
    unread_count    integer NOT NULL DEFAULT 0,
    newest_period   integer NOT NULL,
    changed_period  integer NOT NULL,
    PRIMARY KEY (user_id, peer_id)
) PARTITION BY RANGE (user_id);
CREATE INDEX conversation_newest ON parley.conversation (user_id, newest_period);
CREATE INDEX conversation_changed ON parley.conversation (user_id, changed_period);
COMMENT ON TABLE parley.conversation IS 'One user''s view of a chat with a peer.';

CREATE TABLE parley.message (
    user_id           bigint NOT NULL,
    peer_id           bigint NOT NULL,
    message_id        bigint NOT NULL,
    version           bigint NOT NULL,
    sender_id         bigint NOT NULL,
    client_message_id text   COLLATE "C" NOT NULL,
    content           text   COMPRESSION lz4 NOT NULL,
    PRIMARY KEY (user_id, peer_id, message_id)
) PARTITION BY RANGE (user_id);
-- The key of a send, in the mailbox that is written first: there, and only there, the sender is the peer.
CREATE UNIQUE INDEX message_dedupe ON parley.message (user_id, peer_id, client_message_id) WHERE sender_id = peer_id;
-- For changes in the mailbox since T.
CREATE INDEX message_version ON parley.message (user_id, version);
-- Changes in one conversation since T are found by the primary key from (T - 10 s) on, and by this index: rows that were changed or
-- stored more than 10 s after their id's time. Hardly any row is, so the index costs a send nothing.
CREATE INDEX message_changed ON parley.message (user_id, peer_id, version)
    WHERE version - (message_id >> 1) > 10000000;
COMMENT ON TABLE parley.message IS 'One row per mailbox that a message is in.';

CREATE TABLE parley.outbox (
    recipient_id bigint NOT NULL,
    sender_id    bigint NOT NULL,
    message_id   bigint NOT NULL,
    PRIMARY KEY (recipient_id, sender_id, message_id)
) PARTITION BY RANGE (recipient_id);
COMMENT ON TABLE parley.outbox IS 'Messages whose sender''s copy is not stored yet. The content is in the recipient''s message row.';
