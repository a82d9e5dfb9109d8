/*
 * Reads schema `directory`: the row that describes the system, the databases, the shards.
 *
 * Invariant of a loaded map: unless the system is uninitialised, every shard from 0 to shards - 1
 * has exactly one database, and that database is in the list of names.
 */
#include "directory/shard_map.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* One statement, so one snapshot: kind 1 is the system, 2 a database, 3 a shard. */
static const char query[] =
    "SELECT 1 AS kind, shards AS number, map_version::text AS name FROM directory.system"
    " UNION ALL SELECT 2, 0, name FROM directory.database"
    " UNION ALL SELECT 3, shard, database_name FROM directory.shard"
    " ORDER BY 1, 2, 3";

enum { COLUMN_KIND, COLUMN_NUMBER, COLUMN_NAME };

/* All bits set, so that memset can write it. */
#define NO_DATABASE UINT16_MAX

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int pl_shard_map_find_database(const pl_shard_map_t *map, const char *name)
{
    if (map->database_count == 0)
        return -1;
    char **found = bsearch(&name, map->database_names, (size_t)map->database_count,
                           sizeof *map->database_names, compare_names);
    return found == NULL ? -1 : (int)(found - map->database_names);
}

void pl_shard_schema_format(char schema_r[static PL_SHARD_SCHEMA_SIZE], int shard)
{
    snprintf(schema_r, PL_SHARD_SCHEMA_SIZE, "shard_%04d", shard);
}

void pl_shard_map_free(pl_shard_map_t **map)
{
    if (*map == NULL)
        return;
    for (int i = 0; i < (*map)->database_count; i++)
        free((*map)->database_names[i]);
    free((*map)->database_names);
    free(*map);
    *map = NULL;
}

static int read_shard(pl_shard_map_t *map, const PGresult *result, int row, pl_error_t *error)
{
    int shard = atoi(PQgetvalue(result, row, COLUMN_NUMBER));
    int database = pl_shard_map_find_database(map, PQgetvalue(result, row, COLUMN_NAME));

    if (shard < 0 || shard >= map->shards || database < 0) {
        pl_error_set(error, PL_ERROR_INVALID,
                     "the directory's shard %d is not one of %d, or its"
                     " database %.60s is not listed",
                     shard, map->shards, PQgetvalue(result, row, COLUMN_NAME));
        return -1;
    }
    map->database_of_shard[shard] = (uint16_t)database;
    return 0;
}

/* Reads the database names, which begin at `row`; returns the first row after them. */
static int read_names(pl_shard_map_t *map, const PGresult *result, int row)
{
    int rows = PQntuples(result);

    map->database_names = pl_calloc((size_t)(rows - row) + 1, sizeof *map->database_names);
    for (; row < rows && PQgetvalue(result, row, COLUMN_KIND)[0] == '2'; row++) {
        const char *name = PQgetvalue(result, row, COLUMN_NAME);
        map->database_names[map->database_count++] = pl_strdup(name);
    }
    /* The database's collation may differ from the byte order that bsearch needs. */
    qsort(map->database_names, (size_t)map->database_count, sizeof *map->database_names,
          compare_names);
    return row;
}

static int read_rows(pl_shard_map_t *map, const PGresult *result, pl_error_t *error)
{
    int rows = PQntuples(result), row = 0;

    if (rows > 0 && PQgetvalue(result, 0, COLUMN_KIND)[0] == '1') {
        map->state = PL_SYSTEM_READY;
        map->shards = atoi(PQgetvalue(result, 0, COLUMN_NUMBER));
        map->map_version = strtoll(PQgetvalue(result, 0, COLUMN_NAME), NULL, 10);
        row = 1;
    }
    row = read_names(map, result, row);
    if (map->state != PL_SYSTEM_READY && row < rows) {
        map->state = PL_SYSTEM_INITIALISING;
        map->shards = rows - row;
    }
    if (map->shards < 0 || map->shards > PL_SHARDS_MAX || map->database_count >= NO_DATABASE) {
        pl_error_set(error, PL_ERROR_INVALID, "the directory has %d shards in %d databases",
                     map->shards, map->database_count);
        return -1;
    }
    memset(map->database_of_shard, 0xff, sizeof map->database_of_shard);
    for (; row < rows; row++)
        if (read_shard(map, result, row, error) < 0)
            return -1;
    for (int shard = 0; shard < map->shards; shard++) {
        if (map->database_of_shard[shard] == NO_DATABASE) {
            pl_error_set(error, PL_ERROR_INVALID, "the directory has no database for shard %d",
                         shard);
            return -1;
        }
    }
    return 0;
}

static bool is_missing_relation(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return sqlstate != NULL && (strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "3F000") == 0);
}

int pl_shard_map_load(PGconn *conn, pl_shard_map_t **map_r, pl_error_t *error)
{
    int rc = -1;
    pl_shard_map_t *map = pl_calloc(1, sizeof *map);
    PGresult *result = PQexec(conn, query);

    *map_r = NULL;
    map->state = PL_SYSTEM_UNINITIALISED;
    if (PQstatus(conn) == CONNECTION_BAD) {
        pl_error_set(error, PL_ERROR_UNAVAILABLE, "connection lost: %.150s", PQerrorMessage(conn));
        goto out;
    }
    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        if (read_rows(map, result, error) < 0)
            goto out;
    } else if (!is_missing_relation(result)) {
        pl_error_set_sql(error, PQresultErrorField(result, PG_DIAG_SQLSTATE),
                         "reading the directory: %.150s", PQresultErrorMessage(result));
        goto out;
    }
    *map_r = map;
    map = NULL;
    rc = 0;
out:
    pl_shard_map_free(&map);
    PQclear(result);
    return rc;
}
