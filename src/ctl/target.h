/*
 * One database (or the directory) on which a command works, and the result. Commands work on
 * databases in parallel, each with its own thread and connection.
 */
#ifndef PL_CTL_TARGET_H
#define PL_CTL_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "ctl/ledger.h"
#include "ctl/outcome.h"
#include "ctl/session.h"
#include "ctl/shards.h"
#include "ctl/sql_files.h"
#include "directory/shard_map.h"

typedef struct pl_target {
    /* What to do. */
    char *name; /* of the database, owned; NULL for the directory */
    const char *dsn;
    const pl_sql_files_t *files;
    const pl_shard_map_t *map; /* must outlive the run; NULL for the directory */
    int database;              /* its index in the map */
    int wait_s;
    bool may_create_shards;

    /* The result. */
    pl_outcome_t outcome;
    pl_ledger_t ledger;
    pl_shards_state_t shards; /* the state after the run */
    int shards_created;
    int shards_updated; /* existing shards that got new functions */
    bool are_functions_applied;
    int64_t duration_ms;
} pl_target_t;

/* "directory" or "database NAME". */
void pl_target_format_label(const pl_target_t *target, char *label, size_t size);

/* Applies the directory's migrations in a session that holds the lock and whose owner role was
 * checked. Returns 0, or -1 with the target's outcome. */
int pl_target_apply_directory(pl_target_t *target, pl_session_t *session) PL_MUST_USE;

/* Connects, locks, and applies migrations, functions and shards. Sets the target's outcome. */
void pl_target_apply(pl_target_t *target);

/* Compares the target with the files and the map, and changes nothing. The target's outcome is
 * PL_EXIT_PENDING, PL_EXIT_DRIFT or PL_EXIT_OK, or the failure of the comparison. */
void pl_target_inspect(pl_target_t *target);

/* Calls run for each target, with at most `jobs` in parallel. Returns when all have ended. */
void pl_targets_run(pl_target_t *targets, int count, void (*run)(pl_target_t *), int jobs);

void pl_target_free(pl_target_t *target);

#endif
