/*
 * One database (or the directory) on which a command works, with what came of it. Databases are
 * worked on in parallel, a thread and a connection each.
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
    const pl_shard_map_t *map; /* while it runs; NULL for the directory */
    int database;              /* its index in the map */
    int wait_s;
    bool may_create_shards;

    /* What came of it. */
    pl_outcome_t outcome;
    pl_ledger_t ledger;
    pl_shards_state_t shards; /* what is left to do */
    int shards_created;
    int shards_updated; /* functions applied again */
    bool are_functions_applied;
    int64_t duration_ms;
} pl_target_t;

/* "directory" or "database NAME". */
void pl_target_format_label(const pl_target_t *target, char *label, size_t size);

/* Migrations of the directory, in a session that has checked the owner and holds the lock. Returns
 * 0, or -1 with the target's outcome. */
int pl_target_apply_directory(pl_target_t *target, pl_session_t *session) PL_MUST_USE;

/* Connects, locks and applies migrations, functions and shards; the target's outcome tells. */
void pl_target_apply(pl_target_t *target);

/* Looks and changes nothing: PL_EXIT_PENDING, PL_EXIT_DRIFT or PL_EXIT_OK. */
void pl_target_inspect(pl_target_t *target);

/* Calls run for each, at most `jobs` at a time. */
void pl_targets_run(pl_target_t *targets, int count, void (*run)(pl_target_t *), int jobs);

void pl_target_free(pl_target_t *target);

#endif
