/*
 * parleyctl's own tables. They are there before the first migration, so no migration makes them:
 *
 * directory.migration, parley.migration: the ledgers (ledger.h).
 * parley.function_set: which functions a schema has, by checksum (functions.h).
 * parley.identity: one row, by which name the directory knows this database and how many shards the
 * system has. It catches two names with one DSN, DSNs that were swapped, and a database of another
 * system, before anything is applied to the wrong place.
 */
#ifndef PL_CTL_RECORDS_H
#define PL_CTL_RECORDS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "ctl/outcome.h"
#include "ctl/session.h"

/* Creates directory.migration with its schema, if it is not there. Returns 0, or -1 with outcome.
 */
int pl_records_ensure_directory(pl_session_t *session, pl_outcome_t *outcome) PL_MUST_USE;

/*
 * Creates the schema parley and its records, if they are not there, and checks the identity.
 * Returns 0; or -1, with PL_EXIT_BLOCKED when the database has another name or number of shards.
 */
int pl_records_ensure_database(pl_session_t *session, const char *name, int shards,
                               pl_outcome_t *outcome) PL_MUST_USE;

/* Checks the identity without creating anything; a database without records passes. */
int pl_records_check_identity(pl_session_t *session, const char *name, int shards,
                              pl_outcome_t *outcome) PL_MUST_USE;

/*
 * Checks what init and migrate need of an owner's session: a primary of PostgreSQL 15 or later, a
 * role that is no superuser (functions that run with their owner's rights must not run with
 * everything) and may create schemas, and the server's role. Returns 0, or -1 with
 * PL_EXIT_BLOCKED and what to do.
 */
int pl_records_check_owner(pl_session_t *session, pl_outcome_t *outcome) PL_MUST_USE;

/* 1 when the relation (a schema-qualified name) is there, 0 when not, -1 with outcome. */
int pl_records_have(pl_session_t *session, const char *relation, pl_outcome_t *outcome) PL_MUST_USE;

#endif
