/*
 * sendTyping: sends an event to the open streams of the other users of a conversation: the user is
 * typing, or has stopped.
 *
 *   check-user --> a 1:1: check-peer -> blocks -> sent
 *        \-------> a group: members -> sent
 *
 * Nothing is stored. The call ends early if the others have no open stream, or if an event was sent
 * less than a second ago. It checks that both users exist, and, if there is a stream, reads one row
 * of the peer's mailbox: a user gets no events of a user whom they have blocked. The event says
 * when it expires, so a client that stops typing, or leaves, need not send anything.
 */
#ifndef PL_CORE_TYPING_H
#define PL_CORE_TYPING_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "core/outcome.h"

/* Called once, on the loop, never before pl_typing_start returns. */
typedef void (*pl_typing_done_fn)(const pl_outcome_t *outcome, void *owner);

typedef struct pl_typing_order {
    int64_t user_id;
    int64_t peer_id; /* a user, or a group */
    bool is_stopped; /* the user has stopped before the last event expires */
} pl_typing_order_t;

void pl_typing_start(pl_core_t *core, const pl_typing_order_t *order, pl_typing_done_fn on_done,
                     void *owner);

/* Called by pl_core_metrics_init. */
void pl_typing_metrics_init(void);

#endif
