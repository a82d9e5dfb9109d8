/*
 * Checks of the directory, and of a database over the owner's connection.
 */
#include "base/error.h"
#include "ctl/doctor.h"
#include "ctl/ledger.h"
#include "ctl/records.h"
#include "ctl/shards.h"

#define OWNER_ADVICE                                                                              \
    "Correct owner_dsn in the configuration, or what the message names; init and migrate refuse " \
    "too."
#define LEDGER_ADVICE "Run parleyctl migrate status; if something is pending, parleyctl migrate up."

static int open_owner(pl_doctor_t *doctor, const char *subject, const char *dsn,
                      pl_session_t *session)
{
    pl_outcome_t outcome = {0};
    int rc = pl_session_open(session, dsn, subject, &outcome);

    pl_check_outcome(doctor, subject, "owner-dsn", rc, &outcome, OWNER_ADVICE,
                     "reachable, without a pooler");
    if (rc < 0)
        return -1;
    rc = pl_records_check_owner(session, &outcome);
    pl_check_outcome(doctor, subject, "owner-role", rc, &outcome, OWNER_ADVICE,
                     PQuser(session->conn));
    return 0;
}

static void check_ledger(pl_doctor_t *doctor, pl_session_t *session, const char *schema,
                         const pl_sql_list_t *files)
{
    pl_ledger_t ledger;
    pl_outcome_t outcome = {0};
    int rc = pl_ledger_read(session, schema, files, &ledger, &outcome);

    if (rc == 0)
        rc = pl_ledger_check(&ledger, session->label, &outcome);
    if (rc < 0) {
        pl_check_fail(doctor, session->label, "migrations", outcome.code, LEDGER_ADVICE, "%s",
                      outcome.message);
    } else if (pl_ledger_count(&ledger, PL_MIGRATION_PENDING) > 0) {
        pl_check_fail(doctor, session->label, "migrations", PL_EXIT_PENDING, LEDGER_ADVICE,
                      "%d of %d are not applied", pl_ledger_count(&ledger, PL_MIGRATION_PENDING),
                      ledger.count);
    } else {
        pl_check_ok(doctor, session->label, "migrations", "all %d applied as in the files",
                    ledger.count);
    }
    pl_ledger_free(&ledger);
}

/* Connects and reads the map as parleyd does at its start. */
static void check_server_dsn(pl_doctor_t *doctor)
{
    const char *subject = "directory";
    PGconn *conn = pl_check_connect(doctor, subject, "server-dsn",
                                    doctor->ctl->config.directory.dsn);
    pl_shard_map_t *map = NULL;
    pl_error_t error;

    if (conn == NULL)
        return;
    if (pl_session_is_pooled(conn) == 1) {
        pl_check_fail(doctor, subject, "server-dsn", PL_EXIT_FAILED,
                      "Give [directory] dsn PostgreSQL's own host and port.",
                      "leads to a pooler, through which parleyd cannot receive changes of the map");
    } else if (pl_shard_map_load(conn, &map, &error) < 0) {
        pl_check_fail(doctor, subject, "server-dsn", PL_EXIT_FAILED,
                      "As the owner: GRANT USAGE ON SCHEMA directory TO parley_server; GRANT SELECT"
                      " ON directory.system, directory.database, directory.shard TO parley_server",
                      "%s cannot read the map: %s", PQuser(conn), error.message);
    } else {
        pl_check_ok(doctor, subject, "server-dsn", "reachable, %s reads the map", PQuser(conn));
    }
    pl_shard_map_free(&map);
    PQfinish(conn);
}

static void check_map(pl_doctor_t *doctor, const pl_session_t *session)
{
    pl_error_t error;

    if (pl_shard_map_load(session->conn, &doctor->map, &error) < 0) {
        pl_check_fail(doctor, session->label, "map", PL_EXIT_FAILED,
                      "Restore the tables of schema directory from a backup.", "%s", error.message);
        return;
    }
    switch (doctor->map->state) {
    case PL_SYSTEM_UNINITIALISED:
        pl_check_fail(doctor, session->label, "map", PL_EXIT_PENDING, "Run parleyctl init.",
                      "there is no system yet");
        break;
    case PL_SYSTEM_INITIALISING:
        pl_check_fail(doctor, session->label, "map", PL_EXIT_PENDING,
                      "Run parleyctl init again, with the same --shards and --databases.",
                      "init of %d shards was interrupted", doctor->map->shards);
        break;
    case PL_SYSTEM_READY:
        pl_check_ok(doctor, session->label, "map", "%d shards in %d databases, version %lld",
                    doctor->map->shards, doctor->map->database_count,
                    (long long)doctor->map->map_version);
        break;
    }
}

void pl_doctor_check_directory(pl_doctor_t *doctor)
{
    pl_session_t session = {0};

    if (open_owner(doctor, "directory", doctor->ctl->config.directory.owner_dsn, &session) == 0) {
        check_map(doctor, &session);
        check_ledger(doctor, &session, "directory", &doctor->files->directory_migrations);
        pl_session_close(&session);
    }
    check_server_dsn(doctor);
}

static void check_functions(pl_doctor_t *doctor, pl_session_t *session, int database)
{
    pl_shards_state_t state;
    pl_outcome_t outcome = {0};
    int rc = pl_shards_read(session, doctor->files, doctor->map, database, &state, &outcome);

    if (rc < 0) {
        pl_check_fail(doctor, session->label, "functions", outcome.code, LEDGER_ADVICE, "%s",
                      outcome.message);
    } else if (!state.has_functions || state.outdated > 0) {
        pl_check_fail(doctor, session->label, "functions", PL_EXIT_PENDING,
                      "Run parleyctl migrate up.", "differ from the files: %s%d of %d shards",
                      state.has_functions ? "" : "schema parley, ", state.outdated, state.total);
    } else {
        pl_check_ok(doctor, session->label, "functions", "same as in the files, in %d shards",
                    state.total - state.missing);
    }
    pl_shards_state_free(&state);
}

void pl_doctor_check_owner(pl_doctor_t *doctor, const char *subject,
                           const pl_config_database_t *database)
{
    pl_session_t session = {0};
    pl_outcome_t outcome = {0};
    int index;

    if (open_owner(doctor, subject, database->owner_dsn, &session) < 0)
        return;
    check_ledger(doctor, &session, "parley", &doctor->files->database_migrations);
    index = doctor->map == NULL ? -1 : pl_shard_map_find_database(doctor->map, database->name);
    if (index >= 0) {
        int rc = pl_records_check_identity(&session, database->name, doctor->map->shards, &outcome);
        pl_check_outcome(doctor, subject, "identity", rc, &outcome, OWNER_ADVICE,
                         "the database that the directory names");
        check_functions(doctor, &session, index);
        pl_doctor_check_shards(doctor, &session, index);
        if (doctor->ctl->checks_unread)
            pl_doctor_check_unread(doctor, &session, index);
    }
    pl_session_close(&session);
}
