/*
 * Who waits for which mailbox, and how they learn of a commit.
 *
 * The lane that has committed a batch tells the hub, on its own thread. The hub asks a table of
 * counters, indexed by a hash of the user, whether anyone may be waiting: a send to a user whom
 * nobody watches costs one load. Otherwise it builds the mailbox's delta once, from what was just
 * written, and posts it to the loops, each of which wakes its own waiters. A waiter registers
 * before it reads, so whatever commits after its read wakes it.
 *
 * A wake-up is a hint. What is lost (another server wrote, a batch whose answer was lost) is found
 * by the followers' own check of the version every heartbeat.
 *
 * Ephemeral events (typing) go the same way, to those of a user's waiters that take them: told
 * once, stored nowhere, and lost where they cannot be told now.
 */
#ifndef PL_PUSH_HUB_H
#define PL_PUSH_HUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/loop.h"
#include "store/message_write.h"

typedef struct pl_hub pl_hub_t;
typedef struct pl_hub_local pl_hub_local_t;
typedef struct pl_waiter pl_waiter_t;

/* A mailbox has changed. Valid during the call. */
typedef struct pl_wake {
    int64_t user_id;
    int64_t previous; /* the version before */
    int64_t version;  /* the version now */
    /* The Delta from `previous` to `version` as JSON; NULL when it has to be read. */
    const char *delta;
    size_t delta_len;
    size_t messages_count;
} pl_wake_t;

/* An ephemeral event: it is told once and stored nowhere. */
typedef struct pl_event {
    const char *name; /* its `type`; a literal */
    const char *json; /* an object */
    size_t len;
} pl_event_t;

/* On the waiter's loop. They may remove their waiter and others. */
typedef struct pl_waiter_callbacks {
    void (*on_wake)(pl_waiter_t *waiter, const pl_wake_t *wake);
    /* The event that pl_hub_tell was given, valid during the call. */
    void (*on_event)(pl_waiter_t *waiter, const pl_event_t *event);
} pl_waiter_callbacks_t;

/* Embedded in its owner; zeroed but for the callbacks before it is added. */
struct pl_waiter {
    h2o_linklist_t link;
    int64_t user_id;
    const pl_waiter_callbacks_t *callbacks;
};

/* One for the process, with a part for each loop. `max_waiters` bounds the process,
 * `max_waiters_per_user` one user on one loop (SIZE_MAX: no bound of its own). Lives as long as the
 * process. */
pl_hub_t *pl_hub_create(pl_loop_t *const *loops, size_t loops_count, size_t max_waiters,
                        size_t max_waiters_per_user);

/* What the lanes report commits to. */
pl_commit_listener_t *pl_hub_listener(pl_hub_t *hub);

pl_hub_local_t *pl_hub_local(pl_hub_t *hub, const pl_loop_t *loop);
pl_loop_t *pl_hub_local_loop(const pl_hub_local_t *local);
pl_hub_t *pl_hub_of(const pl_hub_local_t *local);

/* Hands an event to all waiters of user_id, on their loops, never before this returns. Its JSON is
 * copied. It costs one load where nobody waits. From any thread. */
void pl_hub_tell(pl_hub_t *hub, int64_t user_id, const pl_event_t *event);

/* False: nobody waits for user_id, and an event need not be made. True: somebody may. From any
 * thread. */
bool pl_hub_is_awaited(const pl_hub_t *hub, int64_t user_id);

/* Registers a waiter for user_id. -1: too many wait. On the loop's thread, as all below. */
int pl_hub_add(pl_hub_local_t *local, pl_waiter_t *waiter, int64_t user_id)
    __attribute__((warn_unused_result));

/* Does nothing to a waiter that is not registered. */
void pl_hub_remove(pl_hub_local_t *local, pl_waiter_t *waiter);

/* Waiters registered in the process. From any thread. */
size_t pl_hub_waiters(const pl_hub_t *hub);

#endif
