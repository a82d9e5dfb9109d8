/*
 * The operations that wait in a lane.
 *
 * A plain queue gives them out in the order in which they came. A queue that takes turns keeps one
 * queue for each user (pl_op_t.user_id) and gives out one operation of each in turn, so a user with
 * a hundred operations delays another by one. One batch takes at most PL_BATCH_USER_WEIGHT_MAX from
 * one user, but one operation in any case: a batch is over before the next begins, so it must not
 * be long because of one user.
 *
 *     turns: users of whom the batch may take more; the first is next
 *     rested: users of whom the batch has taken enough; the next batch begins with the others
 *
 * A user is there only while operations of theirs wait. All functions are for the lane's thread.
 */
#ifndef PL_DB_QUEUE_H
#define PL_DB_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "db/op.h"

/* Of the summed weights of one user's operations in one batch, in rows. */
#define PL_BATCH_USER_WEIGHT_MAX 320

typedef struct pl_queue_user pl_queue_user_t;

#define PL_QUEUE_BUCKETS 256

typedef struct pl_queue {
    bool takes_turns;
    h2o_linklist_t again; /* before all others, in their order */
    h2o_linklist_t turns;
    h2o_linklist_t rested;
    uint64_t batch;          /* the number of the batch that is being filled */
    pl_queue_user_t *unused; /* kept for the next users; a list by `next` */
    pl_queue_user_t *buckets[PL_QUEUE_BUCKETS];
} pl_queue_t;

void pl_queue_init(pl_queue_t *queue, bool takes_turns);
/* Frees the queue's own memory. The operations that are left in it belong to their owners. */
void pl_queue_dispose(pl_queue_t *queue);

bool pl_queue_is_empty(pl_queue_t *queue);

void pl_queue_add(pl_queue_t *queue, pl_op_t *op);
/* Before all that is there. */
void pl_queue_add_first(pl_queue_t *queue, pl_op_t *op);

/* A batch begins: no user has taken anything of it yet. */
void pl_queue_begin_batch(pl_queue_t *queue);
/* The operation that is next; NULL: there is none, or the batch has enough of each user. */
pl_op_t *pl_queue_first(pl_queue_t *queue);
/* Takes the operation that pl_queue_first returns, which is not NULL. `weight`: what it costs the
 * batch, which is less than its own weight if another operation has the same result. */
void pl_queue_take(pl_queue_t *queue, size_t weight);

/* Moves the operations that are past their deadline, or abandoned, to the end of `expired`. */
void pl_queue_take_expired(pl_queue_t *queue, uint64_t now_ms, h2o_linklist_t *expired);

#endif
