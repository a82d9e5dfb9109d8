/*
 * Changes: every write to a mailbox except a send to a user. Edits and deletions, reactions,
 * receipts, settings; also a send to a group.
 *
 * A change is made by the function of its kind in the mailbox's shard. The function takes an
 * argument and answers with a status and a detail, both JSON. A change may have follow-ups: changes
 * that other mailboxes still need. A follow-up in the same database (for the companion) is made in
 * the same transaction. Every other follow-up is an entry in the change outbox until it is made;
 * then the entry is settled. Many changes are one call of parley.write_changes
 * (sql/write_changes.sql), in one transaction.
 */
#ifndef PL_STORE_CHANGE_H
#define PL_STORE_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/op.h"
#include "store/message_write.h"

/* A follow-up: an entry of the change outbox. */
typedef struct pl_follow_up {
    /* The entry's key: the mailbox of the change that it follows, that change's version, and the
     * place among the change's follow-ups. */
    int64_t mailbox_id;
    int64_t version;
    int64_t ordinal;
    int64_t target_id; /* the mailbox in which it is to be made */
    char *kind;
    char *argument;
    size_t members_count; /* as in pl_change_t */
} pl_follow_up_t;

typedef struct pl_change {
    pl_op_t op; /* by pl_change_init */

    int64_t mailbox_id;
    int64_t companion_id; /* 0: none */
    const char *kind;     /* {shard}.change_<kind> */
    const char *argument; /* a JSON object; ids in it are strings */
    size_t argument_len;
    size_t members_count; /* of the argument's `members`: other mailboxes that the change is for */

    /* The answer; freed by pl_change_dispose. */
    char status[32]; /* "done", "missing" (it cannot be made yet), or the reason of a refusal */
    char *detail;    /* a JSON object */
    size_t detail_len;
    pl_follow_up_t *follow_ups;
    size_t follow_ups_count;

    /* Of the whole batch, in its first operation. */
    pl_mailbox_wake_t *wakes;
    size_t wakes_count;
} pl_change_t;

/* Sets the operation's members except its deadline and `on_done`. All of the change except the
 * answer is set already: its weight follows from its kind, its argument and its members. For the
 * change lane of its mailbox. */
void pl_change_init(pl_change_t *change);

void pl_change_dispose(pl_change_t *change);

bool pl_change_is(const pl_change_t *change, const char *status);

extern const pl_op_kind_t pl_change_kind;

#endif
