/*
 * A lane: one connection of one loop, with its queue.
 *
 * An idle lane sends at the end of the loop's turn what has come in it; a busy lane collects. So
 * batches grow with the load and a lone request never waits. A batch is one transaction:
 *
 *   queued --batch built--> in flight --committed--> done
 *     ^                        |--failed--> queued, alone (each by itself, in the old order)
 *     +----------- connection lost: outcome unknown, sent again (every operation is idempotent)
 *
 * Before its first batch on a new connection a lane asks whether commits there are durable; where
 * they are not, it works only if the configuration says so. A server may become another behind the
 * same address.
 *
 * An operation that fails alone is done with an error; one that could succeed later (deadlock, a
 * server that shuts down or is read-only, a time limit) is tried again until its deadline.
 */
#ifndef PL_DB_LANE_H
#define PL_DB_LANE_H

#include <stdbool.h>
#include <stddef.h>

#include "db/op.h"
#include "loop/loop.h"

typedef struct pl_lane_settings {
    const char *name; /* for logs and metrics: "a/write/0" */
    const char *dsn;
    size_t batch_size;         /* operations */
    size_t queue_size;         /* operations */
    uint64_t batch_timeout_ms; /* without an answer for so long the connection is given up */
    bool allow_data_loss_on_crash;
    void *context; /* for on_committed */
} pl_lane_settings_t;

/* A lane that `loop` will run. From any thread; the settings' strings are copied. Never NULL. */
pl_lane_t *pl_lane_create(pl_loop_t *loop, const pl_lane_settings_t *settings);

/* Connects. On the lane's loop, once. */
void pl_lane_start(pl_lane_t *lane);

/* Queues an operation, from any loop's thread. -1: the queue is full and the operation is not
 * taken. Operations that one thread submits run in that order. */
int pl_lane_submit(pl_lane_t *lane, pl_op_t *op) __attribute__((warn_unused_result));

/* Ends an operation that no lane took, with PL_ERROR_OVERLOADED: calls its on_done from the calling
 * thread's loop. For callers whose own contract allows no callback at once. */
void pl_op_refuse(pl_op_t *op);

/* Whether the lane has a working connection. From any thread. */
bool pl_lane_is_connected(const pl_lane_t *lane);

/* Operations queued or in flight. From any thread. */
size_t pl_lane_length(const pl_lane_t *lane);

/* The loop that runs it. */
pl_loop_t *pl_lane_loop(const pl_lane_t *lane);

#endif
