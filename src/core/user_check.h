/*
 * Checks that a user exists: in the loop's set of known users, else by a read that all checks of
 * the same user share. The read goes to the check lane; if that does not find the user, the shard
 * itself is asked.
 *
 * Order: checks of one id are answered in the order of their start. A check that starts while
 * others of that id still wait queues behind them, even if the answer is known by now. So a send
 * that waits for its users is not overtaken by a later send between the same two users.
 */
#ifndef PL_CORE_USER_CHECK_H
#define PL_CORE_USER_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "core/known_users.h"
#include "db/cluster.h"
#include "loop/loop.h"

typedef struct pl_user_checks pl_user_checks_t;
typedef struct pl_user_check pl_user_check_t;

/* Embedded, zeroed, in an object that lives until on_done. */
struct pl_user_check {
    /* Set by the caller. on_done may free the object and may start other checks. */
    int64_t user_id;
    void (*on_done)(pl_user_check_t *check);
    /* Ends at once with PL_ERROR_UNAVAILABLE if the user is not known and the lane has no
     * connection. */
    bool must_not_wait;
    /* The result: PL_OK and whether the user exists, or why there is no answer. */
    enum pl_error_code error;
    bool exists;
    /* Its own. */
    h2o_linklist_t link;
};

/* For one loop. `known` outlives it. If `max_waiting` checks wait, a further one that would join a
 * read that is running ends with PL_ERROR_OVERLOADED. A check that starts a read is limited only by
 * the queue of the lane. Never NULL. */
pl_user_checks_t *pl_user_checks_create(const pl_cluster_t *cluster, pl_known_users_t *known,
                                        int64_t deadline_s, size_t max_waiting);
/* Only when no check waits. */
void pl_user_checks_destroy(pl_user_checks_t **checks);

/* True: the result is there already and on_done will not run. False: on_done will run. */
bool pl_user_check_start(pl_user_checks_t *checks, pl_user_check_t *check) PL_MUST_USE;

/* Ends a check that waits; on_done will not run. */
void pl_user_check_cancel(pl_user_checks_t *checks, pl_user_check_t *check);

#endif
