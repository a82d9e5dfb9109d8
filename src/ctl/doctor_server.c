/*
 * Checks over parleyd's direct connection: the settings that apply to its role, and the rights of
 * that role.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ctl/doctor.h"
#include "directory/durability.h"

#define SERVER_ROLE "parley_server"

#define VERSION_MIN 150000
#define VERSION_TESTED_MAX 159999

/* Direct connections of one parleyd per database: the relay's, for its source and its target. */
#define DIRECT_CONNECTIONS 2

/* A smaller difference may come from the time that the query took. */
#define CLOCK_SKEW_MAX_US 1000000

/* Excludes the schemas of shards that were moved away: their tables are detached. */
#define LIVE_SCHEMAS \
    "(n.nspname = 'parley' OR n.oid IN (SELECT relnamespace FROM pg_class WHERE relispartition))"

static void check_version(pl_doctor_t *doctor, const char *subject, PGconn *conn)
{
    int version = PQserverVersion(conn);
    const char *text = PQparameterStatus(conn, "server_version");

    if (version < VERSION_MIN) {
        pl_check_fail(doctor, subject, "version", PL_EXIT_FAILED, "Upgrade to PostgreSQL 15.",
                      "PostgreSQL %s", text);
    } else if (version > VERSION_TESTED_MAX) {
        pl_check_warn(doctor, subject, "version", "Run Parley's tests on this version first.",
                      "PostgreSQL %s; Parley is tested on 15", text);
    } else {
        pl_check_ok(doctor, subject, "version", "PostgreSQL %s", text);
    }
}

static void check_durability(pl_doctor_t *doctor, const char *subject, PGconn *conn,
                             bool allows_data_loss)
{
    const char *advice = "ALTER SYSTEM SET ... = on for each (synchronous_commit also by ALTER "
                         "ROLE parley_server and"
                         " ALTER DATABASE), then reload.";
    pl_error_t error;

    if (pl_durability_check(conn, &error) == 0) {
        pl_check_ok(doctor, subject, "durability", "fsync, full_page_writes, synchronous_commit");
    } else if (error.code == PL_ERROR_INVALID && allows_data_loss) {
        pl_check_warn(doctor, subject, "durability", advice,
                      "%s; allowed by allow_data_loss_on_crash", error.message);
    } else {
        pl_check_fail(doctor, subject, "durability", PL_EXIT_FAILED, advice, "%s", error.message);
    }
}

static void check_replication(pl_doctor_t *doctor, const char *subject, PGconn *conn)
{
    PGresult *result = pl_check_query(doctor, subject, "replication", conn,
                                      "SELECT current_setting('wal_level'),"
                                      " current_setting('synchronous_standby_names') <> '',"
                                      " current_setting('synchronous_commit')");

    if (result == NULL)
        return;
    const char *wal_level = PQgetvalue(result, 0, 0), *commit = PQgetvalue(result, 0, 2);
    bool has_standbys = PQgetvalue(result, 0, 1)[0] == 't';
    if (strcmp(wal_level, "logical") != 0) {
        pl_check_fail(doctor, subject, "wal-level", PL_EXIT_FAILED,
                      "ALTER SYSTEM SET wal_level = logical, then restart PostgreSQL.",
                      "%s; moving a shard needs logical replication", wal_level);
    } else {
        pl_check_ok(doctor, subject, "wal-level", "%s", wal_level);
    }
    if (has_standbys && (strcmp(commit, "local") == 0 || strcmp(commit, "remote_write") == 0)) {
        pl_check_warn(doctor, subject, "replication",
                      "ALTER ROLE parley_server SET synchronous_commit = on.",
                      "there are synchronous standbys, but synchronous_commit is %s for %s: a"
                      " failover can lose acknowledged messages",
                      commit, PQuser(conn));
    } else {
        pl_check_ok(doctor, subject, "replication", "synchronous_commit %s, %s", commit,
                    has_standbys ? "with synchronous standbys" : "no synchronous standby");
    }
    PQclear(result);
}

