-- Creates one shard: its schema, its leaf tables, and their place in the parents. Run once, before the functions.
--
-- {shard}  the schema, e.g. shard_0007
-- {lower}  lowest user id of the shard
-- {upper}  one more than the highest, or MAXVALUE
--
-- LIKE and ATTACH, not PARTITION OF: ATTACH takes only a SHARE UPDATE EXCLUSIVE lock on the parent, so a database can get
-- a shard while it serves others.

CREATE SCHEMA {shard};
GRANT USAGE ON SCHEMA {shard} TO parley_server;

CREATE TABLE {shard}.account (LIKE parley.account INCLUDING ALL);
CREATE UNIQUE INDEX account_username ON {shard}.account (username);

-- session: each refresh updates a row, within its page if there is room (HOT).
CREATE TABLE {shard}.session (LIKE parley.session INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE {shard}.auth_ending (LIKE parley.auth_ending INCLUDING ALL);

-- The tables are seldom analysed: the functions' plans do not depend on statistics.
-- mailbox: each send updates a row within its page (HOT), as long as the page has room; vacuum does the rest.
CREATE TABLE {shard}.mailbox (LIKE parley.mailbox INCLUDING ALL)
    WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.5);

-- conversation: the first message of a period moves the row in two indexes, which leaves work for vacuum. The next ones update it
-- within its page (HOT), as long as the page has room.
CREATE TABLE {shard}.conversation (LIKE parley.conversation INCLUDING ALL)
    WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.5);

-- message: only grows. Vacuumed by inserts for the visibility map and for freezing in small steps.
CREATE TABLE {shard}.message (LIKE parley.message INCLUDING ALL)
    WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_insert_threshold = 100000,
          autovacuum_analyze_scale_factor = 0.5);

-- outbox: every row is deleted soon after it was inserted. Dead entries at the head of its index would make the queue slow, so it
-- is vacuumed early and at full speed.
CREATE TABLE {shard}.outbox (LIKE parley.outbox INCLUDING ALL)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
          autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000,
          autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
          autovacuum_vacuum_cost_delay = 0);

CREATE TABLE {shard}.block (LIKE parley.block INCLUDING ALL);

-- change_outbox: as outbox.
CREATE TABLE {shard}.change_outbox (LIKE parley.change_outbox INCLUDING ALL)
    WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
          autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000,
          autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000,
          autovacuum_vacuum_cost_delay = 0);

CREATE TABLE {shard}.group_profile (LIKE parley.group_profile INCLUDING ALL);
CREATE UNIQUE INDEX group_profile_creation ON {shard}.group_profile (creator_id, client_group_id);
CREATE TABLE {shard}.group_member (LIKE parley.group_member INCLUDING ALL);
CREATE TABLE {shard}.group_view (LIKE parley.group_view INCLUDING ALL);
CREATE TABLE {shard}.membership (LIKE parley.membership INCLUDING ALL);
CREATE TABLE {shard}.group_invitation (LIKE parley.group_invitation INCLUDING ALL);
CREATE TABLE {shard}.invitation (LIKE parley.invitation INCLUDING ALL);

ALTER TABLE parley.account          ATTACH PARTITION {shard}.account          FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.session          ATTACH PARTITION {shard}.session          FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.auth_ending      ATTACH PARTITION {shard}.auth_ending      FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.mailbox          ATTACH PARTITION {shard}.mailbox          FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.conversation     ATTACH PARTITION {shard}.conversation     FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.message          ATTACH PARTITION {shard}.message          FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.outbox           ATTACH PARTITION {shard}.outbox           FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.block            ATTACH PARTITION {shard}.block            FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.change_outbox    ATTACH PARTITION {shard}.change_outbox    FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.group_profile    ATTACH PARTITION {shard}.group_profile    FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.group_member     ATTACH PARTITION {shard}.group_member     FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.group_view       ATTACH PARTITION {shard}.group_view       FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.membership       ATTACH PARTITION {shard}.membership       FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.group_invitation ATTACH PARTITION {shard}.group_invitation FOR VALUES FROM ({lower}) TO ({upper});
ALTER TABLE parley.invitation       ATTACH PARTITION {shard}.invitation       FOR VALUES FROM ({lower}) TO ({upper});
