/*
 * The checks of `doctor`: what a check is, and the groups of checks, each over one kind of
 * connection. A group reports what it finds and never changes anything, but for the unread counts
 * that it is told to repair.
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
    const char *name; /* stable: scripts select by it */
    enum pl_check_status status;
    char *detail;       /* what was found, in one line */
    const char *advice; /* what to do; NULL with PL_CHECK_OK */
} pl_check_t;

/* One PostgreSQL server, on which several databases may be. */
typedef struct pl_server {
    char *system_identifier;
    int connections_available; /* to roles that are no superusers */
    int connections_needed;    /* by one parleyd for all databases seen so far */
} pl_server_t;

typedef struct pl_doctor {
    const pl_ctl_t *ctl;
    const pl_sql_files_t *files;
    pl_shard_map_t *map; /* NULL while the directory cannot be read */
    pl_check_t *checks;
    int count;
    pl_server_t *servers;
    int server_count;
    enum pl_exit exit; /* gravest of the failed checks */
} pl_doctor_t;

void pl_check_ok(pl_doctor_t *doctor, const char *subject, const char *name, const char *format,
                 ...) PL_PRINTF(4, 5);
void pl_check_warn(pl_doctor_t *doctor, const char *subject, const char *name, const char *advice,
                   const char *format, ...) PL_PRINTF(5, 6);
void pl_check_fail(pl_doctor_t *doctor, const char *subject, const char *name, enum pl_exit exit,
                   const char *advice, const char *format, ...) PL_PRINTF(6, 7);

/* The check of a step that gives an outcome: ok with `detail` when rc is 0, else its failure. */
void pl_check_outcome(pl_doctor_t *doctor, const char *subject, const char *name, int rc,
                      const pl_outcome_t *outcome, const char *advice, const char *detail);

/* A statement of a check without parameters: NULL when it failed, which is reported as `name`. */
PGresult *pl_check_query(pl_doctor_t *doctor, const char *subject, const char *name, PGconn *conn,
                         const char *sql) PL_MUST_USE;

/* Connects and reports a failure as `name`; NULL then. No check for poolers. */
PGconn *pl_check_connect(pl_doctor_t *doctor, const char *subject, const char *name,
                         const char *dsn) PL_MUST_USE;

/* Lanes of one parleyd per database: connections that a pool must have for all to be busy. */
int pl_doctor_lanes(const pl_doctor_t *doctor);

/* The directory: both DSNs, the map (kept in the doctor), its ledger. */
void pl_doctor_check_directory(pl_doctor_t *doctor);

/* A database as its owner sees it: identity, ledger, functions, shards against the map, indexes. */
void pl_doctor_check_owner(pl_doctor_t *doctor, const char *subject,
                           const pl_config_database_t *database);

/* The leaves of a database against the map, and invalid indexes. */
void pl_doctor_check_shards(pl_doctor_t *doctor, const pl_session_t *session, int database);

/* The unread counts of all mailboxes of a database; with --repair it sets those that are wrong. */
void pl_doctor_check_unread(pl_doctor_t *doctor, pl_session_t *session, int database);

/* A database as parleyd sees it directly: durability, settings, connections, rights. */
void pl_doctor_check_server(pl_doctor_t *doctor, const char *subject,
                            const pl_config_database_t *database);

/* A database through the pooler: that it is one, its mode, its pool's size, where it leads. */
void pl_doctor_check_pooler(pl_doctor_t *doctor, const char *subject,
                            const pl_config_database_t *database);

#endif
