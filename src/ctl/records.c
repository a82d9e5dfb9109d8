/*
 * parleyctl's own tables, and the conditions under which it works on a database.
 */
#include "ctl/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER(schema)                                                        \
    "CREATE TABLE IF NOT EXISTS " schema ".migration ("                       \
    "number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL," \
    " applied_timestamp bigint NOT NULL, duration_ms bigint NOT NULL,"        \
    " applied_by text NOT NULL, tool_version text NOT NULL);"

/* Each is sent as one message and so is one transaction. */
static const char create_directory[] = "CREATE SCHEMA IF NOT EXISTS directory;" LEDGER("directory");

static const char create_database[] = "CREATE SCHEMA IF NOT EXISTS parley;" LEDGER(
    "parley") "CREATE TABLE IF NOT EXISTS parley.function_set ("
              "schema_name text PRIMARY KEY, checksum text NOT NULL, applied_timestamp bigint NOT "
              "NULL);"
              "CREATE TABLE IF NOT EXISTS parley.identity ("
              "is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only), database_name text NOT "
              "NULL,"
              " shards integer NOT NULL);";

/* The oldest version that the tests run on, and the first one with publications by schema. */
#define SERVER_VERSION_MIN 150000

int pl_records_have(pl_session_t *session, const char *relation, pl_outcome_t *outcome)
{
    const char *const values[] = {relation};
    PGresult *result;

    if (pl_session_query(session, "SELECT to_regclass($1) IS NOT NULL", 1, values,
                         "looking for parleyctl's tables", &result, outcome) < 0)
        return -1;
    int have = PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return have;
}

/* Looks first, because CREATE SCHEMA IF NOT EXISTS needs the right to create even if it creates
 * nothing. */
static int ensure(pl_session_t *session, const char *last_table, const char *ddl,
                  pl_outcome_t *outcome)
{
    int have = pl_records_have(session, last_table, outcome);

    if (have != 0)
        return have < 0 ? -1 : 0;
    return pl_session_run(session, ddl, "creating parleyctl's tables", outcome);
}

int pl_records_ensure_directory(pl_session_t *session, pl_outcome_t *outcome)
{
    return ensure(session, "directory.migration", create_directory, outcome);
}

static int compare_identity(pl_session_t *session, const char *name, int shards,
                            pl_outcome_t *outcome)
{
    PGresult *result;
    int rc = 0;

    if (pl_session_query(session, "SELECT database_name, shards FROM parley.identity", 0, NULL,
                         "identity", &result, outcome) < 0)
        return -1;
    if (PQntuples(result) > 0) {
        const char *found = PQgetvalue(result, 0, 0);
        int found_shards = atoi(PQgetvalue(result, 0, 1));
        if (strcmp(found, name) != 0) {
            rc = pl_fail(outcome, PL_EXIT_BLOCKED,
                         "%s: owner_dsn leads to the database that was initialised as \"%s\";"
                         " every [database NAME] needs a database of its own",
                         session->label, found);
        } else if (found_shards != shards) {
            rc = pl_fail(outcome, PL_EXIT_BLOCKED,
                         "%s: belongs to a system of %d shards, but the directory has %d; check"
                         " the owner_dsn of [directory] and of [database %s]",
                         session->label, found_shards, shards, name);
        }
    }
    PQclear(result);
    return rc;
}

int pl_records_ensure_database(pl_session_t *session, const char *name, int shards,
                               pl_outcome_t *outcome)
{
    char number[16];
    const char *const values[] = {name, number};

    snprintf(number, sizeof number, "%d", shards);
    if (ensure(session, "parley.identity", create_database, outcome) < 0 ||
        pl_session_execute(session,
                           "INSERT INTO parley.identity (database_name, shards)"
                           " VALUES ($1, $2::int) ON CONFLICT DO NOTHING",
                           2, values, "identity", outcome) < 0)
        return -1;
    return compare_identity(session, name, shards, outcome);
}

int pl_records_check_identity(pl_session_t *session, const char *name, int shards,
                              pl_outcome_t *outcome)
{
    int have = pl_records_have(session, "parley.identity", outcome);

    return have <= 0 ? have : compare_identity(session, name, shards, outcome);
}

int pl_records_check_owner(pl_session_t *session, pl_outcome_t *outcome)
{
    enum { ROLE, IS_SUPER, IS_STANDBY, CAN_CREATE, HAS_SERVER_ROLE, DATABASE };
    PGresult *result;
    int rc = 0;

    if (PQserverVersion(session->conn) < SERVER_VERSION_MIN) {
        return pl_fail(outcome, PL_EXIT_BLOCKED, "%s: PostgreSQL %s; 15 or later is needed",
                       session->label, PQparameterStatus(session->conn, "server_version"));
    }
    if (pl_session_query(session,
                         "SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname ="
                         " current_user), pg_is_in_recovery(),"
                         " has_database_privilege(current_database(), 'CREATE'),"
                         " EXISTS (SELECT FROM pg_roles WHERE rolname = 'parley_server'),"
                         " current_database()",
                         0, NULL, "the owner's role", &result, outcome) < 0)
        return -1;
    const char *role = PQgetvalue(result, 0, ROLE), *database = PQgetvalue(result, 0, DATABASE);
    if (PQgetvalue(result, 0, IS_STANDBY)[0] == 't') {
        rc = pl_fail(outcome, PL_EXIT_BLOCKED,
                     "%s: owner_dsn leads to a standby; it must lead to the primary (with"
                     " several hosts: target_session_attrs=read-write)",
                     session->label);
    } else if (PQgetvalue(result, 0, IS_SUPER)[0] == 't' || strcmp(role, "parley_server") == 0) {
        rc = pl_fail(outcome, PL_EXIT_BLOCKED,
                     "%s: owner_dsn logs in as %s; the functions that the server calls run with the"
                     " owner's rights, so the owner must not be a superuser or the server's role"
                     " (CREATE ROLE parley_owner LOGIN)",
                     session->label, role);
    } else if (PQgetvalue(result, 0, CAN_CREATE)[0] != 't') {
        rc = pl_fail(outcome, PL_EXIT_BLOCKED,
                     "%s: %s may not create schemas: ALTER DATABASE \"%s\" OWNER TO %s",
                     session->label, role, database, role);
    } else if (PQgetvalue(result, 0, HAS_SERVER_ROLE)[0] != 't') {
        rc = pl_fail(outcome, PL_EXIT_BLOCKED,
                     "%s: the server's role is missing: as a superuser, CREATE ROLE parley_server"
                     " LOGIN",
                     session->label);
    }
    PQclear(result);
    return rc;
}
