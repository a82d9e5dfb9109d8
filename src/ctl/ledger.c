/*
 * Applies migrations and keeps the ledger.
 *
 * A ledger row commits together with its migration. So even if parleyctl or the server is killed, a
 * migration is either applied and recorded, or neither.
 */
#include "ctl/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ctl/records.h"
#include "ctl/transaction.h"

const char *pl_migration_state_name(enum pl_migration_state state)
{
    static const char *const names[] = {
        [PL_MIGRATION_PENDING] = "pending",
        [PL_MIGRATION_APPLIED] = "applied",
        [PL_MIGRATION_CHANGED] = "changed",
        [PL_MIGRATION_UNKNOWN] = "unknown",
    };

    return names[state];
}

void pl_ledger_free(pl_ledger_t *ledger)
{
    for (int i = 0; i < ledger->count; i++)
        free(ledger->migrations[i].name);
    free(ledger->migrations);
    memset(ledger, 0, sizeof *ledger);
}

static pl_migration_t *add_migration(pl_ledger_t *ledger, int number, const char *name,
                                     enum pl_migration_state state)
{
    ledger->migrations = pl_reallocarray(ledger->migrations, (size_t)ledger->count + 1,
                                         sizeof *ledger->migrations);
    pl_migration_t *migration = &ledger->migrations[ledger->count++];
    *migration = (pl_migration_t){.number = number, .name = pl_strdup(name), .state = state};
    return migration;
}

/* Files are numbered from 1 without gaps, so number - 1 is the index. */
static void merge_row(pl_ledger_t *ledger, const pl_sql_list_t *files, int number, const char *name,
                      const char *checksum)
{
    if (number < 1 || number > files->count) {
        add_migration(ledger, number, name, PL_MIGRATION_UNKNOWN);
        return;
    }
    const pl_sql_file_t *file = &files->files[number - 1];
    bool is_same = strcmp(file->name, name) == 0 && strcmp(file->checksum, checksum) == 0;
    ledger->migrations[number - 1].state = is_same ? PL_MIGRATION_APPLIED : PL_MIGRATION_CHANGED;
}

int pl_ledger_read(pl_session_t *session, const char *schema, const pl_sql_list_t *files,
                   pl_ledger_t *ledger, pl_outcome_t *outcome)
{
    char sql[128];
    PGresult *result;

    memset(ledger, 0, sizeof *ledger);
    for (int i = 0; i < files->count; i++)
        add_migration(ledger, files->files[i].number, files->files[i].name, PL_MIGRATION_PENDING);
    snprintf(sql, sizeof sql, "%s.migration", schema);
    int have = pl_records_have(session, sql, outcome);
    if (have <= 0)
        return have;
    snprintf(sql, sizeof sql, "SELECT number, name, checksum FROM %s.migration ORDER BY number",
             schema);
    if (pl_session_query(session, sql, 0, NULL, "reading the ledger", &result, outcome) < 0)
        return -1;
    for (int row = 0; row < PQntuples(result); row++) {
        merge_row(ledger, files, atoi(PQgetvalue(result, row, 0)), PQgetvalue(result, row, 1),
                  PQgetvalue(result, row, 2));
    }
    PQclear(result);
    return 0;
}

int pl_ledger_count(const pl_ledger_t *ledger, enum pl_migration_state state)
{
    int count = 0;

    for (int i = 0; i < ledger->count; i++)
        count += ledger->migrations[i].state == state;
    return count;
}

int pl_ledger_check(const pl_ledger_t *ledger, const char *label, pl_outcome_t *outcome)
{
    bool is_pending_before = false;

    for (int i = 0; i < ledger->count; i++) {
        const pl_migration_t *migration = &ledger->migrations[i];
        switch (migration->state) {
        case PL_MIGRATION_CHANGED:
            return pl_fail(outcome, PL_EXIT_DRIFT,
                           "%s: migration %s was applied with another text than its file has now; a"
                           " released migration must not change: restore the file, and put the"
                           " change into a new migration",
                           label, migration->name);
        case PL_MIGRATION_UNKNOWN:
            return pl_fail(outcome, PL_EXIT_DRIFT,
                           "%s: migration %s was applied but has no file here; a newer parleyctl"
                           " applied it: use that one",
                           label, migration->name);
        case PL_MIGRATION_APPLIED:
            if (is_pending_before) {
                return pl_fail(outcome, PL_EXIT_DRIFT,
                               "%s: migration %s was applied but one before it was not; the ledger"
                               " was changed by hand",
                               label, migration->name);
            }
            break;
        case PL_MIGRATION_PENDING:
            is_pending_before = true;
            break;
        }
    }
    return 0;
}

typedef struct migration_run {
    const char *schema;
    const pl_sql_file_t *file;
    int64_t duration_ms;
} migration_run_t;

static int run_migration(pl_session_t *session, void *arg, pl_outcome_t *outcome)
{
    migration_run_t *run = arg;
    char sql[256], number[16], now[24], duration[24];
    const char *const values[] = {number, run->file->name, run->file->checksum,
                                  now,    duration,        PL_VERSION};
    int64_t start_ms = pl_clock_monotonic_ms();

    if (pl_session_run(session, run->file->text, run->file->name, outcome) < 0)
        return -1;
    if (PQtransactionStatus(session->conn) != PQTRANS_INTRANS)
        return 0; /* pl_transaction_run reports it */
    run->duration_ms = pl_clock_monotonic_ms() - start_ms;
    snprintf(sql, sizeof sql,
             "INSERT INTO %s.migration (number, name, checksum, applied_timestamp, duration_ms,"
             " applied_by, tool_version)"
             " VALUES ($1::int, $2, $3, $4::bigint, $5::bigint, session_user, $6)",
             run->schema);
    snprintf(number, sizeof number, "%d", run->file->number);
    snprintf(now, sizeof now, "%" PRId64, pl_clock_now_us());
    snprintf(duration, sizeof duration, "%" PRId64, run->duration_ms);
    return pl_session_execute(session, sql, 6, values, "writing the ledger", outcome);
}

int pl_ledger_apply(pl_session_t *session, const char *schema, const pl_sql_list_t *files,
                    pl_ledger_t *ledger, int wait_s, pl_outcome_t *outcome)
{
    for (int i = 0; i < files->count; i++) {
        pl_migration_t *migration = &ledger->migrations[i];
        migration_run_t run = {.schema = schema, .file = &files->files[i]};
        if (migration->state != PL_MIGRATION_PENDING)
            continue;
        if (pl_transaction_run(session, run_migration, &run, wait_s, outcome) < 0)
            return -1;
        migration->state = PL_MIGRATION_APPLIED;
        migration->is_applied_now = true;
        migration->duration_ms = run.duration_ms;
    }
    return 0;
}
