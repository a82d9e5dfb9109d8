-- The directory: which shards the system has and which database holds each.
--
-- Written by parleyctl as parley_owner, read by parleyd as parley_server. Small, and on no message's path: a server
-- keeps a copy and reads it again when map_version has moved. The ledger directory.migration is parleyctl's own.

CREATE SCHEMA IF NOT EXISTS directory;
GRANT USAGE ON SCHEMA directory TO parley_server;

CREATE TABLE directory.system (
    is_only        boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    shards         integer NOT NULL CHECK (shards BETWEEN 1 AND 8192),
    map_version    bigint  NOT NULL DEFAULT 1,
    initialised_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE directory.system IS 'One row. The number of shards never changes: it is part of every user id.';
COMMENT ON COLUMN directory.system.map_version IS 'Raised by each change of directory.shard or directory.database.';

CREATE TABLE directory.database (
    name  text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'retired'))
);
COMMENT ON TABLE directory.database IS 'Databases by the names under which configuration files hold their DSNs.';

CREATE TABLE directory.shard (
    shard         integer PRIMARY KEY CHECK (shard BETWEEN 0 AND 8191),
    database_name text NOT NULL REFERENCES directory.database (name),
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'moving'))
);
CREATE INDEX shard_database_name ON directory.shard (database_name);

GRANT SELECT ON directory.system, directory.database, directory.shard TO parley_server;
