/* Builds the deltas of the mailboxes that one committed batch changed, from the data that was
 * written, without reading the database. Any thread may use these functions, each set of deltas on
 * one thread at a time. */
#ifndef PL_PUSH_COMMIT_DELTA_H
#define PL_PUSH_COMMIT_DELTA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "push/wake.h"
#include "store/message_write.h"

typedef struct pl_commit_delta {
    int64_t user_id;
    int64_t previous; /* the mailbox's version before the batch */
    int64_t version;  /* and after it */
    size_t offset;    /* into the text */
    size_t len;       /* 0: the delta must be read from the database */
    size_t messages_count;
} pl_commit_delta_t;

typedef struct pl_commit_deltas {
    size_t count;
    pl_commit_delta_t *items;
    pl_buffer_t text;
} pl_commit_deltas_t;

/* Builds one delta for each mailbox that `writes` concern and for which `is_wanted` returns true. A
 * mailbox with nothing but retries, which changed nothing, also gets an item, without a delta: the
 * result of the first attempt may have been lost, and then it woke no waiter. The caller disposes
 * of `deltas`. */
void pl_commit_deltas_build(pl_commit_deltas_t *deltas, pl_op_t *const *writes, size_t count,
                            bool (*is_wanted)(void *arg, int64_t user_id), void *arg);

/* The same for mailboxes whose changes must be read from the database: items without deltas. */
void pl_commit_deltas_from_wakes(pl_commit_deltas_t *deltas, const pl_mailbox_wake_t *wakes,
                                 size_t count, bool (*is_wanted)(void *arg, int64_t user_id),
                                 void *arg);

/* Fills `wake_r` from the item at `index`. Its delta is valid as long as `deltas`. */
void pl_commit_deltas_get(const pl_commit_deltas_t *deltas, size_t index, pl_wake_t *wake_r);

void pl_commit_deltas_dispose(pl_commit_deltas_t *deltas);

#endif
