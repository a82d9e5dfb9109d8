/*
 * The table of commands.
 */
#include "ctl/commands.h"

#include <stddef.h>

#include "ctl/outcome.h"

#define EXIT(code) (1U << PL_EXIT_##code)
#define EXIT_COMMON (EXIT(OK) | EXIT(FAILED) | EXIT(USAGE) | EXIT(BLOCKED) | EXIT(UNREACHABLE))

const pl_command_t pl_commands[] = {
    {
        .name = "init",
        .summary = "Create a system: directory, tables, functions and shards",
        .details =
            "Assigns the shards to the databases round-robin and creates everything that parleyd "
            "needs. The number of shards is part of every user id, so it can never be changed. If "
            "init was interrupted, run it again to finish; it changes nothing in a complete "
            "system.",
        .options = PL_COMMAND_SHARDS | PL_COMMAND_DATABASES | PL_COMMAND_SQL_DIR | PL_COMMAND_WAIT |
                   PL_COMMAND_JOBS,
        .exits = EXIT_COMMON | EXIT(DRIFT),
        .run = pl_command_init,
    },
    {
        .name = "migrate up",
        .summary = "Apply pending migrations and changed functions",
        .details =
            "The directory first, then the databases in parallel. Each migration is one "
            "transaction with its ledger row. A statement that meets a lock gives up after 3 s, so "
            "that the server's queries do not queue behind it, and is tried again until --wait "
            "is over. If it was interrupted, run it again to continue.",
        .options = PL_COMMAND_SQL_DIR | PL_COMMAND_WAIT | PL_COMMAND_JOBS,
        .exits = EXIT_COMMON | EXIT(DRIFT),
        .run = pl_command_migrate_up,
    },
    {
        .name = "migrate status",
        .summary = "Show what migrate up would do",
        .details = "Changes nothing. Exit code 0: everything is applied; 3: there is something to "
                   "apply; 4: "
                   "an applied migration differs from its file.",
        .options = PL_COMMAND_SQL_DIR | PL_COMMAND_JOBS,
        .exits = EXIT_COMMON | EXIT(PENDING) | EXIT(DRIFT),
        .run = pl_command_migrate_status,
    },
    {
        .name = "shard list",
        .summary = "Show which database holds which shard",
        .details = "Reads the directory only; doctor also compares it with the databases.",
        .options = 0,
        .exits = EXIT_COMMON,
        .run = pl_command_shard_list,
    },
    {
        .name = "doctor",
        .summary = "Check everything that Parley's promises depend on",
        .details =
            "Changes nothing, except with --repair. Prints one line per check: ok, warn or fail, "
            "and "
            "what to do. It connects with every DSN of the configuration: through the pooler, past "
            "it, and as the owner. Warnings do not change the exit code.",
        .options = PL_COMMAND_SQL_DIR | PL_COMMAND_UNREAD,
        .exits = EXIT_COMMON | EXIT(PENDING) | EXIT(DRIFT),
        .run = pl_command_doctor,
    },
    {.name = NULL},
};
