/*
 * Whether who acts exists: a token may be older than its user's end, or minted for an id that
 * nobody has. But where their database is away, does not answer in time or has lost the shard, the
 * token is believed: what is to be done needs another's database first, and that alone.
 *
 * Order: those who wait for one user wait behind each other (user_check.h), have the same time and
 * are armed in their order, so they go on in it.
 */
#ifndef PL_API_ACTOR_CHECK_H
#define PL_API_ACTOR_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "api/context.h"
#include "api/user_check.h"

enum pl_actor {
    PL_ACTOR_BELIEVED,   /* they exist, or it cannot be told */
    PL_ACTOR_NOBODY,     /* they do not */
    PL_ACTOR_OVERLOADED, /* too many wait: nothing is to be done */
};

typedef struct pl_actor_check pl_actor_check_t;

/* Embedded in the object that asks, which lives until on_done. */
struct pl_actor_check {
    /* Set by the caller. on_done may free the object. */
    int64_t user_id;
    void (*on_done)(pl_actor_check_t *check);
    /* The answer. */
    enum pl_actor result;
    /* Its own. */
    pl_api_t *api;
    pl_user_check_t check;
    pl_timer_t timeout;
};

/* True: the answer is there already and on_done will not run. False: on_done will. */
bool pl_actor_check_start(pl_api_t *api, pl_actor_check_t *check) PL_MUST_USE;

/* Answers the request of a caller who is not believed. */
void pl_actor_check_refuse(const pl_actor_check_t *check, pl_request_t *request);

#endif
