/*
 * Text and JSON of the results.
 */
#include "ctl/report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/json_write.h"

const char *pl_system_state_name(enum pl_system_state state)
{
    static const char *const names[] = {
        [PL_SYSTEM_UNINITIALISED] = "uninitialised",
        [PL_SYSTEM_INITIALISING] = "initialising",
        [PL_SYSTEM_READY] = "ready",
    };

    return names[state];
}

void pl_report_open(pl_report_t *report, const pl_ctl_t *ctl)
{
    report->command = ctl->command;
    report->is_json = ctl->is_json;
    report->out = PL_BUFFER_EMPTY;
    if (report->is_json) {
        pl_json_object_begin(&report->out);
        pl_json_key(&report->out, "command");
        pl_json_text(&report->out, report->command);
    }
}

void pl_report_text(pl_report_t *report, const char *format, ...)
{
    char line[2048];
    va_list args;

    if (report->is_json)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    pl_buffer_append_text(&report->out, line);
    pl_buffer_append_char(&report->out, '\n');
}

void pl_report_system(pl_report_t *report, const pl_shard_map_t *map)
{
    pl_buffer_t *out = &report->out;

    if (!report->is_json) {
        if (map != NULL) {
            pl_report_text(report, "system: %s, %d shards in %d databases, map version %lld",
                           pl_system_state_name(map->state), map->shards, map->database_count,
                           (long long)map->map_version);
        }
        return;
    }
    pl_json_key(out, "system");
    if (map == NULL) {
        pl_json_null(out);
        return;
    }
    pl_json_object_begin(out);
    pl_json_key(out, "state");
    pl_json_text(out, pl_system_state_name(map->state));
    pl_json_key(out, "shards");
    pl_json_int64(out, map->shards);
    pl_json_key(out, "mapVersion");
    pl_json_int64(out, map->map_version);
    pl_json_key(out, "databases");
    pl_json_array_begin(out);
    for (int i = 0; i < map->database_count; i++)
        pl_json_text(out, map->database_names[i]);
    pl_json_array_end(out);
    pl_json_object_end(out);
}

static void write_message(pl_buffer_t *out, const pl_outcome_t *outcome)
{
    pl_json_key(out, "message");
    pl_json_text(out, outcome->code == PL_EXIT_OK ? NULL : outcome->message);
}

static void write_migrations(pl_buffer_t *out, const pl_ledger_t *ledger)
{
    pl_json_key(out, "migrations");
    pl_json_array_begin(out);
    for (int i = 0; i < ledger->count; i++) {
        const pl_migration_t *migration = &ledger->migrations[i];
        pl_json_object_begin(out);
        pl_json_key(out, "number");
        pl_json_int64(out, migration->number);
        pl_json_key(out, "name");
        pl_json_text(out, migration->name);
        pl_json_key(out, "state");
        pl_json_text(out, pl_migration_state_name(migration->state));
        pl_json_key(out, "appliedNow");
        pl_json_bool(out, migration->is_applied_now);
        pl_json_key(out, "durationMs");
        pl_json_int64(out, migration->duration_ms);
        pl_json_object_end(out);
    }
    pl_json_array_end(out);
}

static void write_shards(pl_buffer_t *out, const pl_target_t *target)
{
    const struct {
        const char *key;
        int value;
    } counts[] = {
        {"total", target->shards.total},       {"missing", target->shards.missing},
        {"outdated", target->shards.outdated}, {"created", target->shards_created},
        {"updated", target->shards_updated},
    };

    pl_json_key(out, "functions");
    pl_json_text(out, target->are_functions_applied  ? "applied"
                      : target->shards.has_functions ? "current"
                                                     : "pending");
    pl_json_key(out, "shards");
    pl_json_object_begin(out);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        pl_json_key(out, counts[i].key);
        pl_json_int64(out, counts[i].value);
    }
    pl_json_object_end(out);
}

