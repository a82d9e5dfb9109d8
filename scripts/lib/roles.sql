-- Creates the two roles. Variables: owner, server: their passwords.
-- parley_owner owns the schemas; parleyctl connects as parley_owner. parleyd connects as parley_server, directly and through
-- PgBouncer. A pooled session cannot set its own limits, so the role has them.
SET client_min_messages = warning;
SET log_statement = 'none';
SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['parley_owner', 'parley_server']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec
ALTER ROLE parley_owner PASSWORD :'owner';
ALTER ROLE parley_server PASSWORD :'server';
ALTER ROLE parley_server SET statement_timeout = '5s';
ALTER ROLE parley_server SET lock_timeout = '3s';
ALTER ROLE parley_server SET idle_in_transaction_session_timeout = '10s';
