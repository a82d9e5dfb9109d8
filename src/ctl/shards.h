/*
 * The functions and the shards of a database. All functions of the schema parley are applied in one
 * transaction. Each schema shard_NNNN is created, and its functions are applied, in one
 * transaction.
 *
 * parley.function_set has one row per schema, with the checksum of the functions that were applied
 * to it. A schema with the current checksum is skipped. The row commits together with the
 * functions, so a run after an interrupted one does only the rest.
 */
#ifndef PL_CTL_SHARDS_H
#define PL_CTL_SHARDS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "ctl/outcome.h"
#include "ctl/session.h"
#include "ctl/sql_files.h"
#include "directory/shard_map.h"

/* The state of a database's functions and shards, compared with the files and the map. */
typedef struct pl_shards_state {
    bool has_functions; /* the schema parley has the current functions */
    int total;          /* number of shards that are in this database, according to the map */
    int missing;        /* how many of them have no schema */
    int outdated;       /* how many of them have a schema with other functions */
    bool *is_missing;   /* one for each shard of the map */
    bool *is_outdated;
} pl_shards_state_t;

/* Reads the state and changes nothing. Returns 0, or -1 with outcome. The caller frees the state in
 * both cases. */
int pl_shards_read(pl_session_t *session, const pl_sql_files_t *files, const pl_shard_map_t *map,
                   int database, pl_shards_state_t *state, pl_outcome_t *outcome) PL_MUST_USE;

void pl_shards_state_free(pl_shards_state_t *state);

/* Applies the functions of the schema parley, unless they are current. Returns 0, or -1 with
 * outcome. */
int pl_functions_apply(pl_session_t *session, const pl_sql_files_t *files, pl_shards_state_t *state,
                       int wait_s, pl_outcome_t *outcome) PL_MUST_USE;

/*
 * Creates the missing shards (if may_create is false, a missing shard is PL_EXIT_BLOCKED), and
 * applies the functions of outdated ones. Updates `state` after each shard. Returns 0, or -1 with
 * outcome.
 */
int pl_shards_apply(pl_session_t *session, const pl_sql_files_t *files, const pl_shard_map_t *map,
                    pl_shards_state_t *state, bool may_create, int wait_s,
                    pl_outcome_t *outcome) PL_MUST_USE;

#endif
