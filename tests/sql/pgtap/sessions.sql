-- create_session, find_session, rotate_session, end_sessions, fetch_sessions, check_session, close_sessions, mailbox_states,
-- fetch_endings, expire_sessions, and the sessions in update_account and change_erase.
SET search_path = test, tap, public;
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE ids AS SELECT test.user(1, 1) AS ann, test.user(1, 2) AS bob, test.user(0, 1) AS carl;
UPDATE parley.account SET password_hash = 'hash';
CREATE FUNCTION pg_temp.hash(name text) RETURNS text LANGUAGE sql AS $$ SELECT encode(sha256(name::bytea), 'hex') $$;
CREATE FUNCTION pg_temp.login(name text, max_sessions integer DEFAULT 100) RETURNS bigint LANGUAGE sql AS $$
    SELECT c.session_id FROM ids, shard_0001.create_session(ann, 'hash', pg_temp.hash(name), '0a', name, '203.0.113.7', 1000000000,
                                                            max_sessions) c
$$;
CREATE FUNCTION pg_temp.names() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(f.device_name, ' ') FROM ids, shard_0001.fetch_sessions(ann) f
$$;
CREATE FUNCTION pg_temp.id_of(name text) RETURNS bigint LANGUAGE sql AS $$
    SELECT s.session_id FROM parley.session s WHERE s.device_name = name
$$;
CREATE FUNCTION pg_temp.epoch() RETURNS bigint LANGUAGE sql AS $$ SELECT auth_epoch FROM ids, parley.mailbox WHERE user_id = ann $$;

-- Logins.
SELECT results_eq('SELECT f.session_id FROM ids, shard_0001.fetch_sessions(ann) f', 'VALUES (NULL::bigint)', 'a user without sessions gives one empty row');
SELECT is_empty('SELECT FROM shard_0001.fetch_sessions(test.id(1, 99))', 'an unknown user gives no row');
SELECT cmp_ok(pg_temp.login('one'), '>', 0::bigint, 'a login makes a session');
SELECT is(pg_temp.login('one'), pg_temp.id_of('one'), 'a repeated call gives the same session');
SELECT cmp_ok(pg_temp.login('two'), '>', pg_temp.id_of('one'), 'a later login has a higher id');
SELECT is(pg_temp.names(), 'two one', 'the list begins with the session that was seen last');
SELECT results_eq('SELECT device_name, address, generation, rotations, expires_timestamp - created_timestamp, encode(salt, ''hex''),'
                  ' encode(current_hash, ''hex'') FROM parley.session WHERE device_name = ''one''',
                  'SELECT ''one'', ''203.0.113.7'', 0, ''{}''::bigint[], 1000000000::bigint, ''0a'', pg_temp.hash(''one'')', 'a session is stored with its device, address, salt and hash');
SELECT is_empty($$SELECT FROM ids, shard_0001.create_session(ann, 'old', 'aa', '0a', NULL, NULL, 1, 9)$$, 'a login with a password that was changed creates no session');
SELECT is_empty($$SELECT FROM shard_0001.create_session(test.id(1, 99), 'hash', 'aa', '0a', NULL, NULL, 1, 9)$$, 'a login of an unknown user creates no session');
SELECT is(pg_temp.epoch(), NULL, 'a login sets no epoch');

-- Too many.
SELECT pg_temp.login('three');
UPDATE parley.session SET last_seen_timestamp = last_seen_timestamp + 1000000 WHERE device_name = 'one';
CREATE TEMP TABLE second AS SELECT pg_temp.id_of('two') AS id;
SELECT results_eq($$SELECT c.closed_ids, c.closed_timestamp FROM ids, second,
                           shard_0001.create_session(ann, 'hash', pg_temp.hash('four'), '0a', 'four', NULL, 1000000000, 3) c$$,
                  $$SELECT ARRAY[id], pg_temp.epoch() FROM second$$, 'over the limit the session that was not seen for the longest time ends');
SELECT is(pg_temp.names(), 'one four three', 'the session that ended is deleted');
SELECT cmp_ok(pg_temp.id_of('four'), '>', pg_temp.epoch(), 'the id of the new session is above the time of that ending');

-- Refreshing.
SELECT results_eq('SELECT f.generation, f.rotations, f.salt, f.current_hash FROM ids, shard_0001.find_session(ann, pg_temp.id_of(''one'')) f',
                  'SELECT 0, ''{}''::bigint[], ''0a'', pg_temp.hash(''one'')', 'find_session gives what judges a token');
