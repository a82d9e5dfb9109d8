/* The operations that one lane runs in one transaction, grouped into statements. A batch belongs to
 * its lane and is used on the lane's thread only. */
#ifndef PL_DB_BATCH_H
#define PL_DB_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "db/conn.h"
#include "db/op.h"
#include "db/queue.h"

/* The upper limit of [lanes] batch_size; the arrays of a batch have this size. */
#define PL_BATCH_MAX 512

/* Limits of the summed weights of operations, in rows. One time limit applies to a whole statement,
 * and all results of a batch are in memory at once: 40 MiB for a statement and 160 MiB for a batch
 * if each row has 64 KiB. */
#define PL_STATEMENT_WEIGHT_MAX 640
#define PL_BATCH_WEIGHT_MAX 2560

typedef struct pl_batch_statement {
    const pl_op_kind_t *kind;
    int shard;     /* of the first operation */
    bool is_mixed; /* other operations have other shards */
    size_t count;
    size_t weight;
    pl_op_t *const *ops; /* points into the batch's `grouped` */
} pl_batch_statement_t;

typedef struct pl_batch {
    size_t limit;
    size_t count;
    size_t weight;
    pl_op_t *ops[PL_BATCH_MAX];     /* in the order of submission */
    pl_op_t *leaders[PL_BATCH_MAX]; /* the first operation with the same key, or NULL */
    pl_op_t *grouped[PL_BATCH_MAX]; /* those that run, statement by statement */
    size_t statements_count;
    pl_batch_statement_t statements[PL_BATCH_MAX];
    size_t decoded; /* statements answered so far */
    pl_params_t params;
    pl_buffer_t sql;
} pl_batch_t;

/* An empty batch that takes at most `limit` operations (1 to PL_BATCH_MAX). */
void pl_batch_init(pl_batch_t *batch, size_t limit);

/* Moves operations from the head of `queue` (not empty) into the empty batch and groups them:
 * operations of one kind and shard share statements and keep their order. An operation that is
 * retried alone gets a batch of its own. An operation whose key is already in the batch is in no
 * statement. An operation that would make the batch too heavy stays in the queue. */
void pl_batch_fill(pl_batch_t *batch, pl_queue_t *queue);

/* Sends all statements and the Sync. -1: the connection is broken, and its `on_lost` follows from
 * the loop. */
int pl_batch_send(pl_batch_t *batch, pl_conn_t *conn) __attribute__((warn_unused_result));

/* Gives the result (PGRES_TUPLES_OK) of the next statement to its operations. Returns true if they
 * keep `result`; else the caller clears it. */
bool pl_batch_decode_next(pl_batch_t *batch, PGresult *result);

/* Makes the batch empty; the operations belong to the caller again. */
void pl_batch_clear(pl_batch_t *batch);

#endif
