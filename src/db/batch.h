/* The operations that one lane runs in one transaction, grouped into statements. */
#ifndef PL_DB_BATCH_H
#define PL_DB_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "db/conn.h"
#include "db/op.h"

/* The most that configuration may ask for; a lane's arrays have this size. */
#define PL_BATCH_MAX 512

/* Weights of operations, in rows. All of a statement have one time limit, and a batch's results are
 * in memory at once: of rows with 64 KiB each 40 MiB and 160 MiB. */
#define PL_STATEMENT_WEIGHT_MAX 640
#define PL_BATCH_WEIGHT_MAX 2560

typedef struct pl_batch_statement {
    const pl_op_kind_t *kind;
    int shard;     /* of the first operation */
    bool is_mixed; /* there are others of other shards */
    size_t count;
    size_t weight;
    pl_op_t *const *ops; /* into the batch's `grouped` */
} pl_batch_statement_t;

typedef struct pl_batch {
    size_t limit;
    size_t count;
    size_t weight;
    pl_op_t *ops[PL_BATCH_MAX];     /* in the order of submission */
    pl_op_t *leaders[PL_BATCH_MAX]; /* the one with the same key that stands for it, or NULL */
    pl_op_t *grouped[PL_BATCH_MAX]; /* the same, statement by statement */
    size_t statements_count;
    pl_batch_statement_t statements[PL_BATCH_MAX];
    size_t decoded; /* statements answered so far */
    pl_params_t params;
    pl_buffer_t sql;
} pl_batch_t;

/* An empty batch that takes at most `limit` operations (1 to PL_BATCH_MAX). */
void pl_batch_init(pl_batch_t *batch, size_t limit);

/* Moves operations from the head of `queue` (not empty) into the empty batch and groups them:
 * operations of one kind and shard share statements and keep their order. One that must run alone
 * is a batch of its own, and one whose key is in the batch is in no statement. One that would make
 * the batch too heavy waits for the next. */
void pl_batch_fill(pl_batch_t *batch, h2o_linklist_t *queue);

/* Sends all statements and the Sync. -1 as for pl_conn_query. */
int pl_batch_send(pl_batch_t *batch, pl_conn_t *conn) __attribute__((warn_unused_result));

/* Gives the next statement's result to its operations. Returns true when they have kept it. */
bool pl_batch_decode_next(pl_batch_t *batch, PGresult *result);

/* Forgets the operations. */
void pl_batch_clear(pl_batch_t *batch);

#endif
