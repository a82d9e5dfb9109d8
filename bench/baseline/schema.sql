-- The baseline: what a competent engineer would write by hand for the same task in one PostgreSQL database. For the sends the
-- tables have the same columns and indexes as Parley's leaves, but no partitions, outbox, versions of mailboxes or batches.
-- The page of conversations is read from a table that was made only for that query.

CREATE TABLE conversation (
    user_id              bigint  NOT NULL,
    peer_id              bigint  NOT NULL,
    last_message_id      bigint  NOT NULL,
    read_up_to           bigint  NOT NULL DEFAULT 0,
    delivered_up_to      bigint  NOT NULL DEFAULT 0,
    version              bigint  NOT NULL,
    unread_count         integer NOT NULL DEFAULT 0,
    newest_period        integer NOT NULL,
    changed_period       integer NOT NULL,
    peer_read_up_to      bigint  NOT NULL DEFAULT 0,
    peer_delivered_up_to bigint  NOT NULL DEFAULT 0,
    cleared_up_to        bigint  NOT NULL DEFAULT 0,
    muted_until          bigint  NOT NULL DEFAULT 0,
    archived             boolean NOT NULL DEFAULT false,
    pinned               boolean NOT NULL DEFAULT false,
    marked_unread        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (user_id, peer_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.5);
CREATE INDEX conversation_newest ON conversation (user_id, newest_period);
CREATE INDEX conversation_changed ON conversation (user_id, changed_period);

CREATE TABLE conversation_page (
    user_id         bigint  NOT NULL,
    peer_id         bigint  NOT NULL,
    last_message_id bigint  NOT NULL,
    version         bigint  NOT NULL,
    unread_count    integer NOT NULL,
    snippet         text    NOT NULL,
    PRIMARY KEY (user_id, last_message_id, peer_id)
);

CREATE TABLE message (
    user_id           bigint NOT NULL,
    peer_id           bigint NOT NULL,
    message_id        bigint NOT NULL,
    version           bigint NOT NULL,
    sender_id         bigint NOT NULL,
    client_message_id text   COLLATE "C" NOT NULL,
    content           text   COMPRESSION lz4 NOT NULL,
    extra             jsonb,
    PRIMARY KEY (user_id, peer_id, message_id)
) WITH (autovacuum_analyze_scale_factor = 0.5);
CREATE UNIQUE INDEX message_dedupe ON message (user_id, peer_id, client_message_id) WHERE sender_id = peer_id;
CREATE INDEX message_version ON message (user_id, version);
CREATE INDEX message_changed ON message (user_id, peer_id, version) WHERE version - (message_id >> 1) > 10000000;

-- Ids above all those of the population.
CREATE SEQUENCE message_id START 4000000000000000;

-- Sends one message: both inserts and both conversation upserts, in the transaction of the calling statement.
CREATE FUNCTION send_message(sender bigint, recipient bigint, client_id text, body text) RETURNS bigint
    LANGUAGE plpgsql
AS $$
DECLARE
    now_us bigint := extract(epoch FROM clock_timestamp()) * 1000000;
    id bigint := nextval('message_id');
BEGIN
    INSERT INTO message (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
    VALUES (recipient, sender, id, now_us, sender, client_id, body);
    INSERT INTO conversation AS c
        (user_id, peer_id, last_message_id, version, unread_count, newest_period, changed_period)
    VALUES (recipient, sender, id, now_us, 1, now_us >> 27, now_us >> 27)
    ON CONFLICT (user_id, peer_id) DO UPDATE
    SET last_message_id = excluded.last_message_id, version = excluded.version, unread_count = c.unread_count + 1,
        newest_period = excluded.newest_period, changed_period = excluded.changed_period;
    INSERT INTO message (user_id, peer_id, message_id, version, sender_id, client_message_id, content)
    VALUES (sender, recipient, id, now_us, sender, client_id, body);
    INSERT INTO conversation AS c
        (user_id, peer_id, last_message_id, version, unread_count, newest_period, changed_period)
    VALUES (sender, recipient, id, now_us, 0, now_us >> 27, now_us >> 27)
    ON CONFLICT (user_id, peer_id) DO UPDATE
    SET last_message_id = excluded.last_message_id, version = excluded.version,
        newest_period = excluded.newest_period, changed_period = excluded.changed_period;
    RETURN id;
END
$$;