static pl_server_t *find_server(pl_doctor_t *doctor, const char *system_identifier)
{
    for (int i = 0; i < doctor->server_count; i++)
        if (strcmp(doctor->servers[i].system_identifier, system_identifier) == 0)
            return &doctor->servers[i];
    doctor->servers = pl_reallocarray(doctor->servers, (size_t)doctor->server_count + 1,
                                      sizeof *doctor->servers);
    pl_server_t *server = &doctor->servers[doctor->server_count++];
    *server = (pl_server_t){.system_identifier = pl_strdup(system_identifier)};
    return server;
}

static void check_connections(pl_doctor_t *doctor, const char *subject, PGconn *conn)
{
    PGresult *result = pl_check_query(
        doctor, subject, "connections", conn,
        "SELECT (SELECT system_identifier FROM pg_control_system()),"
        " least(current_setting('max_connections')::int -"
        "   current_setting('superuser_reserved_connections')::int,"
        "   (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),"
        "   (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = "
        "current_database()))");

    if (result == NULL)
        return;
    pl_server_t *server = find_server(doctor, PQgetvalue(result, 0, 0));
    int available = atoi(PQgetvalue(result, 0, 1));
    server->connections_needed += pl_doctor_lanes(doctor) + DIRECT_CONNECTIONS;
    if (server->connections_needed > available) {
        pl_check_fail(doctor, subject, "connections", PL_EXIT_FAILED,
                      "Raise max_connections (or the role's or database's limit), or lower the"
                      " lanes in the configuration.",
                      "one parleyd here needs %d on this server, but only %d are available",
                      server->connections_needed, available);
    } else {
        pl_check_ok(doctor, subject, "connections", "one parleyd here needs %d of %d",
                    server->connections_needed, available);
    }
    PQclear(result);
}

/* Rights that the role should not have, one problem per row. */
static const char excessive_rights[] =
    "SELECT 'is a superuser' FROM pg_roles WHERE rolname = current_user AND rolsuper"
    " UNION ALL SELECT 'may create roles, databases or replication, or bypass row security'"
    " FROM pg_roles WHERE rolname = current_user"
    " AND (rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)"
    " UNION ALL SELECT 'may create schemas'"
    " WHERE has_database_privilege(current_database(), 'CREATE')"
    " UNION ALL SELECT 'may create in schema ' || string_agg(quote_ident(nspname), ', ')"
    " FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE') AND nspname !~ "
    "'^pg_(toast_)?temp'"
    " HAVING count(*) > 0"
    " UNION ALL SELECT 'has rights on the tables of schema ' ||"
    " string_agg(DISTINCT quote_ident(n.nspname), ', ')"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE " LIVE_SCHEMAS " AND c.relkind IN ('r', 'p')"
    " AND has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')"
    " HAVING count(*) > 0"
    " UNION ALL SELECT 'may write in schema directory' FROM pg_class c"
    " WHERE c.relnamespace = to_regnamespace('directory') AND c.relkind = 'r'"
    " AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') HAVING count(*) > 0";

/* Rights that the role needs and does not have. The server calls only the SECURITY DEFINER
 * functions; the others are called by these, with their owner's rights. */
static const char missing_rights[] =
    "SELECT 'no USAGE on schema ' || string_agg(quote_ident(n.nspname), ', ') FROM pg_namespace n"
    " WHERE " LIVE_SCHEMAS " AND NOT has_schema_privilege(n.oid, 'USAGE') HAVING count(*) > 0"
    " UNION ALL SELECT 'no EXECUTE on ' || count(*) || ' functions, such as ' ||"
    " min(quote_ident(n.nspname) || '.' || quote_ident(p.proname))"
    " FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE " LIVE_SCHEMAS
    " AND p.prosecdef AND NOT has_function_privilege(p.oid, 'EXECUTE') HAVING count(*) > 0";

static void check_rights(pl_doctor_t *doctor, const char *subject, PGconn *conn)
{
    const struct {
        const char *name;
        const char *sql;
        const char *advice;
        const char *good;
    } checks[] = {
        {"role-excess", excessive_rights,
         "Revoke it: an attacker who takes over a server has its rights.",
         "no DDL, no tables, no other rights"},
        {"role-rights", missing_rights,
         "As the owner, GRANT it to parley_server (sql/ has the grants beside the functions).",
         "may call every function that it needs"},
    };

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        PGresult *result = pl_check_query(doctor, subject, checks[i].name, conn, checks[i].sql);
        if (result == NULL)
            continue;
        for (int row = 0; row < PQntuples(result); row++) {
            pl_check_fail(doctor, subject, checks[i].name, PL_EXIT_FAILED, checks[i].advice,
                          "%s %s%s", PQuser(conn), i == 0 ? "" : "has ",
                          PQgetvalue(result, row, 0));
        }
        if (PQntuples(result) == 0)
            pl_check_ok(doctor, subject, checks[i].name, "%s: %s", PQuser(conn), checks[i].good);
        PQclear(result);
    }
}

