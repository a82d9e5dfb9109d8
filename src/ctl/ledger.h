/*
 * Migrations and the ledger of those that were applied, one ledger per database: parley.migration,
 * and directory.migration for the directory.
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
    PL_MIGRATION_CHANGED, /* drift: applied with another checksum or name than the file's */
    PL_MIGRATION_UNKNOWN, /* drift: applied, and no file has its number */
};

typedef struct pl_migration {
    int number;
    char *name; /* the file's; the ledger's for PL_MIGRATION_UNKNOWN */
    enum pl_migration_state state;
    bool is_applied_now; /* by this run */
    int64_t duration_ms; /* of is_applied_now */
} pl_migration_t;

/* Ledger and files side by side, by number. */
typedef struct pl_ledger {
    pl_migration_t *migrations;
    int count;
} pl_ledger_t;

/*
 * Reads the ledger and compares it with the files. Without a ledger all are pending. The caller
 * frees. Drift is not a failure here: see pl_ledger_check.
 */
int pl_ledger_read(pl_session_t *session, const char *schema, const pl_sql_list_t *files,
                   pl_ledger_t *ledger, pl_outcome_t *outcome) PL_MUST_USE;

void pl_ledger_free(pl_ledger_t *ledger);

/* PL_EXIT_DRIFT, naming the first migration that differs. */
int pl_ledger_check(const pl_ledger_t *ledger, const char *label,
                    pl_outcome_t *outcome) PL_MUST_USE;

int pl_ledger_count(const pl_ledger_t *ledger, enum pl_migration_state state);

/*
 * Applies what is pending, in order, each migration with its ledger row in one transaction. A
 * migration that meets a lock is tried again for at most wait_s seconds, then PL_EXIT_BLOCKED.
 */
int pl_ledger_apply(pl_session_t *session, const char *schema, const pl_sql_list_t *files,
                    pl_ledger_t *ledger, int wait_s, pl_outcome_t *outcome) PL_MUST_USE;

/* The state as --json has it: "pending", "applied", "changed", "unknown". */
const char *pl_migration_state_name(enum pl_migration_state state);

#endif
