/*
 * A command's result, as text for people or one JSON object for programs. The JSON's form is
 * described in src/ctl/output.schema.json and only ever grows.
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

void pl_report_open(pl_report_t *report, const pl_ctl_t *ctl);

/* A line of text; nothing with --json. */
void pl_report_text(pl_report_t *report, const char *format, ...) PL_PRINTF(2, 3);

/* "system": state, shards and databases. `map` may be NULL when it is not known. */
void pl_report_system(pl_report_t *report, const pl_shard_map_t *map);

/* "targets": what was found and done in the directory and in each database. */
void pl_report_targets(pl_report_t *report, const pl_target_t *targets, int count);

/*
 * Ends the report with the outcome, prints it on standard output and a failure also on standard
 * error, and frees it. Returns the exit code.
 */
enum pl_exit pl_report_close(pl_report_t *report, const pl_outcome_t *outcome);

/* The state as --json has it: "uninitialised", "initialising", "ready". */
const char *pl_system_state_name(enum pl_system_state state);

#endif
