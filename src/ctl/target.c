/*
 * The steps on one database. Their order makes it safe to stop after any of them:
 *
 *   records -> migrations (one transaction each) -> functions (one) -> shards (one each)
 *
 * Each step does only what is not done yet. So if parleyctl is killed, the next run continues at
 * that point.
 */
#include "ctl/target.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ctl/records.h"

#define DIRECTORY_SCHEMA "directory"
#define PARLEY_SCHEMA "parley"

void pl_target_format_label(const pl_target_t *target, char *label, size_t size)
{
    if (target->name == NULL)
        snprintf(label, size, "directory");
    else
        snprintf(label, size, "database %s", target->name);
}

void pl_target_free(pl_target_t *target)
{
    free(target->name);
    pl_ledger_free(&target->ledger);
    pl_shards_state_free(&target->shards);
}

static int open_session(pl_target_t *target, pl_session_t *session)
{
    char label[96];

    pl_target_format_label(target, label, sizeof label);
    return pl_session_open(session, target->dsn, label, &target->outcome);
}

int pl_target_apply_directory(pl_target_t *target, pl_session_t *session)
{
    const pl_sql_list_t *migrations = &target->files->directory_migrations;
    int64_t start_ms = pl_clock_monotonic_ms();
    int rc = -1;

    if (pl_records_ensure_directory(session, &target->outcome) == 0 &&
        pl_ledger_read(session, DIRECTORY_SCHEMA, migrations, &target->ledger, &target->outcome) ==
            0 &&
        pl_ledger_check(&target->ledger, session->label, &target->outcome) == 0 &&
        pl_ledger_apply(session, DIRECTORY_SCHEMA, migrations, &target->ledger, target->wait_s,
                        &target->outcome) == 0)
        rc = 0;
    target->duration_ms = pl_clock_monotonic_ms() - start_ms;
    return rc;
}

static int apply_migrations(pl_target_t *target, pl_session_t *session)
{
    const pl_sql_list_t *migrations = &target->files->database_migrations;
    pl_outcome_t *outcome = &target->outcome;

    if (pl_records_check_owner(session, outcome) < 0 ||
        pl_session_lock(session, PL_LOCK_DATABASE, target->wait_s, outcome) < 0 ||
        pl_records_ensure_database(session, target->name, target->map->shards, outcome) < 0 ||
        pl_ledger_read(session, PARLEY_SCHEMA, migrations, &target->ledger, outcome) < 0 ||
        pl_ledger_check(&target->ledger, session->label, outcome) < 0)
        return -1;
    return pl_ledger_apply(session, PARLEY_SCHEMA, migrations, &target->ledger, target->wait_s,
                           outcome);
}

static void apply_functions(pl_target_t *target, pl_session_t *session)
{
    pl_shards_state_t *shards = &target->shards;

    if (pl_shards_read(session, target->files, target->map, target->database, shards,
                       &target->outcome) < 0)
        return;
    int missing = shards->missing, outdated = shards->outdated;
    bool had_functions = shards->has_functions;
    if (pl_functions_apply(session, target->files, shards, target->wait_s, &target->outcome) == 0 &&
        pl_shards_apply(session, target->files, target->map, shards, target->may_create_shards,
                        target->wait_s, &target->outcome) == 0)
        target->outcome.code = PL_EXIT_OK;
    target->are_functions_applied = shards->has_functions && !had_functions;
    target->shards_created = missing - shards->missing;
    target->shards_updated = outdated - shards->outdated;
}

void pl_target_apply(pl_target_t *target)
{
    pl_session_t session = {0};
    int64_t start_ms = pl_clock_monotonic_ms();

    if (open_session(target, &session) == 0) {
        if (apply_migrations(target, &session) == 0)
            apply_functions(target, &session);
        pl_session_close(&session);
    }
    target->duration_ms = pl_clock_monotonic_ms() - start_ms;
}

static int inspect_database(pl_target_t *target, pl_session_t *session)
{
    pl_outcome_t *outcome = &target->outcome;

    if (pl_records_check_identity(session, target->name, target->map->shards, outcome) < 0 ||
        pl_ledger_read(session, PARLEY_SCHEMA, &target->files->database_migrations, &target->ledger,
                       outcome) < 0)
        return -1;
    return pl_shards_read(session, target->files, target->map, target->database, &target->shards,
                          outcome);
}

static void conclude(pl_target_t *target, const char *label)
{
    const pl_shards_state_t *shards = &target->shards;
    int pending = pl_ledger_count(&target->ledger, PL_MIGRATION_PENDING);
    bool is_database = target->name != NULL;

    if (pl_ledger_check(&target->ledger, label, &target->outcome) < 0)
        return;
    if (is_database && shards->missing > 0) {
        pl_fail(&target->outcome, PL_EXIT_PENDING, "%s: %d of its %d shards are not created", label,
                shards->missing, shards->total);
    } else if (pending > 0) {
        pl_fail(&target->outcome, PL_EXIT_PENDING, "%s: %d migrations to apply", label, pending);
    } else if (is_database && (!shards->has_functions || shards->outdated > 0)) {
        pl_fail(&target->outcome, PL_EXIT_PENDING, "%s: functions to apply", label);
    } else {
        target->outcome.code = PL_EXIT_OK;
    }
}

void pl_target_inspect(pl_target_t *target)
{
    pl_session_t session = {0};
    int64_t start_ms = pl_clock_monotonic_ms();
    int rc;

    if (open_session(target, &session) == 0) {
        if (target->name == NULL) {
            rc = pl_ledger_read(&session, DIRECTORY_SCHEMA, &target->files->directory_migrations,
                                &target->ledger, &target->outcome);
        } else {
            rc = inspect_database(target, &session);
        }
        if (rc == 0)
            conclude(target, session.label);
        pl_session_close(&session);
    }
    target->duration_ms = pl_clock_monotonic_ms() - start_ms;
}

typedef struct work {
    pthread_mutex_t mutex;
    pl_target_t *targets;
    int count;
    int next;
    void (*run)(pl_target_t *);
} work_t;

static void *run_targets(void *arg)
{
    work_t *work = arg;

    for (;;) {
        pthread_mutex_lock(&work->mutex);
        int index = work->next < work->count ? work->next++ : -1;
        pthread_mutex_unlock(&work->mutex);
        if (index < 0)
            return NULL;
        work->run(&work->targets[index]);
    }
}

void pl_targets_run(pl_target_t *targets, int count, void (*run)(pl_target_t *), int jobs)
{
    work_t work = {PTHREAD_MUTEX_INITIALIZER, targets, count, 0, run};
    int threads = jobs < count ? jobs : count, started = 0;
    pthread_t *ids = pl_calloc((size_t)threads + 1, sizeof *ids);

    /* This thread works too. If another one cannot be started, the work only takes longer. */
    while (started < threads - 1 && pthread_create(&ids[started], NULL, run_targets, &work) == 0)
        started++;
    run_targets(&work);
    for (int i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    free(ids);
    pthread_mutex_destroy(&work.mutex);
}
