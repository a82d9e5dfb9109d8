/*
 * A lane: one database connection of one loop, with its queue.
 *
 * An idle lane sends its queue at the end of the loop's turn; a busy lane collects operations. So
 * batches grow with the load, and a request to an idle lane does not wait for others. A batch is
 * one transaction:
 *
 *   queued --batch built--> in flight --committed--> done
 *     ^                        |--failed--> queued; each is retried alone, in the same order
 *     +----------- connection lost: outcome unknown, sent again (every operation is idempotent)
 *
 * The results of a batch are handed out for a few milliseconds at a time, and others get the loop
 * in between. The next batch is sent when all are handed out.
 *
 * Before the first batch on a new connection the lane checks that commits there are durable,
 * because the address may lead to another server now. If they are not durable, the lane works only
 * if the configuration allows it.
 *
 * If an operation fails that is alone in its batch, it ends with an error. If the cause may pass
 * (deadlock, a server that shuts down or is read-only, lack of resources), it is tried again until
 * its deadline. If its statement reaches the time limit, it ends with PL_ERROR_DEADLINE, because it
 * would take as long again and delay the others.
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
    bool takes_turns;          /* users take turns (db/queue.h); else first come, first served */
    uint64_t batch_timeout_ms; /* the connection is closed if no answer comes within this time */
    bool allow_data_loss_on_crash;
    void *context; /* passed to the on_committed of the operations' kinds */
} pl_lane_settings_t;

/* Creates a lane that `loop` will run. The settings' strings are copied. Never NULL; it lives as
 * long as the process. From any thread. */
pl_lane_t *pl_lane_create(pl_loop_t *loop, const pl_lane_settings_t *settings);

/* Starts to connect. On the thread of the lane's loop, once. */
void pl_lane_start(pl_lane_t *lane);

/* Queues an operation; the lane owns it until on_done. Returns -1 if the queue is full: then the
 * caller still owns it and no callback comes. Operations that one thread submits run in the order
 * of submission, those of one user if the lane takes turns. From the thread of any running loop. */
int pl_lane_submit(pl_lane_t *lane, pl_op_t *op) __attribute__((warn_unused_result));

/* Ends an operation that pl_lane_submit did not take: on_done is called with PL_ERROR_OVERLOADED,
 * from the calling thread's loop and after this function returns. From the thread of any running
 * loop. */
void pl_op_end_overloaded(pl_op_t *op);

/* True if the lane has a working connection. From any thread. */
bool pl_lane_is_connected(const pl_lane_t *lane);

/* The number of operations that are queued or in flight. From any thread. */
size_t pl_lane_length(const pl_lane_t *lane);

/* The loop that runs the lane. From any thread. */
pl_loop_t *pl_lane_loop(const pl_lane_t *lane);

#endif
