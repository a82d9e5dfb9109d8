/*
 * Migrations, and the ledger of the applied ones. Each database has a ledger, parley.migration; the
 * directory's is directory.migration.
 *
 * All functions return 0, or -1 with `outcome` set.
 */
#ifndef PL_CTL_LEDGER_H
#define PL_CTL_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "ctl/outcome.h"
#include "ctl/session.h"
#include "ctl/sql_files.h"

enum pl_migration_state {
    PL_MIGRATION_PENDING,
    PL_MIGRATION_APPLIED,
    PL_MIGRATION_CHANGED, /* drift: applied, but the file has another checksum or name */
    PL_MIGRATION_UNKNOWN, /* drift: applied, but no file has its number */
};

typedef struct pl_migration {
    int number;
    char *name; /* from the file, or from the ledger for PL_MIGRATION_UNKNOWN */
    enum pl_migration_state state;
    bool is_applied_now; /* applied by this run */
    int64_t duration_ms; /* of this run's transaction, if is_applied_now */
} pl_migration_t;

/* The migrations of the files and of the ledger together, by number. */
typedef struct pl_ledger {
    pl_migration_t *migrations;
    int count;
} pl_ledger_t;

/*
 * Reads the ledger and compares it with the files. If there is no ledger, all migrations are
 * pending. The caller frees the ledger, also after -1. Drift is not a failure here: see
 * pl_ledger_check.
 */
int pl_ledger_read(pl_session_t *session, const char *schema, const pl_sql_list_t *files,
                   pl_ledger_t *ledger, pl_outcome_t *outcome) PL_MUST_USE;

void pl_ledger_free(pl_ledger_t *ledger);

/* Fails with PL_EXIT_DRIFT and the name of the first migration that differs. */
int pl_ledger_check(const pl_ledger_t *ledger, const char *label,
                    pl_outcome_t *outcome) PL_MUST_USE;

/* The number of migrations in that state. */
int pl_ledger_count(const pl_ledger_t *ledger, enum pl_migration_state state);

/*
 * Applies the pending migrations in order, each with its ledger row in one transaction. If a
 * migration meets a lock, it is tried again for at most wait_s seconds; then PL_EXIT_BLOCKED.
 */
int pl_ledger_apply(pl_session_t *session, const char *schema, const pl_sql_list_t *files,
                    pl_ledger_t *ledger, int wait_s, pl_outcome_t *outcome) PL_MUST_USE;

/* The state's name in --json: "pending", "applied", "changed", "unknown". */
const char *pl_migration_state_name(enum pl_migration_state state);

#endif
