/*
 * The presence of users, as far as this process knows it. A user is online while a stream or a
 * long-poll of theirs is open here, and for [push] presence_timeout after the last sign of life:
 * the last of them closed, or the user announced to be online.
 *
 *     OFFLINE --enter--> OPEN --the last leave--> GRACE --timeout--> OFFLINE
 *     OFFLINE --announce--> GRACE --announce--> GRACE (the time starts again) --enter--> OPEN
 *
 * There is one table for the process, under one lock. A stream or a long-poll takes the lock twice
 * in its life, and each read of a user's presence once, each time for a look-up in memory. Sends
 * never use it, and nothing is stored. The users in GRACE are in a list by their last sign of life,
 * so that one timer finds those whose time is over. The OFFLINE users are in such a list too; the
 * first of them is forgotten when the table is full.
 *
 * Watchers of a user's presence wait in a hub of their own, which is notified when the user comes
 * or goes. The event says only that something changed, and the watcher then reads the state. So the
 * watcher never ends with an old state, in whatever order the events arrive.
 */
#ifndef PL_PUSH_PRESENCE_H
#define PL_PUSH_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "loop/loop.h"
#include "push/hub.h"

typedef struct pl_presence pl_presence_t;

typedef struct pl_presence_state {
    bool is_online;
    int64_t last_seen_us; /* since 1970; the present time while OPEN; 0 if not known */
} pl_presence_state_t;

typedef struct pl_presence_counts {
    size_t online;
    size_t known; /* online users, and offline users that are remembered */
} pl_presence_counts_t;

/* The table holds at most `max_users`; `watchers` must outlive it. Never NULL. */
pl_presence_t *pl_presence_create(size_t max_users, int64_t timeout_ms, pl_hub_t *watchers);
void pl_presence_destroy(pl_presence_t **presence);

/* Calls pl_presence_expire every second, on that loop. On the loop's own thread, once. */
void pl_presence_start(pl_presence_t *presence, pl_loop_t *loop);

/* The hub in which the watchers wait; their on_event gets an empty event. */
pl_hub_t *pl_presence_watchers(const pl_presence_t *presence);

/* All below may be called from any thread; `now_ms` is on the monotonic clock. */

/* The user opens a stream or a long-poll. -1: the table is full of online users; then
 * pl_presence_leave must not be called. */
int pl_presence_enter(pl_presence_t *presence, int64_t user_id, int64_t now_ms) PL_MUST_USE;

/* The stream or long-poll of a successful pl_presence_enter is closed. */
void pl_presence_leave(pl_presence_t *presence, int64_t user_id, int64_t now_ms);

/* The user announces to be online. -1: the table is full of online users. */
int pl_presence_announce(pl_presence_t *presence, int64_t user_id, int64_t now_ms) PL_MUST_USE;

/* Makes the watchers of this user read the presence again. Call it when the set of users who may
 * see it has changed. */
void pl_presence_notify_watchers(pl_presence_t *presence, int64_t user_id);

/* An unknown user is offline. */
pl_presence_state_t pl_presence_read(pl_presence_t *presence, int64_t user_id, int64_t now_ms);

/* Makes the users OFFLINE whose time in GRACE is over, and notifies their watchers. */
void pl_presence_expire(pl_presence_t *presence, int64_t now_ms);

pl_presence_counts_t pl_presence_count(pl_presence_t *presence);

#endif
