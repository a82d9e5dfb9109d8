/* The deltas of the mailboxes that one committed batch has changed, built from what was written. */
#ifndef PL_PUSH_COMMIT_DELTA_H
#define PL_PUSH_COMMIT_DELTA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "push/hub.h"

typedef struct pl_commit_delta {
    int64_t user_id;
    int64_t previous;
    int64_t version;
    size_t offset; /* into the text */
    size_t len;    /* 0: it has to be read */
    size_t messages_count;
} pl_commit_delta_t;

typedef struct pl_commit_deltas {
    size_t count;
    pl_commit_delta_t *items;
    pl_buffer_t text;
} pl_commit_deltas_t;

/* For each mailbox that `writes` have touched and for which `is_wanted` is true. A retry that
 * changed nothing is told too, without a delta: the commit that it repeats may have been one whose
 * answer was lost. */
void pl_commit_deltas_build(pl_commit_deltas_t *deltas, pl_op_t *const *writes, size_t count,
                            bool (*is_wanted)(void *arg, int64_t user_id), void *arg);

/* The same of mailboxes whose changes have to be read. */
void pl_commit_deltas_from_wakes(pl_commit_deltas_t *deltas, const pl_mailbox_wake_t *wakes,
                                 size_t count, bool (*is_wanted)(void *arg, int64_t user_id),
                                 void *arg);

void pl_commit_deltas_get(const pl_commit_deltas_t *deltas, size_t index, pl_wake_t *wake_r);

void pl_commit_deltas_dispose(pl_commit_deltas_t *deltas);

#endif
