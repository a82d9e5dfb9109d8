/*
 * fetchPresence and announcePresence.
 *
 * The databases are asked with which users the caller has a conversation, once for the whole list,
 * and which of those show their presence. Who is online is in memory (push/presence.h).
 */
#ifndef PL_CORE_PRESENCE_H
#define PL_CORE_PRESENCE_H

#include "base/buffer.h"
#include "core/flow.h"
#include "push/presence.h"
#include "store/conversation.h"

/* The members of a Presence of the contract. */
void pl_presence_members_to_json(pl_buffer_t *out, int64_t user_id,
                                 const pl_presence_state_t *state);

typedef struct pl_presence_result {
    pl_outcome_t outcome;
    /* Users whom the caller may see. A user whom the caller may not see is left out, like one who
     * does not exist. */
    size_t count;
    int64_t user_ids[PL_CONVERSATIONS_CHECK_MAX];
    pl_presence_state_t states[PL_CONVERSATIONS_CHECK_MAX];
} pl_presence_result_t;

/* Called once, on the loop, never before the call returns that started it. */
typedef void (*pl_presence_done_fn)(const pl_presence_result_t *result, void *owner);

/* The flow lives until the callback; it may be abandoned. At most PL_CONVERSATIONS_CHECK_MAX. */
pl_flow_t *pl_presence_fetch_start(pl_core_t *core, int64_t user_id, const int64_t *user_ids,
                                   size_t count, pl_presence_done_fn on_done, void *owner);

/* The user is online. The result has no users. */
void pl_presence_announce_start(pl_core_t *core, int64_t user_id, pl_presence_done_fn on_done,
                                void *owner);

#endif
