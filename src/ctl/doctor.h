/*
 * The checks of the command `doctor`. A group of checks uses one kind of connection and reports
 * what it finds. It changes nothing, except for wrong unread counts with --repair.
 */
#ifndef PL_CTL_DOCTOR_H
#define PL_CTL_DOCTOR_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "config/config.h"
#include "ctl/ctl.h"
#include "ctl/outcome.h"
#include "ctl/session.h"
#include "ctl/sql_files.h"
#include "directory/shard_map.h"

enum pl_check_status { PL_CHECK_OK, PL_CHECK_WARN, PL_CHECK_FAIL };

typedef struct pl_check {
    char *subject;    /* "directory" or "database NAME" */
    const char *name; /* never changes, because scripts select by it */
    enum pl_check_status status;
    char *detail;       /* the finding, in one line */
    const char *advice; /* what to do; NULL for PL_CHECK_OK */
} pl_check_t;

/* One PostgreSQL server; it may have several of the databases. */
typedef struct pl_server {
    char *system_identifier;
    int connections_available; /* for roles that are not superusers */
    int connections_needed;    /* by one parleyd, for the databases checked so far */
} pl_server_t;

typedef struct pl_doctor {
    const pl_ctl_t *ctl;
    const pl_sql_files_t *files;
    pl_shard_map_t *map; /* NULL if the directory could not be read */
    pl_check_t *checks;
    int count;
    pl_server_t *servers;
    int server_count;
    enum pl_exit exit; /* of the most serious failed check */
} pl_doctor_t;

/* Add a check's result. subject and the formatted detail are copied; name and advice must be
 * constant. */
void pl_check_ok(pl_doctor_t *doctor, const char *subject, const char *name, const char *format,
                 ...) PL_PRINTF(4, 5);
void pl_check_warn(pl_doctor_t *doctor, const char *subject, const char *name, const char *advice,
                   const char *format, ...) PL_PRINTF(5, 6);
void pl_check_fail(pl_doctor_t *doctor, const char *subject, const char *name, enum pl_exit exit,
                   const char *advice, const char *format, ...) PL_PRINTF(6, 7);

/* Adds the result of a step: ok with `detail` if rc is 0, else a failure with the outcome's
 * message. */
void pl_check_outcome(pl_doctor_t *doctor, const char *subject, const char *name, int rc,
                      const pl_outcome_t *outcome, const char *advice, const char *detail);

/* Runs a check's statement, which has no parameters. The caller clears the result. NULL: it failed,
 * and the failure was added as a result of `name`. */
PGresult *pl_check_query(pl_doctor_t *doctor, const char *subject, const char *name, PGconn *conn,
                         const char *sql) PL_MUST_USE;

/* Connects, and does not check for poolers. The caller calls PQfinish. NULL: it failed, and the
 * failure was added as a result of `name`. */
PGconn *pl_check_connect(pl_doctor_t *doctor, const char *subject, const char *name,
                         const char *dsn) PL_MUST_USE;

/* The number of lanes of one parleyd to each database. A pool must have as many connections, so
 * that all lanes can be busy. */
int pl_doctor_lanes(const pl_doctor_t *doctor);

/* Checks the directory: both DSNs, the map (which the doctor keeps) and the ledger. */
void pl_doctor_check_directory(pl_doctor_t *doctor);

/* Checks a database over the owner's connection: identity, ledger, functions, shards and
 * indexes. */
void pl_doctor_check_owner(pl_doctor_t *doctor, const char *subject,
                           const pl_config_database_t *database);

/* Compares the leaf tables of a database with the map, and looks for invalid indexes. */
void pl_doctor_check_shards(pl_doctor_t *doctor, const pl_session_t *session, int database);

/* Recounts the unread messages of all mailboxes of a database; with --repair it corrects wrong
 * counts. */
void pl_doctor_check_unread(pl_doctor_t *doctor, pl_session_t *session, int database);

/* Checks a database over parleyd's direct connection: durability, settings, connections, rights. */
void pl_doctor_check_server(pl_doctor_t *doctor, const char *subject,
                            const pl_config_database_t *database);

/* Checks parleyd's connection through the pooler: that there is a pooler, its mode and the size of
 * its pool, and that it leads to the same database. */
void pl_doctor_check_pooler(pl_doctor_t *doctor, const char *subject,
                            const pl_config_database_t *database);

#endif
