/*
 * Changes of mailboxes that are no sends: edits and deletions, reactions, receipts, settings.
 *
 * What a change does is a function of its kind in the mailbox's shard, which takes an argument and
 * answers with a status and a detail, both JSON. What it owes to another mailbox is done in the
 * same transaction where that is in the same database (the companion), and else is left in the
 * change outbox: whoever finds it there makes the change there too, and then settles the row. Many
 * changes are one call of parley.write_changes (sql/write_changes.sql), in one transaction.
 */
#ifndef PL_STORE_CHANGE_H
#define PL_STORE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"
#include "store/message_write.h"

/* A row of the change outbox. */
typedef struct pl_owed_change {
    int64_t mailbox_id; /* these three are its key: whose change owes it, */
    int64_t version;    /* that change's version, */
    int64_t ordinal;    /* and the place among what it owes */
    int64_t target_id;  /* the mailbox that it is owed to */
    char *kind;
    char *argument;
} pl_owed_change_t;

typedef struct pl_change {
    pl_op_t op; /* by pl_change_init */

    int64_t mailbox_id;
    int64_t companion_id; /* 0: none */
    const char *kind;     /* {shard}.change_<kind> */
    const char *argument; /* a JSON object; ids in it are strings */
    size_t argument_len;

    /* The answer; freed by pl_change_dispose. */
    char status[32]; /* "done", "missing" (it cannot be made yet), or why it is refused */
    char *detail;    /* a JSON object */
    size_t detail_len;
    pl_owed_change_t *owed;
    size_t owed_count;

    /* The batch's own, in its first operation. */
    pl_mailbox_wake_t *wakes;
    size_t wakes_count;
} pl_change_t;

/* Sets what the operation needs besides its deadline and `on_done`: by its argument, in which are
 * content and the ids of the mailboxes that it changes, what it may cost. For the change lane of
 * its mailbox. */
void pl_change_init(pl_change_t *change);

void pl_change_dispose(pl_change_t *change);

bool pl_change_is(const pl_change_t *change, const char *status);

extern const pl_op_kind_t pl_change_kind;

#endif
