/*
 * Whether a user exists: from what this loop knows, else by a read that all who ask meanwhile
 * share: on the check lane, and of the shard itself where that finds nobody.
 *
 * Order: those who wait for one id are answered in the order in which they asked, and one who asks
 * while others still wait for that id waits behind them even if the answer is known by now. So a
 * send that has to wait for its users is not overtaken by a later one between the same two.
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

/* Embedded in the object that asks, which lives until on_done. */
struct pl_user_check {
    /* Set by the caller. on_done may free the object and may start other checks. */
    int64_t user_id;
    void (*on_done)(pl_user_check_t *check);
    /* Rather no answer than a late one: PL_ERROR_UNAVAILABLE at once where the user is not known
     * and the database cannot be asked now. */
    bool must_not_wait;
    /* The answer: PL_OK and whether the user exists, or why that cannot be told. */
    enum pl_error_code error;
    bool exists;
    /* Its own. */
    h2o_linklist_t link;
};

/* For one loop. `known` outlives it. More than `max_waiting` who wait are refused:
 * PL_ERROR_OVERLOADED. Never NULL. */
pl_user_checks_t *pl_user_checks_create(const pl_cluster_t *cluster, pl_known_users_t *known,
                                        int64_t deadline_s, size_t max_waiting);
/* When nobody waits. */
void pl_user_checks_destroy(pl_user_checks_t **checks);

/* True: the answer is there already and on_done will not run. False: on_done will. */
bool pl_user_check_start(pl_user_checks_t *checks, pl_user_check_t *check) PL_MUST_USE;

/* Takes back one whose answer is awaited: on_done will not run. */
void pl_user_check_cancel(pl_user_checks_t *checks, pl_user_check_t *check);

#endif
