/*
 * The result of a command, as text for people or as one JSON object for programs. The JSON is
 * described in src/ctl/output.schema.json; fields are added to it, but never removed or changed.
 */
#ifndef PL_CTL_REPORT_H
#define PL_CTL_REPORT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "ctl/ctl.h"
#include "ctl/outcome.h"
#include "ctl/target.h"
#include "directory/shard_map.h"

typedef struct pl_report {
    const char *command;
    bool is_json;
    pl_buffer_t out;
} pl_report_t;

/* Begins the report of a command. */
void pl_report_open(pl_report_t *report, const pl_ctl_t *ctl);

/* Adds a line of text; does nothing with --json. */
void pl_report_text(pl_report_t *report, const char *format, ...) PL_PRINTF(2, 3);

/* Adds "system": state, shards and databases. `map` is NULL if it is not known. */
void pl_report_system(pl_report_t *report, const pl_shard_map_t *map);

/* Adds "targets": what the command found and did in the directory and in each database. */
void pl_report_targets(pl_report_t *report, const pl_target_t *targets, int count);

/*
 * Adds the outcome, prints the report on standard output and a failure also on standard error, and
 * frees it. Returns the exit code.
 */
enum pl_exit pl_report_close(pl_report_t *report, const pl_outcome_t *outcome);

/* The state's name in --json: "uninitialised", "initialising", "ready". */
const char *pl_system_state_name(enum pl_system_state state);

#endif
