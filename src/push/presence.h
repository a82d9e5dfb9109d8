/*
 * Who is online, as far as this process knows: users who have a stream or a waiting long-poll open
 * here, or have said so here, and until [push] presence_timeout after that.
 *
 *     OFFLINE --enter--> OPEN   --the last one leaves--> FADING --time--> OFFLINE
 *     OFFLINE --announce--> FADING --announce--> FADING, from now
 *
 * One table for the process under one lock: a stream or a long-poll takes it twice in its life, and
 * a user who is asked for once, each time for a look-up in memory. No message write comes near it,
 * and nothing is stored. The FADING stand in the order of their last sign, so that one timer finds
 * those whose time is up; the OFFLINE in the same order, of whom the oldest is forgotten when the
 * table is full.
 *
 * Who watches a user registers with a hub of its own, which is told when the user has come or gone.
 * It is told that something changed and not what: the watcher reads the state then, and so cannot
 * end with an old one, whatever the order in which word arrives.
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
    int64_t last_seen_us; /* since 1970; now for one who is OPEN. 0: not known */
} pl_presence_state_t;

typedef struct pl_presence_counts {
    size_t online;
    size_t known; /* the online and those who are remembered */
} pl_presence_counts_t;

/* Knows `max_users` at the most; `watchers` outlives it. Never NULL. */
pl_presence_t *pl_presence_create(size_t max_users, int64_t timeout_ms, pl_hub_t *watchers);
void pl_presence_destroy(pl_presence_t **presence);

/* Looks every second, on that loop, for those whose time is up. On the loop's thread, once. */
void pl_presence_start(pl_presence_t *presence, pl_loop_t *loop);

/* Where watchers wait; their on_event comes with an empty event. */
pl_hub_t *pl_presence_watchers(const pl_presence_t *presence);

/* All below from any thread; `now_ms` is of the monotonic clock. */

/* The user opens a stream or a long-poll. -1: the table is full of users who are online; then
 * pl_presence_leave is not to be called. */
int pl_presence_enter(pl_presence_t *presence, int64_t user_id, int64_t now_ms) PL_MUST_USE;
void pl_presence_leave(pl_presence_t *presence, int64_t user_id, int64_t now_ms);

/* The user says so. -1: the table is full of users who are online. */
int pl_presence_announce(pl_presence_t *presence, int64_t user_id, int64_t now_ms) PL_MUST_USE;

/* Who sees the user's presence has changed: their watchers look again. */
void pl_presence_reconsider(pl_presence_t *presence, int64_t user_id);

pl_presence_state_t pl_presence_read(pl_presence_t *presence, int64_t user_id, int64_t now_ms);

/* What pl_presence_start does every second: tells the watchers of those whose time is up. */
void pl_presence_expire(pl_presence_t *presence, int64_t now_ms);

pl_presence_counts_t pl_presence_count(pl_presence_t *presence);

#endif
