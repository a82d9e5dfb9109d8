/*
 * init creates a system, or finishes an init that was interrupted.
 *
 *   directory's tables -> plan -> databases, in parallel -> ready
 *
 * plan:  one transaction writes the list of databases and the database of each shard. From then on
 *        the map is fixed, and a later init must have the same options.
 * ready: one insert into directory.system, after every database is done. parleyd does not start
 *        before it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "ctl/commands.h"
#include "ctl/outcome.h"
#include "ctl/system.h"
#include "ctl/target.h"
#include "ctl/transaction.h"

typedef struct name_list {
    char **names;
    int count;
} name_list_t;

static void free_names(name_list_t *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
}

static int add_name(pl_system_t *system, name_list_t *list, const char *name)
{
    if (pl_config_find_database(&system->ctl->config, name) == NULL) {
        return pl_fail(&system->outcome, PL_EXIT_USAGE,
                       "--databases: the configuration has no [database %s]", name);
    }
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->names[i], name) == 0)
            return pl_fail(&system->outcome, PL_EXIT_USAGE, "--databases: %s appears twice", name);
    list->names = pl_reallocarray(list->names, (size_t)list->count + 1, sizeof *list->names);
    list->names[list->count++] = pl_strdup(name);
    return 0;
}

static int read_names(pl_system_t *system, name_list_t *list)
{
    const pl_config_t *config = &system->ctl->config;
    int rc = 0;

    if (system->ctl->databases == NULL) {
        for (size_t i = 0; i < config->database_count && rc == 0; i++)
            rc = add_name(system, list, config->databases[i].name);
    } else {
        char *copy = pl_strdup(system->ctl->databases), *rest = copy, *name;
        while (rc == 0 && (name = strsep(&rest, ",")) != NULL)
            rc = add_name(system, list, name);
        free(copy);
    }
    if (rc == 0 && list->count > system->ctl->shards) {
        rc = pl_fail(&system->outcome, PL_EXIT_USAGE,
                     "%d databases for %d shards: one would be empty", list->count,
                     system->ctl->shards);
    }
    return rc;
}

/* The map in the directory must be the one that the options describe. */
static int compare_map(pl_system_t *system, const name_list_t *names)
{
    const pl_shard_map_t *map = system->map;
    bool is_same = map->database_count == names->count;

    if (map->shards != system->ctl->shards) {
        return pl_fail(&system->outcome, PL_EXIT_BLOCKED,
                       "this system %s with %d shards, and that is part of every user id: it cannot"
                       " become %d. Run init with --shards %d, or use other databases",
                       map->state == PL_SYSTEM_READY ? "was initialised" : "is being initialised",
                       map->shards, system->ctl->shards, map->shards);
    }
    for (int i = 0; i < names->count && is_same; i++)
        is_same = pl_shard_map_find_database(map, names->names[i]) >= 0;
    if (!is_same) {
        pl_buffer_t list = PL_BUFFER_EMPTY;
        for (int i = 0; i < map->database_count; i++)
            pl_buffer_appendf(&list, "%s%s", i > 0 ? "," : "", map->database_names[i]);
        pl_fail(&system->outcome, PL_EXIT_BLOCKED,
                "this system has its shards in other databases: run init with --databases %s",
                pl_buffer_terminate(&list));
        pl_buffer_dispose(&list);
        return -1;
    }
    return 0;
}

typedef struct plan {
    const name_list_t *names;
    int shards;
} plan_t;

/* Shard s goes to the database number s mod n, so that all databases get equal numbers of
 * shards. */
static int write_plan(pl_session_t *session, void *arg, pl_outcome_t *outcome)
{
    const plan_t *plan = arg;
    char shards[16], index[16], count[16];

    snprintf(shards, sizeof shards, "%d", plan->shards);
    snprintf(count, sizeof count, "%d", plan->names->count);
    for (int i = 0; i < plan->names->count; i++) {
        const char *const name[] = {plan->names->names[i]};
        const char *const share[] = {plan->names->names[i], index, count, shards};
        snprintf(index, sizeof index, "%d", i);
        if (pl_session_execute(session, "INSERT INTO directory.database (name) VALUES ($1)", 1,
                               name, "planning", outcome) < 0 ||
            pl_session_execute(session,
                               "INSERT INTO directory.shard (shard, database_name) SELECT s, $1"
                               " FROM generate_series($2::int, $4::int - 1, $3::int) AS s",
                               4, share, "planning", outcome) < 0)
            return -1;
    }
    return 0;
}

static int plan(pl_system_t *system, const name_list_t *names)
{
    plan_t plan = {names, system->ctl->shards};

    if (pl_system_load_map(system) < 0)
        return -1;
    if (system->map->state != PL_SYSTEM_UNINITIALISED)
        return compare_map(system, names);
    if (pl_transaction_run(&system->directory, write_plan, &plan, system->ctl->wait_s,
                           &system->outcome) < 0)
        return -1;
    return pl_system_load_map(system);
}

/* Uses the connection that holds the lock: if the lock was lost, this fails too. */
static int finish(pl_system_t *system)
{
    char shards[16];
    const char *const values[] = {shards};

    snprintf(shards, sizeof shards, "%d", system->map->shards);
    if (pl_session_execute(&system->directory,
                           "INSERT INTO directory.system (shards) VALUES ($1::int)"
                           " ON CONFLICT DO NOTHING",
                           1, values, "finishing", &system->outcome) < 0)
        return -1;
    return pl_system_load_map(system);
}

static int init(pl_system_t *system, const name_list_t *names)
{
    pl_target_t *directory = pl_system_directory_target(system);

    if (pl_system_lock(system) < 0)
        return -1;
    if (pl_target_apply_directory(directory, &system->directory) < 0) {
        system->outcome = directory->outcome;
        return -1;
    }
    if (plan(system, names) < 0)
        return -1;
    /* If a ready system has lost a shard, it must be restored. An empty one in its place would hide
     * the loss. */
    bool may_create_shards = system->map->state == PL_SYSTEM_INITIALISING;
    if (pl_system_add_databases(system, may_create_shards) < 0)
        return -1;
    pl_system_run(system, pl_target_apply);
    return system->outcome.code == PL_EXIT_OK ? finish(system) : -1;
}

int pl_command_init(const pl_ctl_t *ctl)
{
    pl_system_t system;
    name_list_t names = {0};

    /* If a step fails, its outcome is in `system`, and pl_system_close reports it. */
    (void)(pl_system_open(&system, ctl, true) == 0 && read_names(&system, &names) == 0 &&
           init(&system, &names) == 0);
    free_names(&names);
    return (int)pl_system_close(&system);
}
