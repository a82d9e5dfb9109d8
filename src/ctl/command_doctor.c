/*
 * doctor: runs the groups of checks over the directory and every database, and prints them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/json_write.h"
#include "ctl/commands.h"
#include "ctl/doctor.h"
#include "ctl/outcome.h"
#include "ctl/report.h"

#define STATUS_COUNT 3

static const char *const status_names[STATUS_COUNT] = {
    [PL_CHECK_OK] = "ok",
    [PL_CHECK_WARN] = "warn",
    [PL_CHECK_FAIL] = "fail",
};

static void write_checks(pl_buffer_t *out, const pl_doctor_t *doctor)
{
    pl_json_key(out, "checks");
    pl_json_array_begin(out);
    for (int i = 0; i < doctor->count; i++) {
        const pl_check_t *check = &doctor->checks[i];
        pl_json_object_begin(out);
        pl_json_key(out, "subject");
        pl_json_text(out, check->subject);
        pl_json_key(out, "check");
        pl_json_text(out, check->name);
        pl_json_key(out, "status");
        pl_json_text(out, status_names[check->status]);
        pl_json_key(out, "detail");
        pl_json_text(out, check->detail);
        pl_json_key(out, "advice");
        pl_json_text(out, check->advice);
        pl_json_object_end(out);
    }
    pl_json_array_end(out);
}

static void report_checks(pl_report_t *report, const pl_doctor_t *doctor, pl_outcome_t *outcome)
{
    int counts[STATUS_COUNT] = {0};

    for (int i = 0; i < doctor->count; i++) {
        const pl_check_t *check = &doctor->checks[i];
        counts[check->status]++;
        pl_report_text(report, "%-4s  %-20s %-20s %s", status_names[check->status], check->subject,
                       check->name, check->detail);
        if (check->advice != NULL)
            pl_report_text(report, "      %s", check->advice);
    }
    pl_report_system(report, doctor->map);
    pl_report_text(report, "%d ok, %d warn, %d fail", counts[PL_CHECK_OK], counts[PL_CHECK_WARN],
                   counts[PL_CHECK_FAIL]);
    if (report->is_json) {
        write_checks(&report->out, doctor);
        pl_json_key(&report->out, "summary");
        pl_json_object_begin(&report->out);
        for (int i = 0; i < STATUS_COUNT; i++) {
            pl_json_key(&report->out, status_names[i]);
            pl_json_int64(&report->out, counts[i]);
        }
        pl_json_object_end(&report->out);
    }
    if (counts[PL_CHECK_FAIL] > 0) {
        pl_fail(outcome, doctor->exit, "%d of %d checks failed", counts[PL_CHECK_FAIL],
                doctor->count);
    }
}

static void check_database(pl_doctor_t *doctor, const pl_config_database_t *database)
{
    char subject[96];

    snprintf(subject, sizeof subject, "database %s", database->name);
    if (doctor->map != NULL && doctor->map->state != PL_SYSTEM_UNINITIALISED &&
        pl_shard_map_find_database(doctor->map, database->name) < 0) {
        pl_check_warn(doctor, subject, "listed", "Remove it from the configuration, if it is old.",
                      "is in the configuration, but not in the directory");
    }
    pl_doctor_check_owner(doctor, subject, database);
    pl_doctor_check_server(doctor, subject, database);
    pl_doctor_check_pooler(doctor, subject, database);
}

static void check_listed(pl_doctor_t *doctor)
{
    for (int i = 0; doctor->map != NULL && i < doctor->map->database_count; i++) {
        const char *name = doctor->map->database_names[i];
        if (pl_config_find_database(&doctor->ctl->config, name) == NULL) {
            pl_check_fail(doctor, "directory", "listed", PL_EXIT_FAILED,
                          "Add its section with dsn, direct_dsn and owner_dsn.",
                          "the configuration has no [database %s]", name);
        }
    }
}

static void free_doctor(pl_doctor_t *doctor)
{
    for (int i = 0; i < doctor->count; i++) {
        free(doctor->checks[i].subject);
        free(doctor->checks[i].detail);
    }
    free(doctor->checks);
    for (int i = 0; i < doctor->server_count; i++)
        free(doctor->servers[i].system_identifier);
    free(doctor->servers);
    pl_shard_map_free(&doctor->map);
}

int pl_command_doctor(const pl_ctl_t *ctl)
{
    pl_sql_files_t files = {0};
    pl_doctor_t doctor = {.ctl = ctl, .files = &files};
    pl_outcome_t outcome = {0};
    pl_report_t report;
    pl_error_t error;

    pl_report_open(&report, ctl);
    if (ctl->repairs_unread && !ctl->checks_unread) {
        pl_fail(&outcome, PL_EXIT_USAGE, "--repair needs --unread: give both");
        goto out;
    }
    if (pl_sql_files_load(&files, ctl->sql_directory, &outcome) < 0)
        goto out;
    if (pl_config_check_owner(&ctl->config, &error) < 0) {
        pl_fail(&outcome, PL_EXIT_USAGE, "%s", error.message);
        goto out;
    }
    pl_doctor_check_directory(&doctor);
    check_listed(&doctor);
    for (size_t i = 0; i < ctl->config.database_count; i++)
        check_database(&doctor, &ctl->config.databases[i]);
    report_checks(&report, &doctor, &outcome);
out:
    free_doctor(&doctor);
    pl_sql_files_free(&files);
    return (int)pl_report_close(&report, &outcome);
}
