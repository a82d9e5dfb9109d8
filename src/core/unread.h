/*
 * fetchUnread and markAllRead: what is unread in all conversations of a user.
 */
#ifndef PL_CORE_UNREAD_H
#define PL_CORE_UNREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "core/flow.h"
#include "core/outcome.h"

typedef struct pl_unread_totals {
    int64_t conversations_count; /* with unread messages, or marked unread by the user */
    int64_t messages_count;
    bool has_more; /* the user has older conversations, which are not counted */
} pl_unread_totals_t;

/* Called once, on the loop, never before pl_unread_fetch_start returns. `totals` is set with
 * PL_OUTCOME_DONE. */
typedef void (*pl_unread_fetched_fn)(const pl_outcome_t *outcome, const pl_unread_totals_t *totals,
                                     void *owner);

/* The flow may be abandoned until the callback. */
pl_flow_t *pl_unread_fetch_start(pl_core_t *core, int64_t user_id, pl_unread_fetched_fn on_done,
                                 void *owner);

/* Called once, on the loop, never before pl_unread_read_all_start returns. */
typedef void (*pl_unread_done_fn)(const pl_outcome_t *outcome, void *owner);

/* Marks all conversations as read up to what the user's client had at that version, and removes the
 * user's own marks. It writes slice by slice, each in a transaction, and ends after the last: after
 * PL_OUTCOME_DONE every read shows it. If it fails in between, some conversations are read and
 * others are not; the same call again continues with the rest. */
void pl_unread_read_all_start(pl_core_t *core, int64_t user_id, int64_t version,
                              pl_unread_done_fn on_done, void *owner);

#endif
