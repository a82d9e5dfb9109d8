/*
 * The directory's session, and a target per database.
 *
 * The directory's lock is held from before the first change until after the last one, so two
 * parleyctls never work on one system at a time. Each database has a lock of its own, in case two
 * directories use one database by mistake.
 */
#include "ctl/system.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ctl/records.h"
#include "ctl/report.h"

int pl_system_open(pl_system_t *system, const pl_ctl_t *ctl, bool needs_files)
{
    pl_error_t error;

    memset(system, 0, sizeof *system);
    system->ctl = ctl;
    pl_report_open(&system->report, ctl);
    if (pl_config_check_owner(&ctl->config, &error) < 0)
        return pl_fail(&system->outcome, PL_EXIT_USAGE, "%s", error.message);
    if (needs_files && pl_sql_files_load(&system->files, ctl->sql_directory, &system->outcome) < 0)
        return -1;
    return pl_session_open(&system->directory, ctl->config.directory.owner_dsn, "directory",
                           &system->outcome);
}

int pl_system_lock(pl_system_t *system)
{
    if (pl_records_check_owner(&system->directory, &system->outcome) < 0)
        return -1;
    return pl_session_lock(&system->directory, PL_LOCK_DIRECTORY, system->ctl->wait_s,
                           &system->outcome);
}

int pl_system_load_map(pl_system_t *system)
{
    pl_error_t error;

    pl_shard_map_free(&system->map);
    if (pl_shard_map_load(system->directory.conn, &system->map, &error) == 0)
        return 0;
    return pl_fail(&system->outcome,
                   error.code == PL_ERROR_UNAVAILABLE ? PL_EXIT_UNREACHABLE : PL_EXIT_FAILED,
                   "directory: %s", error.message);
}

int pl_system_require_ready(pl_system_t *system)
{
    if (pl_system_load_map(system) < 0)
        return -1;
    switch (system->map->state) {
    case PL_SYSTEM_UNINITIALISED:
        return pl_fail(&system->outcome, PL_EXIT_BLOCKED,
                       "directory: the system is not initialised: run parleyctl init");
    case PL_SYSTEM_INITIALISING:
        return pl_fail(&system->outcome, PL_EXIT_BLOCKED,
                       "directory: init was interrupted; run it again with --shards %d to finish",
                       system->map->shards);
    case PL_SYSTEM_READY:
        break;
    }
    return 0;
}

pl_target_t *pl_system_directory_target(pl_system_t *system)
{
    if (system->target_count == 0) {
        system->targets = pl_calloc(1, sizeof *system->targets);
        system->targets[0] = (pl_target_t){
            .dsn = system->ctl->config.directory.owner_dsn,
            .files = &system->files,
            .wait_s = system->ctl->wait_s,
        };
        system->target_count = 1;
    }
    return &system->targets[0];
}

int pl_system_add_databases(pl_system_t *system, bool may_create_shards)
{
    const pl_shard_map_t *map = system->map;

    pl_system_directory_target(system);
    system->targets = pl_reallocarray(system->targets, (size_t)map->database_count + 1,
                                      sizeof *system->targets);
    for (int i = 0; i < map->database_count; i++) {
        const char *name = map->database_names[i];
        const pl_config_database_t *database = pl_config_find_database(&system->ctl->config, name);
        if (database == NULL) {
            return pl_fail(&system->outcome, PL_EXIT_USAGE,
                           "the directory lists the database %s, but the configuration has no"
                           " [database %s] with an owner_dsn",
                           name, name);
        }
        system->targets[system->target_count++] = (pl_target_t){
            .name = pl_strdup(name),
            .dsn = database->owner_dsn,
            .files = &system->files,
            .map = map,
            .database = i,
            .wait_s = system->ctl->wait_s,
            .may_create_shards = may_create_shards,
        };
    }
    return 0;
}

void pl_system_run(pl_system_t *system, void (*run)(pl_target_t *))
{
    pl_targets_run(system->targets + 1, system->target_count - 1, run, system->ctl->jobs);
    for (int i = 0; i < system->target_count; i++) {
        const pl_outcome_t *outcome = &system->targets[i].outcome;
        if (pl_exit_worse(outcome->code, system->outcome.code) != system->outcome.code)
            system->outcome = *outcome;
    }
}

enum pl_exit pl_system_close(pl_system_t *system)
{
    pl_report_t *report = &system->report;

    if (system->target_count > 0)
        pl_report_targets(report, system->targets, system->target_count);
    pl_report_system(report, system->map);
    for (int i = 0; i < system->target_count; i++)
        pl_target_free(&system->targets[i]);
    free(system->targets);
    pl_shard_map_free(&system->map);
    pl_sql_files_free(&system->files);
    pl_session_close(&system->directory);
    return pl_report_close(report, &system->outcome);
}