SELECT is_empty('SELECT FROM ids, shard_0001.find_session(ann, 7)', 'find_session gives no row for an unknown session');
SELECT is_empty('SELECT FROM ids, shard_0001.find_session(bob, pg_temp.id_of(''one''))', 'find_session gives no row for the session of another user');
CREATE FUNCTION pg_temp.rotate(old text, new text) RETURNS boolean LANGUAGE sql AS $$
    SELECT shard_0001.rotate_session(ann, pg_temp.id_of('one'), pg_temp.hash(old), pg_temp.hash(new), '203.0.113.8', 2000000000) FROM ids
$$;
SELECT ok(pg_temp.rotate('one', 'r1'), 'rotate_session replaces the token');
SELECT ok(pg_temp.rotate('one', 'r1'), 'a repeated call succeeds');
SELECT ok(NOT pg_temp.rotate('one', 'r2'), 'a token that was replaced gets no other successor');
SELECT results_eq('SELECT generation, cardinality(rotations), rotations[1] = last_seen_timestamp, expires_timestamp - last_seen_timestamp,'
                  ' expires_hour, address FROM parley.session WHERE device_name = ''one''',
                  'SELECT 1, 1, true, 2000000000::bigint, parley.hour_of(expires_timestamp), ''203.0.113.8'' FROM parley.session'
                  ' WHERE device_name = ''one''', 'the token is replaced once, with its time');
SELECT is(bool_and(pg_temp.rotate('r' || n, 'r' || n + 1)), true, 'each successor can be replaced') FROM generate_series(1, 11) n;
SELECT is((SELECT (generation, cardinality(rotations), rotations = ARRAY(SELECT r FROM unnest(rotations) r ORDER BY r DESC))::text
           FROM parley.session WHERE device_name = 'one'), (12, 8, true)::text, 'the row keeps the last eight times, the newest first');

-- States of mailboxes.
SELECT is(shard_0001.mailbox_states(ARRAY[bob, test.id(1, 99)]), '{1000,0}', 'a mailbox without an ending gives its version') FROM ids;
SELECT is(shard_0001.mailbox_states(ARRAY[bob, ann, test.id(1, 99), ann]), ARRAY[1000, -1000, 0, -1000, pg_temp.epoch(), pg_temp.epoch()],
          'a mailbox with an ending gives its negative version, and its epoch after all versions') FROM ids;
SELECT is(parley.mailbox_states(ARRAY[carl, ann]), ARRAY[1000, -1000, pg_temp.epoch()], 'the function for all shards does the same') FROM ids;
SELECT is(parley.mailbox_states('{}'), '{}', 'an empty argument gives an empty result');

