/*
 * The table of commands. The parser, the help and the check of the documentation use it.
 *
 * Each command prints its result on standard output (text, or one JSON object with --json) and a
 * failure on standard error, and returns the exit code of the process.
 */
#ifndef PL_CTL_COMMANDS_H
#define PL_CTL_COMMANDS_H

#include "ctl/ctl.h"

/* Options that only some commands have; bits of pl_command_t.options. */
enum pl_command_option {
    PL_COMMAND_SHARDS = 1,
    PL_COMMAND_DATABASES = 2,
    PL_COMMAND_SQL_DIR = 4,
    PL_COMMAND_WAIT = 8,
    PL_COMMAND_JOBS = 16,
    PL_COMMAND_UNREAD = 32,
};

typedef struct pl_command {
    const char *name;
    const char *summary; /* one line for the list of commands */
    const char *details; /* for the command's own help */
    unsigned options;    /* enum pl_command_option */
    unsigned exits;      /* bit 1 << code for each exit code that it can return */
    int (*run)(const pl_ctl_t *ctl);
} pl_command_t;

/* The last one has the name NULL. */
extern const pl_command_t pl_commands[];

int pl_command_init(const pl_ctl_t *ctl);
int pl_command_migrate_up(const pl_ctl_t *ctl);
int pl_command_migrate_status(const pl_ctl_t *ctl);
int pl_command_shard_list(const pl_ctl_t *ctl);
int pl_command_doctor(const pl_ctl_t *ctl);

#endif