static void write_target(pl_buffer_t *out, const pl_target_t *target)
{
    pl_json_object_begin(out);
    pl_json_key(out, "target");
    pl_json_text(out, target->name == NULL ? "directory" : "database");
    pl_json_key(out, "database");
    pl_json_text(out, target->name);
    pl_json_key(out, "exit");
    pl_json_text(out, pl_exit_name(target->outcome.code));
    write_message(out, &target->outcome);
    write_migrations(out, &target->ledger);
    if (target->name != NULL)
        write_shards(out, target);
    pl_json_key(out, "durationMs");
    pl_json_int64(out, target->duration_ms);
    pl_json_object_end(out);
}

static void list_migrations(pl_buffer_t *line, const pl_ledger_t *ledger)
{
    for (int i = 0; i < ledger->count; i++) {
        const pl_migration_t *migration = &ledger->migrations[i];
        if (migration->is_applied_now) {
            pl_buffer_appendf(line, "; applied %s", migration->name);
        } else if (migration->state != PL_MIGRATION_APPLIED) {
            pl_buffer_appendf(line, "; %s %s", pl_migration_state_name(migration->state),
                              migration->name);
        }
    }
}

static void list_shards(pl_buffer_t *line, const pl_target_t *target)
{
    const pl_shards_state_t *shards = &target->shards;

    if (target->are_functions_applied)
        pl_buffer_append_text(line, "; functions applied");
    else if (!shards->has_functions)
        pl_buffer_append_text(line, "; functions pending");
    pl_buffer_appendf(line, "; %d shards", shards->total);
    if (target->shards_created > 0)
        pl_buffer_appendf(line, ", %d created", target->shards_created);
    if (target->shards_updated > 0)
        pl_buffer_appendf(line, ", %d updated", target->shards_updated);
    if (shards->missing > 0)
        pl_buffer_appendf(line, ", %d missing", shards->missing);
    if (shards->outdated > 0)
        pl_buffer_appendf(line, ", %d with old functions", shards->outdated);
}

static void print_target(pl_report_t *report, const pl_target_t *target)
{
    pl_buffer_t line = PL_BUFFER_EMPTY;
    char label[96];

    pl_target_format_label(target, label, sizeof label);
    pl_buffer_appendf(&line, "%-20s %s; %d of %d migrations applied", label,
                      pl_exit_name(target->outcome.code),
                      pl_ledger_count(&target->ledger, PL_MIGRATION_APPLIED), target->ledger.count);
    list_migrations(&line, &target->ledger);
    if (target->name != NULL)
        list_shards(&line, target);
    pl_buffer_appendf(&line, "; %.2f s", (double)target->duration_ms / 1000.0);
    pl_report_text(report, "%s", pl_buffer_terminate(&line));
    pl_buffer_dispose(&line);
    if (target->outcome.code != PL_EXIT_OK)
        pl_report_text(report, "    %s", target->outcome.message);
}

void pl_report_targets(pl_report_t *report, const pl_target_t *targets, int count)
{
    if (!report->is_json) {
        for (int i = 0; i < count; i++)
            print_target(report, &targets[i]);
        return;
    }
    pl_json_key(&report->out, "targets");
    pl_json_array_begin(&report->out);
    for (int i = 0; i < count; i++)
        write_target(&report->out, &targets[i]);
    pl_json_array_end(&report->out);
}

enum pl_exit pl_report_close(pl_report_t *report, const pl_outcome_t *outcome)
{
    pl_buffer_t *out = &report->out;

    if (report->is_json) {
        pl_json_key(out, "exit");
        pl_json_text(out, pl_exit_name(outcome->code));
        pl_json_key(out, "exitCode");
        pl_json_int64(out, (int)outcome->code);
        write_message(out, outcome);
        pl_json_object_end(out);
        pl_buffer_append_char(out, '\n');
    }
    if (out->len > 0) {
        fwrite(out->data, 1, out->len, stdout);
        fflush(stdout);
    }
    if (outcome->code != PL_EXIT_OK) {
        fprintf(stderr, "parleyctl: %s: %s: %s\n", report->command, pl_exit_name(outcome->code),
                outcome->message);
    }
    pl_buffer_dispose(out);
    return outcome->code;
}
