/*
 * A database's functions and its shards: the schema parley, whose functions are one set, and the
 * schemas shard_NNNN, each created and given its functions in one transaction.
 *
 * parley.function_set has a row per schema with the checksum of the set that it was given; a schema
 * whose row is current is left alone. Since the row commits with the functions, an interrupted run
 * is finished by the next.
 */
#ifndef PL_CTL_SHARDS_H
#define PL_CTL_SHARDS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "ctl/outcome.h"
#include "ctl/session.h"
#include "ctl/sql_files.h"
#include "directory/shard_map.h"

/* What a database has of what it should have. */
typedef struct pl_shards_state {
    bool has_functions; /* of parley, and current */
    int total;          /* shards that the map gives to this database */
    int missing;        /* of these: no schema */
    int outdated;       /* of these: a schema, but not the current functions */
    bool *is_missing;   /* by shard, up to the map's number */
    bool *is_outdated;
} pl_shards_state_t;

/* Looks; changes nothing. Returns 0 and a state to be freed, or -1 with outcome. */
int pl_shards_read(pl_session_t *session, const pl_sql_files_t *files, const pl_shard_map_t *map,
                   int database, pl_shards_state_t *state, pl_outcome_t *outcome) PL_MUST_USE;

void pl_shards_state_free(pl_shards_state_t *state);

/* Applies the functions of parley, unless they are current. Returns 0, or -1 with outcome. */
int pl_functions_apply(pl_session_t *session, const pl_sql_files_t *files, pl_shards_state_t *state,
                       int wait_s, pl_outcome_t *outcome) PL_MUST_USE;

/*
 * Creates what is missing (unless may_create is false: then a missing shard is PL_EXIT_BLOCKED) and
 * applies functions where they are outdated. The counts of `state` go down as shards are done.
 * Returns 0, or -1 with outcome.
 */
int pl_shards_apply(pl_session_t *session, const pl_sql_files_t *files, const pl_shard_map_t *map,
                    pl_shards_state_t *state, bool may_create, int wait_s,
                    pl_outcome_t *outcome) PL_MUST_USE;

#endif
