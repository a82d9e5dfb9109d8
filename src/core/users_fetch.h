/*
 * fetchUsers by ids: the public data of many users.
 *
 * Each database that has some of them is read once, all at the same time. The rows are used for the
 * answer and not kept, so every later read shows a change, on every server.
 */
#ifndef PL_CORE_USERS_FETCH_H
#define PL_CORE_USERS_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "core/flow.h"
#include "store/account.h"

typedef struct pl_users_result {
    pl_outcome_t outcome;
    /* With PL_OUTCOME_DONE: the users who exist or are erased, in the order asked. They die with
     * the callback. */
    size_t count;
    pl_user_t users[PL_USERS_READ_MAX];
} pl_users_result_t;

/* Called once, on the loop, never before pl_users_fetch_start returns. */
typedef void (*pl_users_done_fn)(const pl_users_result_t *result, void *owner);

/* At most PL_USERS_READ_MAX ids, each once; they are copied, and may be of unknown shards. The
 * reads take the turn of `caller_id`. The flow lives until the callback; it may be abandoned. */
pl_flow_t *pl_users_fetch_start(pl_core_t *core, int64_t caller_id, const int64_t *user_ids,
                                size_t count, pl_users_done_fn on_done, void *owner);

#endif
