/*
 * Checks that the acting user exists: a token may be older than the erasure of its user, or minted
 * for an id that no user has. If the user's database is unreachable, does not answer in time or no
 * longer has the shard, the token is accepted: the operation needs the database of another mailbox
 * first, and only that one.
 *
 * Order: the checks of one user wait behind each other (user_check.h). They have equal timeouts,
 * armed in the order of their start, so they end in that order.
 */
#ifndef PL_CORE_ACTOR_CHECK_H
#define PL_CORE_ACTOR_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/core.h"
#include "core/user_check.h"

enum pl_actor {
    PL_ACTOR_ACCEPTED,   /* the user exists, or the database cannot be asked now */
    PL_ACTOR_UNKNOWN,    /* there is no such user */
    PL_ACTOR_OVERLOADED, /* too many checks wait: the operation is refused */
};

typedef struct pl_actor_check pl_actor_check_t;

/* Embedded, zeroed, in an object that lives until on_done. */
struct pl_actor_check {
    /* Set by the caller. on_done may free the object. */
    int64_t user_id;
    void (*on_done)(pl_actor_check_t *check);
    /* The answer. */
    enum pl_actor result;
    /* Its own. */
    pl_core_t *core;
    pl_user_check_t check;
    pl_timer_t timeout;
};

/* True: the result is there already and on_done will not run. False: on_done will. */
bool pl_actor_check_start(pl_core_t *core, pl_actor_check_t *check) PL_MUST_USE;

#endif
