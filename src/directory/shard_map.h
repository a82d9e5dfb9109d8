#ifndef PL_DIRECTORY_SHARD_MAP_H
#define PL_DIRECTORY_SHARD_MAP_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/id.h"

/*
 * The database of each shard: a snapshot of the directory.
 *
 * A loaded map never changes, so several threads may read it without a lock. To get a newer one,
 * load another map, compare `map_version` and swap the pointer.
 */

/* "shard_" and the number in at least four digits, with the terminating NUL. */
#define PL_SHARD_SCHEMA_SIZE 16

enum pl_system_state {
    /* `parleyctl init` has not run: the directory has no tables, or nothing in them. */
    PL_SYSTEM_UNINITIALISED,
    /* The directory has the map, but not every database has its schemas yet: init is running, or
     * was interrupted. */
    PL_SYSTEM_INITIALISING,
    /* Init's last step has written the row of directory.system. */
    PL_SYSTEM_READY,
};

typedef struct pl_shard_map {
    enum pl_system_state state;
    int shards;          /* 0 while uninitialised */
    int64_t map_version; /* 0 unless ready */
    /* Sorted by name; fewer than 65,535. */
    int database_count;
    char **database_names;
    /* Index into database_names, valid for shards 0 .. shards - 1. */
    uint16_t database_of_shard[PL_SHARDS_MAX];
} pl_shard_map_t;

/*
 * Reads the map over a connection that may select from the schema `directory`; blocks. The read is
 * one statement, so the map is one snapshot.
 *
 * Returns 0 and a map that the caller frees, whatever its `state` is (unless it is PL_SYSTEM_READY,
 * a server should tell the DBA to run `parleyctl init`). Returns -1 with PL_ERROR_UNAVAILABLE when
 * the connection is lost, PL_ERROR_SQL when the statement is refused, and PL_ERROR_INVALID when the
 * directory contradicts itself (a shard missing, or out of range).
 */
int pl_shard_map_load(PGconn *conn, pl_shard_map_t **map_r, pl_error_t *error) PL_MUST_USE;

/* Frees *map and sets it to NULL; a NULL map is allowed. */
void pl_shard_map_free(pl_shard_map_t **map);

/* Index of a database's name in the map, or -1. */
int pl_shard_map_find_database(const pl_shard_map_t *map, const char *name);

/* Writes the schema's name of a shard, as "shard_0007". */
void pl_shard_schema_format(char schema_r[static PL_SHARD_SCHEMA_SIZE], int shard);

#endif
