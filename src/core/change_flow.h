/*
 * A change, from the check of the acting user to the follow-ups in other mailboxes: an edit, a
 * receipt, a setting; everything that is no send to a user.
 *
 *   check-actor -> change -> refused, or no follow-ups -------------------> done, complete
 *                  ^  |  \-> follow-ups, in other databases --> all made -> done, complete
 *                  |  |                                \-> not in time --> done, incomplete
 *                  `--' "missing": tried again, for as long as a copy may take, then refused
 *
 * A follow-up may have follow-ups of its own. on_done does not wait for those.
 *
 * Like a send (core/send.h) it does not depend on its caller. Every follow-up that is not made here
 * in time is in the change outbox, and the relay makes it.
 */
#ifndef PL_CORE_CHANGE_FLOW_H
#define PL_CORE_CHANGE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "core/core.h"
#include "core/flow.h"
#include "core/outcome.h"
#include "store/change.h"

typedef struct pl_change_result {
    /* PL_OUTCOME_DONE or PL_OUTCOME_DUPLICATE, or why it was refused or failed. */
    pl_outcome_t outcome;
    /* With its status and detail; dies with the callback. After a failure it has neither. */
    const pl_change_t *change;
    bool is_complete; /* all follow-ups are made too */
} pl_change_result_t;

/* Called once, on the loop, never before pl_change_flow_start returns. */
typedef void (*pl_change_done_fn)(const pl_change_result_t *result, void *owner);

/* The order of a change. Its parts need not outlive the call. */
typedef struct pl_change_order {
    const char *kind;   /* {shard}.change_<kind>; a literal */
    int64_t mailbox_id; /* the mailbox that is changed first */
    int64_t other_id;   /* 0, or the mailbox of the follow-up; for a group's members, the group */
    int64_t actor_id;   /* 0, or the acting user, who is checked before: not needed where the
                         * change is made in the user's own mailbox first */
    pl_buffer_t *argument; /* a JSON object; taken over */
    /* The outcome if mailbox_id has no mailbox: NO_ACTOR for the acting user's own. 0 means
     * CONVERSATION_NOT_FOUND. */
    enum pl_outcome_code no_mailbox;
} pl_change_order_t;

void pl_change_flow_start(pl_core_t *core, const pl_change_order_t *order,
                          pl_change_done_fn on_done, void *owner);

#endif
