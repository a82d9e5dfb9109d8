/*
 * An operation: one request's wish to the database, run with others of its kind in one statement.
 *
 * It is embedded in an object that the caller owns, and that lives until `on_done`: never in a
 * request's pool, since a request may vanish at any moment. Everything that it points to lives as
 * long.
 */
#ifndef PL_DB_OP_H
#define PL_DB_OP_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "db/params.h"
#include "loop/loop.h"

typedef struct pl_op pl_op_t;
typedef struct pl_lane pl_lane_t;

/* What operations of one kind have in common. */
typedef struct pl_op_kind {
    const char *name; /* for logs and metrics */
    /* The statement: `sql`, or for what lives in a shard's schema: `sql`, the schema's name,
     * `sql_tail`. */
    const char *sql;
    const char *sql_tail;
    /* With `sql_tail`: the statement that serves operations of several shards, or NULL. */
    const char *sql_shards;
    /* The most operations that one statement carries; 1 for a statement with scalars. */
    size_t max_ops;
    /* A batch has one statement of this kind, for it takes all its locks in one order. */
    bool is_lone;
    void (*encode)(pl_params_t *params, pl_op_t *const *ops, size_t count);
    /* Gives each operation its part of the answer, on the lane's thread. `result` is
     * PGRES_TUPLES_OK. Returns true when it has kept `result` (then it clears it). The transaction
     * may still fail, and this be called again. */
    bool (*decode)(PGresult *result, pl_op_t *const *ops, size_t count);
    /* Once the statement's transaction has committed, before any on_done; on the lane's thread. May
     * be NULL. */
    void (*on_committed)(void *context, pl_op_t *const *ops, size_t count);
    /* With keys: gives `op` the result that it has after `leader`, of the same key, was committed
     * just before it. False: that cannot be told, or only the hashes are equal; then it is run. */
    bool (*adopt)(pl_op_t *op, const pl_op_t *leader);
} pl_op_kind_t;

struct pl_op {
    /* Set by the caller. */
    const pl_op_kind_t *kind;
    int shard;            /* whose schema is meant, where the statement names one */
    uint64_t deadline_ms; /* on the monotonic clock: after it the operation ends with an error */
    /* What it may cost the database, in rows looked at: a statement takes no second operation that
     * makes it heavier than PL_STATEMENT_WEIGHT_MAX, a batch than PL_BATCH_WEIGHT_MAX. */
    size_t weight;
    /* 0, or a hash of what the operation is about: in a batch one stands for the others of its key,
     * which are given its result by the kind's `adopt`. */
    uint64_t key;
    /* Called once, on the loop that submitted it, never from inside pl_lane_submit. */
    void (*on_done)(pl_op_t *op);
    void *owner; /* for on_done; may be NULL */
    /* Set by the owner on the submitting loop when nobody waits any more: an operation not yet sent
     * is then ended with PL_ERROR_DEADLINE. Only for lanes of that same loop. */
    bool abandoned;

    /* Valid in on_done: PL_OK, or
     * PL_ERROR_UNAVAILABLE: it was not done, nobody could be reached in time;
     * PL_ERROR_OUTCOME_UNKNOWN: it may or may not have been done;
     * PL_ERROR_DEADLINE: it was not done, it waited too long in the queue;
     * PL_ERROR_SQL: the database refused it, see sqlstate. */
    enum pl_error_code error;
    char sqlstate[6];

    /* The lane's own. */
    pl_task_t task;
    h2o_linklist_t link;
    pl_lane_t *lane;
    pl_loop_t *home;
    bool alone;              /* its batch failed: it is run again by itself */
    bool is_outcome_unknown; /* the connection was lost with it in flight */
};

#endif
