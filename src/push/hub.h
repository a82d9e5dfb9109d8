/*
 * The hub knows the waiters of each mailbox and wakes them after a commit. A waiter is the
 * registration of one follower (push/follower.h).
 *
 * When a lane has committed a batch, the hub's listener is called on the lane's thread
 * (pl_commit_listener_t in store/message_write.h). The hub has a table of counters, indexed by a
 * hash of the user, which says whether the mailbox may have a waiter: a send to a mailbox without
 * waiters costs one load. If there may be one, the hub builds the mailbox's delta once, from the
 * data that was just written, and posts it to all loops; each loop wakes its own waiters. A waiter
 * registers before it reads, so every commit after its read wakes it.
 *
 * A wake-up is a hint. It can be missing (another server wrote, or the result of the commit was
 * lost); then the follower's version check at the next heartbeat finds the change.
 *
 * Ephemeral events (typing) take the same path to the user's waiters. They are sent once and stored
 * nowhere; a waiter that cannot take an event now misses it.
 */
#ifndef PL_PUSH_HUB_H
#define PL_PUSH_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/loop.h"
#include "push/wake.h"
#include "store/message_write.h"

typedef struct pl_hub pl_hub_t;
typedef struct pl_hub_local pl_hub_local_t;
typedef struct pl_waiter pl_waiter_t;

/* Called on the waiter's loop. A callback may remove its own waiter and others of the same loop,
 * and add waiters. */
typedef struct pl_waiter_callbacks {
    void (*on_wake)(pl_waiter_t *waiter, const pl_wake_t *wake);
    /* A copy of the event that was given to pl_hub_send_event, valid during the call. */
    void (*on_event)(pl_waiter_t *waiter, const pl_event_t *event);
    /* Sessions of the user have ended: perhaps the waiter's. May be NULL. */
    void (*on_recheck)(pl_waiter_t *waiter);
} pl_waiter_callbacks_t;

/* Embed it in its owner; zero it and set the callbacks before it is added. */
struct pl_waiter {
    h2o_linklist_t link;
    int64_t user_id;
    const pl_waiter_callbacks_t *callbacks;
};

/* Creates a hub for the process, with a hub-local for each loop. `max_waiters` limits the waiters
 * of the process, `max_waiters_per_user` those of one user on one loop (SIZE_MAX: no such limit).
 * Lives as long as the process. */
pl_hub_t *pl_hub_create(pl_loop_t *const *loops, size_t loops_count, size_t max_waiters,
                        size_t max_waiters_per_user);

/* The listener to which the lanes report their commits, each on its own thread. */
pl_commit_listener_t *pl_hub_listener(pl_hub_t *hub);

/* The hub-local of a loop: its waiters. And back: its loop, its hub. From any thread. */
pl_hub_local_t *pl_hub_local(pl_hub_t *hub, const pl_loop_t *loop);
pl_loop_t *pl_hub_local_loop(const pl_hub_local_t *local);
pl_hub_t *pl_hub_local_hub(const pl_hub_local_t *local);

/* Sends an event to all waiters of user_id, on their loops; no on_event comes before this returns.
 * Its JSON is copied. Costs one load if there is no waiter. From any thread. */
void pl_hub_send_event(pl_hub_t *hub, int64_t user_id, const pl_event_t *event);

/* Calls on_recheck of all waiters of user_id, on their loops; not before this returns. Costs one
 * load if there is no waiter. From any thread. */
void pl_hub_recheck(pl_hub_t *hub, int64_t user_id);

/* False: user_id has no waiter, so the caller need not build an event. True: there may be a waiter.
 * From any thread. */
bool pl_hub_may_have_waiter(const pl_hub_t *hub, int64_t user_id);

/* Registers a waiter for user_id. -1: there are too many waiters. On the loop's own thread
 * (asserted). */
int pl_hub_add(pl_hub_local_t *local, pl_waiter_t *waiter, int64_t user_id)
    __attribute__((warn_unused_result));

/* Removes a waiter from the hub-local to which it was added. Does nothing if it is not registered.
 * On the loop's own thread (asserted). */
void pl_hub_remove(pl_hub_local_t *local, pl_waiter_t *waiter);

/* The number of waiters registered in the process. From any thread. */
size_t pl_hub_waiters(const pl_hub_t *hub);

#endif
