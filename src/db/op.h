/*
 * An operation: one read or write of the database. A lane runs it together with others of its kind
 * in one statement.
 *
 * It is embedded in an object that the caller owns. That object, and everything that it points to,
 * must live until `on_done`. It must not be in a request's pool, because a request may vanish at
 * any moment. From pl_lane_submit to `on_done` the operation belongs to its lane: the caller may
 * change nothing but `abandoned`.
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

/* The statement of one kind of operation, and its functions. Constant data. */
/* Values of pl_op_t.user_id that are no user's. */
#define PL_OP_USER_SERVER (-1)  /* the server's own reads */
#define PL_OP_USER_UNKNOWN (-2) /* look-ups of ids that no user seems to have */

typedef struct pl_op_kind {
    const char *name; /* for logs and metrics */
    /* The statement is `sql`. If it names a shard's schema, it is `sql`, the schema's name and
     * `sql_tail`, one after the other. */
    const char *sql;
    const char *sql_tail; /* NULL: the statement names no schema */
    /* With `sql_tail`: another statement, for operations of several shards together. May be
     * NULL. */
    const char *sql_shards;
    /* How many operations one statement may carry; 1 if its parameters are scalars. */
    size_t max_ops;
    /* A batch has at most one statement of this kind, because one statement takes all its locks in
     * one order and two could deadlock with those of another transaction. */
    bool is_one_statement_per_batch;
    /* Appends the statement's parameters. On the lane's thread. */
    void (*encode)(pl_params_t *params, pl_op_t *const *ops, size_t count);
    /* Gives each operation its part of `result`, which is PGRES_TUPLES_OK. On the lane's thread.
     * Returns true if it keeps `result`; then it must clear it later. The transaction may still
     * fail afterwards, and the same operations may be decoded again. */
    bool (*decode)(PGresult *result, pl_op_t *const *ops, size_t count);
    /* Called after the statement's transaction has committed and before any on_done, on the lane's
     * thread. May be NULL. */
    void (*on_committed)(void *context, pl_op_t *const *ops, size_t count);
    /* Only for operations with keys: sets the result that `op` would have if it ran right after
     * `leader`, which has the same key and has committed. Returns false if that result is not known
     * or if only the hashes are equal; then `op` runs itself. */
    bool (*adopt)(pl_op_t *op, const pl_op_t *leader);
} pl_op_kind_t;

struct pl_op {
    /* Set by the caller. */
    const pl_op_kind_t *kind;
    int shard; /* its schema is named by the statement, if that names one */
    /* The caller may set this, on the submitting loop, when the result is no longer needed. If the
     * operation is still queued, it ends with PL_ERROR_DEADLINE. Only for lanes of that same
     * loop. */
    bool abandoned;
    /* In a lane that takes turns (db/queue.h): whose turn it takes, never 0. Of a check that
     * several users share, the user that it is about. */
    int64_t user_id;
    uint64_t
        deadline_ms; /* on the monotonic clock; an operation still queued then ends with an error */
    /* The number of rows that the database may have to look at. A statement heavier than
     * PL_STATEMENT_WEIGHT_MAX, or a batch heavier than PL_BATCH_WEIGHT_MAX, has one operation. */
    size_t weight;
    /* 0, or a hash that is equal for a request and its retries. In a batch only the first operation
     * of a key runs; the others get their results from it by the kind's `adopt`. */
    uint64_t key;
    /* Called once, on the loop that submitted the operation, never from inside pl_lane_submit. */
    void (*on_done)(pl_op_t *op);
    void *owner; /* for on_done; may be NULL */

    /* Valid in on_done. PL_OK, or
     * PL_ERROR_UNAVAILABLE: not done, there was no connection until the deadline;
     * PL_ERROR_OUTCOME_UNKNOWN: it may or may not have been done;
     * PL_ERROR_DEADLINE: not done, it waited too long in the queue or its statement took too long;
     * PL_ERROR_OVERLOADED: not done, no queue had room (pl_op_end_overloaded);
     * PL_ERROR_SQL: the database refused it, see `sqlstate`. */
    enum pl_error_code error;
    char sqlstate[6];

    /* Private to the lane. */
    pl_task_t task;
    h2o_linklist_t link;
    pl_lane_t *lane;         /* the lane that has it; NULL before and after */
    pl_loop_t *home;         /* the loop that submitted it */
    bool is_retried_alone;   /* its batch failed, so it runs again in a batch of its own */
    bool is_outcome_unknown; /* the connection was lost while it was in flight */
};

#endif