-- Endings.
CREATE FUNCTION pg_temp.end_sessions(ended bigint, kept bigint DEFAULT 0, tokens boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
    SELECT e.status || CASE WHEN e.ended_timestamp IS NULL THEN '' WHEN e.ended_timestamp = pg_temp.epoch() THEN ' now' ELSE ' before' END
    FROM ids, shard_0001.end_sessions(ann, ended, kept, tokens) e
$$;
CREATE TEMP TABLE third AS SELECT pg_temp.id_of('three') AS id;
SELECT results_eq('SELECT c.is_open, c.tokens_timestamp FROM ids, third, shard_0001.check_session(ann, id) c', 'VALUES (true, NULL::bigint)', 'check_session finds the session');
SELECT is(pg_temp.end_sessions(7), 'session-not-found', 'the end of an unknown session is refused');
SELECT is(pg_temp.end_sessions(id), 'done now', 'end_sessions ends a session') FROM third;
SELECT is(pg_temp.names(), 'one four', 'the other sessions stay');
SELECT results_eq('SELECT c.is_open, c.tokens_timestamp FROM ids, third, shard_0001.check_session(ann, id) c', 'VALUES (false, NULL::bigint)', 'check_session does not find the ended session');
SELECT is(pg_temp.end_sessions(id), 'done before', 'the end of a session that has ended lately succeeds') FROM second;
SELECT is((SELECT e.status FROM ids, third, shard_0001.end_sessions(bob, id, 0, false) e), 'session-not-found', 'a user cannot end the session of another user');
SELECT is((SELECT e.status FROM shard_0001.end_sessions(test.id(1, 99), 1, 0, false) e), 'no-mailbox', 'an unknown user has no sessions to end');
SELECT is(pg_temp.end_sessions(0, id), 'session-ended', 'an ended session cannot end the others') FROM third;
SELECT is(pg_temp.names(), 'one four', 'a refused call ends nothing');
SELECT is(pg_temp.end_sessions(0, pg_temp.id_of('one')), 'done now', 'end_sessions ends all sessions but one');
SELECT is(pg_temp.names(), 'one', 'the kept session stays');
CREATE TEMP TABLE noted AS SELECT pg_temp.epoch() AS epoch, pg_temp.id_of('one') AS kept;
SELECT is(pg_temp.end_sessions(0, kept), 'done', 'without other sessions the call succeeds') FROM noted;
SELECT is(pg_temp.epoch(), epoch, 'without other sessions the epoch stays') FROM noted;
SELECT results_eq('SELECT e.ended_timestamp, e.kept_session_id, e.tokens_timestamp, e.is_erased FROM ids, parley.auth_ending e'
                  ' WHERE user_id = ann AND session_id = 0', 'SELECT epoch, kept, NULL::bigint, false FROM noted', 'auth_ending has one row for the end of all sessions');
SELECT is(pg_temp.end_sessions(0, 0, true), 'done now', 'end_sessions ends all sessions and the tokens without a session');
SELECT results_eq('SELECT c.is_open, c.tokens_timestamp FROM ids, shard_0001.check_session(ann, 0) c', 'SELECT false, pg_temp.epoch()', 'check_session gives the time at which the tokens ended');
CREATE TEMP TABLE revoked AS SELECT pg_temp.epoch() AS epoch;
SELECT pg_temp.login('five'), pg_temp.login('six');
SELECT cmp_ok(pg_temp.id_of('five'), '>', epoch, 'the id of a later session is above the ending') FROM revoked;
SELECT is(pg_temp.end_sessions(0, pg_temp.id_of('six')), 'done now', 'the other sessions can end again');
SELECT results_eq('SELECT e.ended_timestamp > epoch, e.tokens_timestamp FROM ids, revoked, parley.auth_ending e WHERE user_id = ann AND session_id = 0',
                  'SELECT true, epoch FROM revoked', 'a later end of sessions keeps the time of the tokens');

-- A clock that steps back: an ending is later than what it ends, and a session later than the ending before it.
UPDATE parley.session SET session_id = 8000000000000000 WHERE device_name = 'six';
SELECT is(pg_temp.end_sessions(0), 'done now', 'a session whose id is in the future ends too');
SELECT is(pg_temp.epoch(), 8000000000000001, 'the time of the ending is above that id');
SELECT is(pg_temp.login('seven'), 8000000000000002, 'the id of the next session is above the ending');
SELECT is(pg_temp.login('eight'), 8000000000000003, 'the ids of further sessions grow');

-- A new password.
SELECT is((SELECT sessions_ended_timestamp FROM ids, shard_0001.update_account(ann, 'A', NULL, NULL, NULL, NULL, NULL, NULL, 0)), NULL, 'a new name ends no session');
SELECT is_empty($$SELECT FROM ids, shard_0001.update_account(ann, 'B', 'new', NULL, NULL, NULL, NULL, NULL, 0)$$, 'a new password without the verified hash is refused');
SELECT is_empty($$SELECT FROM ids, shard_0001.update_account(ann, 'B', 'new', NULL, NULL, NULL, NULL, 'other', 0)$$, 'a new password with another verified hash is refused');
SELECT is((SELECT (display_name, password_hash)::text FROM ids, shard_0001.fetch_account(ann)), '(A,hash)', 'a refused update changes nothing');
SELECT is(pg_temp.names(), 'eight seven', 'a refused update ends no session');
SELECT is((SELECT sessions_ended_timestamp = pg_temp.epoch() AND password_hash = 'new'
           FROM ids, shard_0001.update_account(ann, NULL, 'new', NULL, NULL, NULL, NULL, 'hash', 8000000000000002)), true, 'a new password ends the sessions');
SELECT is(pg_temp.names(), 'seven', 'the session of the caller stays');
SELECT is((SELECT sessions_ended_timestamp = pg_temp.epoch() FROM ids, shard_0001.update_account(ann, NULL, 'new', NULL, NULL, NULL, NULL, 'hash', 8000000000000002)),
          true, 'a repeated update gives the same time');
SELECT is((SELECT sessions_ended_timestamp FROM shard_0001.update_account(test.id(1, 2), NULL, 'x', NULL, NULL, NULL, NULL, 'hash', 0)) IS NULL, false, 'a new password by a token without a session ends all sessions');
SELECT test.user(1, 3);
SELECT is((SELECT (sessions_ended_timestamp, password_hash)::text FROM shard_0001.update_account(test.id(1, 3), NULL, 'first', NULL, NULL, NULL, NULL, NULL, 0)),
          '(,first)', 'a first password ends no session');

-- What servers read.
SELECT is((SELECT count(*) FROM parley.fetch_endings(9000000000000000, 9000000000000000, 100)), 1::bigint, 'the first row is always given');
SELECT is((SELECT f.user_id = 0 AND f.ended_timestamp BETWEEN parley.clock_us() - 1000000 AND parley.clock_us()
           FROM parley.fetch_endings(9000000000000000, 9000000000000000, 100) f), true, 'the first row has the time of the database');
SELECT set_eq('SELECT f.session_id FROM ids, parley.fetch_endings(0, 9000000000000000, 100) f WHERE f.user_id = ann', 'SELECT id FROM second UNION SELECT id FROM third',
              'fetch_endings gives the ended sessions');
SELECT set_eq('SELECT f.user_id, f.session_id FROM parley.fetch_endings(9000000000000000, 0, 100) f WHERE f.user_id <> 0',
              'SELECT ann, 0::bigint FROM ids UNION SELECT bob, 0 FROM ids', 'fetch_endings gives the ends of all sessions of a user');
SELECT is((SELECT count(*) FROM parley.fetch_endings(0, 0, 2)), 3::bigint, 'fetch_endings gives at most a page');
SELECT is((SELECT array_agg(f.ended_timestamp ORDER BY n) = array_agg(f.ended_timestamp ORDER BY f.ended_timestamp)
           FROM parley.fetch_endings(0, 0, 100) WITH ORDINALITY f (user_id, session_id, ended_timestamp, kept, tokens, is_erased, n) WHERE n > 1), true, 'fetch_endings gives the rows in the order of their times');

-- Expiry.
DELETE FROM parley.auth_ending;
SELECT shard_0000.create_session(carl, 'hash', pg_temp.hash('of carl'), '0a', 'of carl', NULL, 1000000000, 3) FROM ids;
SELECT is(parley.expire_sessions(86400000000, 86400000000, 100), 0, 'a session that has not expired stays');
UPDATE parley.session SET expires_timestamp = parley.clock_us() - 1, expires_hour = parley.hour_of(parley.clock_us() - 1);
SELECT is_empty($$SELECT FROM ids, shard_0001.find_session(ann, pg_temp.id_of('seven'))$$, 'find_session does not find an expired session');
SELECT is(pg_temp.names(), NULL, 'fetch_sessions does not list an expired session');
SELECT is(parley.expire_sessions(86400000000, 86400000000, 1), 1, 'expire_sessions deletes at most a page');
SELECT is(parley.expire_sessions(86400000000, 86400000000, 100), 1, 'a further call deletes the rest');
SELECT is((SELECT count(*) FROM parley.session), 0::bigint, 'expired sessions of all shards are deleted');
SELECT is((SELECT count(*) FROM parley.fetch_endings(0, 0, 100) f WHERE f.session_id <> 0 AND f.kept_session_id = 0), 2::bigint, 'each expired session leaves a row of auth_ending');
UPDATE parley.auth_ending SET ended_timestamp = parley.clock_us() - 100000000;
INSERT INTO parley.auth_ending SELECT bob, 0, parley.clock_us() - 100000000, 0, NULL, false FROM ids;
SELECT is(parley.expire_sessions(110000000, 110000000, 100), 0, 'a call without expired sessions deletes none');
SELECT is((SELECT count(*) FROM parley.auth_ending), 3::bigint, 'endings that are not old enough stay');
SELECT is(parley.expire_sessions(90000000, 110000000, 100), 0, 'a call with another time deletes no session either');
SELECT is((SELECT array_agg(session_id) FROM parley.auth_ending), '{0}', 'old ends of single sessions are deleted first');
SELECT is(parley.expire_sessions(90000000, 90000000, 100), 0, 'a call with a short time deletes no session either');
SELECT is((SELECT count(*) FROM parley.auth_ending), 0::bigint, 'old ends of all sessions are deleted too');

-- Erasure.
UPDATE parley.account SET password_hash = 'hash';
SELECT pg_temp.login('last');
SELECT c.kind FROM ids, parley.write_changes('{erase}', ARRAY[ann], ARRAY['{"timestamp": 7000}'], '{0}') c WHERE c.part = 'r';
SELECT is((SELECT count(*) FROM parley.session), 0::bigint, 'the erasure deletes the sessions');
SELECT results_eq('SELECT f.session_id, f.kept_session_id, f.tokens_timestamp = f.ended_timestamp, f.is_erased FROM ids, parley.fetch_endings(0, 0, 9) f WHERE f.user_id = ann',
                  'VALUES (0::bigint, 0::bigint, true, true)', 'the erasure leaves a row of auth_ending');
SELECT is_empty($$SELECT FROM ids, shard_0001.create_session(ann, 'hash', 'ab', '0a', NULL, NULL, 1, 9)$$, 'an erased user cannot log in');
SELECT is_empty('SELECT FROM ids, shard_0001.fetch_sessions(ann)', 'an erased user gives no row');
SELECT is((SELECT e.status FROM ids, shard_0001.end_sessions(ann, 0, 0, true) e), 'no-mailbox', 'an erased user has no sessions to end');
SELECT is(shard_0001.mailbox_states(ARRAY[ann]), '{0}', 'mailbox_states gives 0 for an erased user') FROM ids;
SELECT * FROM finish();
ROLLBACK;
