/*
 * Writes receipts, at most once a second for each conversation of a user. A client that reads
 * quickly causes one write and not one for each message. The same holds for a user's cursors, which
 * tell what was delivered.
 *
 * If there was no write in the last second, a receipt is written at once. Else it waits until the
 * second is over, and all waiting receipts are one write of the highest watermark. A receipt is
 * done when its write has committed, so that the client's next read shows it.
 *
 * One loop of the process, chosen by a hash, handles all receipts of a conversation, or all cursors
 * of a user. The other loops post theirs to it. So the limit holds whichever worker gets the
 * requests, without a lock.
 */
#ifndef PL_CORE_RECEIPT_WRITER_H
#define PL_CORE_RECEIPT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "core/outcome.h"

/* At most one write in this time. */
#define PL_RECEIPT_INTERVAL_MS 1000

typedef struct pl_receipt_writer pl_receipt_writer_t;
typedef struct pl_receipt pl_receipt_t;

/* Embedded in its owner, which lives until `on_done`. */
struct pl_receipt {
    int64_t user_id;
    int64_t peer_id;
    int64_t read_up_to; /* a message, or 0 */
    int64_t delivered_up_to;
    /* Called once, on the loop that submitted it, and never before pl_receipt_writer_submit
     * returns. */
    void (*on_done)(pl_receipt_t *receipt);

    /* Valid in on_done. */
    pl_outcome_t outcome;

    /* The writer's own. */
    pl_task_t task;
    h2o_linklist_t link;
    struct pl_receipt_turns *turns;
    pl_loop_t *home;
};

/* One for the process. Lives as long as it; never NULL. */
pl_receipt_writer_t *pl_receipt_writer_create(pl_loop_t *const *loops, size_t loops_count);

/* Registers the counters; once, before any receipt. */
void pl_receipt_writer_metrics_init(void);

/* Makes the loop handle its part from now on. On the loop's thread, once. */
void pl_receipt_writer_join(pl_receipt_writer_t *writer, pl_core_t *core);

/* On any loop's thread. */
void pl_receipt_writer_submit(pl_receipt_writer_t *writer, pl_receipt_t *receipt);

/* A client of the user has received everything up to `version`. Best effort: if it cannot be
 * written it is dropped, because the client's next cursor repeats it. A known version costs one
 * look-up in a table. On any loop's thread. */
void pl_receipt_writer_note_cursor(pl_receipt_writer_t *writer, int64_t user_id, int64_t version);

#endif
