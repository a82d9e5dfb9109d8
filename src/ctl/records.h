/*
 * parleyctl's own tables. They must exist before the first migration, so no migration creates them:
 *
 * directory.migration, parley.migration: the ledgers (ledger.h).
 * parley.function_set: the checksum of each schema's functions (shards.h).
 * parley.identity: one row, with the database's name in the directory and the system's number of
 * shards. With it parleyctl finds two names with one DSN, swapped DSNs and a database of another
 * system, before it applies anything to the wrong database.
 */
#ifndef PL_CTL_RECORDS_H
#define PL_CTL_RECORDS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "ctl/outcome.h"
#include "ctl/session.h"

/* Creates directory.migration and its schema, if they do not exist. Returns 0, or -1 with
 * outcome. */
int pl_records_ensure_directory(pl_session_t *session, pl_outcome_t *outcome) PL_MUST_USE;

/*
 * Creates the schema parley and its records, if they do not exist, and checks the identity. Returns
 * 0; or -1, with PL_EXIT_BLOCKED if the database has another name or number of shards.
 */
int pl_records_ensure_database(pl_session_t *session, const char *name, int shards,
                               pl_outcome_t *outcome) PL_MUST_USE;

/* The same check, but creates nothing. A database without records passes. */
int pl_records_check_identity(pl_session_t *session, const char *name, int shards,
                              pl_outcome_t *outcome) PL_MUST_USE;

/*
 * Checks that an owner's session is fit for init and migrate: the server is a primary with
 * PostgreSQL 15 or later; the role may create schemas and is not a superuser (functions run with
 * its rights); the server's role exists. Returns 0, or -1 with PL_EXIT_BLOCKED and what to do.
 */
int pl_records_check_owner(pl_session_t *session, pl_outcome_t *outcome) PL_MUST_USE;

/* Returns 1 if the relation (a schema-qualified name) exists, 0 if not, -1 with outcome. */
int pl_records_have(pl_session_t *session, const char *relation, pl_outcome_t *outcome) PL_MUST_USE;

#endif
