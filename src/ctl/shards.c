/*
 * Applies functions, and creates the schemas of shards.
 */
#include "ctl/shards.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "ctl/records.h"
#include "ctl/transaction.h"

#define PARLEY_SCHEMA "parley"

typedef struct shard_run {
    const pl_sql_files_t *files;
    const pl_shard_map_t *map;
    int shard;
    bool must_create;
} shard_run_t;

void pl_shards_state_free(pl_shards_state_t *state)
{
    free(state->is_missing);
    free(state->is_outdated);
    memset(state, 0, sizeof *state);
}

/* Returns each of our schemas with the checksum of its functions, which is empty if it has none
 * yet. */
static int query_schemas(pl_session_t *session, PGresult **result_r, pl_outcome_t *outcome)
{
    int have = pl_records_have(session, "parley.function_set", outcome);

    if (have < 0)
        return -1;
    return pl_session_query(session,
                            have ? "SELECT n.nspname, coalesce(f.checksum, '') FROM pg_namespace n"
                                   " LEFT JOIN parley.function_set f ON f.schema_name = n.nspname"
                                   " WHERE n.nspname = 'parley' OR n.nspname ~ '^shard_[0-9]{4}$'"
                                 : "SELECT nspname, '' FROM pg_namespace"
                                   " WHERE nspname ~ '^shard_[0-9]{4}$'",
                            0, NULL, "looking for schemas", result_r, outcome);
}

int pl_shards_read(pl_session_t *session, const pl_sql_files_t *files, const pl_shard_map_t *map,
                   int database, pl_shards_state_t *state, pl_outcome_t *outcome)
{
    PGresult *result;

    memset(state, 0, sizeof *state);
    if (query_schemas(session, &result, outcome) < 0)
        return -1;
    state->is_missing = pl_calloc((size_t)map->shards + 1, sizeof *state->is_missing);
    state->is_outdated = pl_calloc((size_t)map->shards + 1, sizeof *state->is_outdated);
    for (int shard = 0; shard < map->shards; shard++) {
        state->is_missing[shard] = map->database_of_shard[shard] == database;
        state->total += state->is_missing[shard];
    }
    state->missing = state->total;
    for (int row = 0; row < PQntuples(result); row++) {
        const char *schema = PQgetvalue(result, row, 0), *checksum = PQgetvalue(result, row, 1);
        if (strcmp(schema, PARLEY_SCHEMA) == 0) {
            state->has_functions = strcmp(checksum, files->functions_checksum) == 0;
            continue;
        }
        int shard = atoi(schema + strlen("shard_"));
        if (shard < map->shards && state->is_missing[shard]) {
            state->is_missing[shard] = false;
            state->missing--;
            state->is_outdated[shard] = strcmp(checksum, files->shard_functions_checksum) != 0;
            state->outdated += state->is_outdated[shard];
        }
    }
    PQclear(result);
    return 0;
}

static int record_set(pl_session_t *session, const char *schema, const char *checksum,
                      pl_outcome_t *outcome)
{
    char now[24];
    const char *const values[] = {schema, checksum, now};

    snprintf(now, sizeof now, "%" PRId64, pl_clock_now_us());
    return pl_session_execute(session,
                              "INSERT INTO parley.function_set (schema_name, checksum,"
                              " applied_timestamp) VALUES ($1, $2, $3::bigint)"
                              " ON CONFLICT (schema_name) DO UPDATE SET checksum ="
                              " excluded.checksum, applied_timestamp = excluded.applied_timestamp",
                              3, values, "recording the functions", outcome);
}

static int run_function(pl_session_t *session, const pl_sql_file_t *file, pl_outcome_t *outcome)
{
    pl_buffer_t sql = PL_BUFFER_EMPTY;

    pl_buffer_append_text(&sql, file->text);
    pl_sql_describe(&sql, PARLEY_SCHEMA, file);
    int rc = pl_session_run(session, pl_buffer_terminate(&sql), file->name, outcome);
    pl_buffer_dispose(&sql);
    return rc;
}

static int run_functions(pl_session_t *session, void *arg, pl_outcome_t *outcome)
{
    const pl_sql_files_t *files = arg;

    for (int i = 0; i < files->functions.count; i++)
        if (run_function(session, &files->functions.files[i], outcome) < 0)
            return -1;
    return record_set(session, PARLEY_SCHEMA, files->functions_checksum, outcome);
}

int pl_functions_apply(pl_session_t *session, const pl_sql_files_t *files, pl_shards_state_t *state,
                       int wait_s, pl_outcome_t *outcome)
{
    pl_sql_files_t argument = *files;

    if (state->has_functions)
        return 0;
    if (pl_transaction_run(session, run_functions, &argument, wait_s, outcome) < 0)
        return -1;
    state->has_functions = true;
    return 0;
}

static int run_template(pl_session_t *session, const shard_run_t *run, const pl_sql_file_t *file,
                        pl_outcome_t *outcome)
{
    pl_buffer_t sql = PL_BUFFER_EMPTY;
    char schema[PL_SHARD_SCHEMA_SIZE], what[PL_SHARD_SCHEMA_SIZE + 128];

    pl_shard_schema_format(schema, run->shard);
    snprintf(what, sizeof what, "%s, %.100s", schema, file->name);
    pl_sql_expand(&sql, file->text, run->shard, run->map->shards);
    if (file != &run->files->create_shard)
        pl_sql_describe(&sql, schema, file);
    int rc = pl_session_run(session, pl_buffer_terminate(&sql), what, outcome);
    pl_buffer_dispose(&sql);
    return rc;
}

static int run_shard(pl_session_t *session, void *arg, pl_outcome_t *outcome)
{
    const shard_run_t *run = arg;
    const pl_sql_list_t *functions = &run->files->shard_functions;
    char schema[PL_SHARD_SCHEMA_SIZE];

    if (run->must_create && run_template(session, run, &run->files->create_shard, outcome) < 0)
        return -1;
    for (int i = 0; i < functions->count; i++)
        if (run_template(session, run, &functions->files[i], outcome) < 0)
            return -1;
    pl_shard_schema_format(schema, run->shard);
    return record_set(session, schema, run->files->shard_functions_checksum, outcome);
}

int pl_shards_apply(pl_session_t *session, const pl_sql_files_t *files, const pl_shard_map_t *map,
                    pl_shards_state_t *state, bool may_create, int wait_s, pl_outcome_t *outcome)
{
    if (state->missing > 0 && !may_create) {
        return pl_fail(outcome, PL_EXIT_BLOCKED,
                       "%s: %d of its %d shards have no schema; parleyctl doctor lists them",
                       session->label, state->missing, state->total);
    }
    for (int shard = 0; shard < map->shards; shard++) {
        shard_run_t run = {files, map, shard, state->is_missing[shard]};
        if (!state->is_missing[shard] && !state->is_outdated[shard])
            continue;
        if (pl_transaction_run(session, run_shard, &run, wait_s, outcome) < 0)
            return -1;
        state->missing -= state->is_missing[shard];
        state->outdated -= state->is_outdated[shard];
        state->is_missing[shard] = state->is_outdated[shard] = false;
    }
    return 0;
}
