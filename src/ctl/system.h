/*
 * The state of a command that works on the whole system: the directory's session with its lock, the
 * map, and the targets.
 */
#ifndef PL_CTL_SYSTEM_H
#define PL_CTL_SYSTEM_H

#include <stdbool.h>

#include "base/compiler.h"
#include "ctl/ctl.h"
#include "ctl/outcome.h"
#include "ctl/report.h"
#include "ctl/session.h"
#include "ctl/sql_files.h"
#include "ctl/target.h"
#include "directory/shard_map.h"

typedef struct pl_system {
    const pl_ctl_t *ctl;
    pl_sql_files_t files;
    pl_session_t directory;
    pl_shard_map_t *map;
    pl_target_t *targets; /* the directory, then the map's databases in order */
    int target_count;
    pl_report_t report; /* a command may add to it before pl_system_close does */
    pl_outcome_t outcome;
} pl_system_t;

/* Every function that returns int returns 0, or -1 with the system's outcome set. */

/* Reads the SQL files, if the command needs them, and connects to the directory. The caller calls
 * pl_system_close in any case. */
int pl_system_open(pl_system_t *system, const pl_ctl_t *ctl, bool needs_files) PL_MUST_USE;

/* Checks the directory's owner role, and takes the lock that excludes other parleyctls. */
int pl_system_lock(pl_system_t *system) PL_MUST_USE;

/* Reads the map, and frees the one that was read before. */
int pl_system_load_map(pl_system_t *system) PL_MUST_USE;

/* Reads the map. PL_EXIT_BLOCKED if init has not finished. */
int pl_system_require_ready(pl_system_t *system) PL_MUST_USE;

/* The target of the directory; valid until pl_system_add_databases. */
pl_target_t *pl_system_directory_target(pl_system_t *system);

/*
 * Adds a target for each database of the map. PL_EXIT_USAGE if one of them is not in the
 * configuration.
 */
int pl_system_add_databases(pl_system_t *system, bool may_create_shards) PL_MUST_USE;

/* Runs the databases' targets in parallel. The system's outcome becomes the most serious one of all
 * targets. */
void pl_system_run(pl_system_t *system, void (*run)(pl_target_t *));

/* Adds the system and the targets to the report, prints it and frees everything. Returns the exit
 * code. */
enum pl_exit pl_system_close(pl_system_t *system);

#endif
