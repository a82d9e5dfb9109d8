/*
 * migrate up, migrate status.
 */
#include <stdbool.h>

#include "ctl/commands.h"
#include "ctl/outcome.h"
#include "ctl/system.h"
#include "ctl/target.h"

static void migrate_up(pl_system_t *system)
{
    pl_target_t *directory;

    if (pl_system_lock(system) < 0 || pl_system_require_ready(system) < 0)
        return;
    directory = pl_system_directory_target(system);
    if (pl_target_apply_directory(directory, &system->directory) < 0) {
        system->outcome = directory->outcome;
        return;
    }
    /* The migrations may have changed the tables of the map. */
    if (pl_system_load_map(system) < 0 || pl_system_add_databases(system, false) < 0)
        return;
    pl_system_run(system, pl_target_apply);
}

int pl_command_migrate_up(const pl_ctl_t *ctl)
{
    pl_system_t system;

    if (pl_system_open(&system, ctl, true) == 0)
        migrate_up(&system);
    return (int)pl_system_close(&system);
}

static void inspect_all(pl_system_t *system)
{
    bool is_ready = pl_system_require_ready(system) == 0;

    if (system->map == NULL)
        return;
    if (!is_ready)
        system->outcome.code = PL_EXIT_PENDING;
    pl_target_inspect(pl_system_directory_target(system));
    if (pl_system_add_databases(system, false) == 0)
        pl_system_run(system, pl_target_inspect);
}

int pl_command_migrate_status(const pl_ctl_t *ctl)
{
    pl_system_t system;

    if (pl_system_open(&system, ctl, true) == 0)
        inspect_all(&system);
    return (int)pl_system_close(&system);
}