static void check_timeouts(pl_doctor_t *doctor, const char *subject, PGconn *conn)
{
    PGresult *result = pl_check_query(
        doctor, subject, "role-timeouts", conn,
        "SELECT string_agg(name, ', ') FROM pg_settings WHERE setting = '0' AND name IN"
        " ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout')");

    if (result == NULL)
        return;
    if (PQgetisnull(result, 0, 0)) {
        pl_check_ok(doctor, subject, "role-timeouts",
                    "statements, locks and idle transactions have time limits");
    } else {
        pl_check_warn(doctor, subject, "role-timeouts",
                      "As a superuser: ALTER ROLE parley_server SET statement_timeout = '5s' (lock:"
                      " 3s, idle in transaction: 10s); a session behind a pooler cannot set them.",
                      "unlimited for %s: %s", PQuser(conn), PQgetvalue(result, 0, 0));
    }
    PQclear(result);
}

static void check_autovacuum(pl_doctor_t *doctor, const char *subject, PGconn *conn)
{
    PGresult *result = pl_check_query(doctor, subject, "autovacuum", conn,
                                      "SELECT current_setting('autovacuum'),"
                                      " current_setting('track_counts')");

    if (result == NULL)
        return;
    if (strcmp(PQgetvalue(result, 0, 0), "on") == 0 &&
        strcmp(PQgetvalue(result, 0, 1), "on") == 0) {
        pl_check_ok(doctor, subject, "autovacuum", "on");
    } else {
        pl_check_warn(doctor, subject, "autovacuum",
                      "ALTER SYSTEM SET autovacuum = on and track_counts = on, then reload.",
                      "off: mailboxes and the outbox become slower with every send");
    }
    PQclear(result);
}

static void check_clock(pl_doctor_t *doctor, const char *subject, PGconn *conn)
{
    PGresult *result = pl_check_query(
        doctor, subject, "clock", conn,
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");

    if (result == NULL)
        return;
    int64_t ahead_us = strtoll(PQgetvalue(result, 0, 0), NULL, 10) - pl_clock_now_us();
    if (llabs(ahead_us) <= CLOCK_SKEW_MAX_US) {
        pl_check_ok(doctor, subject, "clock", "differs from this machine's by less than a second");
    } else {
        pl_check_warn(
            doctor, subject, "clock",
            "Run an NTP client on both. Order and cursors are correct, timestamps are not.",
            "%" PRId64 " ms ahead of this machine's", ahead_us / 1000);
    }
    PQclear(result);
}

void pl_doctor_check_server(pl_doctor_t *doctor, const char *subject,
                            const pl_config_database_t *database)
{
    PGconn *conn = pl_check_connect(doctor, subject, "direct-dsn", database->direct_dsn);

    if (conn == NULL)
        return;
    if (pl_session_is_pooled(conn) == 1) {
        pl_check_fail(doctor, subject, "direct-dsn", PL_EXIT_FAILED,
                      "Give direct_dsn PostgreSQL's own host and port.",
                      "leads to a pooler, through which LISTEN does not work");
    } else if (strcmp(PQuser(conn), SERVER_ROLE) != 0) {
        pl_check_fail(doctor, subject, "direct-dsn", PL_EXIT_FAILED,
                      "Log in as parley_server, the role that may call the functions.",
                      "reachable, as %s", PQuser(conn));
    } else {
        pl_check_ok(doctor, subject, "direct-dsn", "reachable, without a pooler");
    }
    check_version(doctor, subject, conn);
    check_durability(doctor, subject, conn, database->allow_data_loss_on_crash);
    check_replication(doctor, subject, conn);
    check_connections(doctor, subject, conn);
    check_rights(doctor, subject, conn);
    check_timeouts(doctor, subject, conn);
    check_autovacuum(doctor, subject, conn);
    check_clock(doctor, subject, conn);
    PQfinish(conn);
}
