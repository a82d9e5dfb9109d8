/*
 * Limits typing events to one per interval for each user and conversation, whichever worker gets
 * the requests.
 *
 * There is one table for the process under one lock, which is held during a look-up of one group of
 * slots; without the lock two workers could pass an event at once. The table is bounded. If a user
 * finds no slot, the event is dropped, so the limit holds when the table is full.
 */
#ifndef PL_CORE_TYPING_LIMIT_H
#define PL_CORE_TYPING_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* A client repeats its call every few seconds: more than one event a second has no use. */
#define PL_TYPING_INTERVAL_MS 1000
/* The number of events in one interval, 768 KiB: enough for 100,000 users who type at once and call
 * every three seconds. */
#define PL_TYPING_LIMIT_CAPACITY 32768

typedef struct pl_typing_limit pl_typing_limit_t;

/* Room for about `capacity` pairs of a user and a peer in one interval. Never NULL. */
pl_typing_limit_t *pl_typing_limit_create(size_t capacity, int64_t interval_ms);
void pl_typing_limit_destroy(pl_typing_limit_t **limit);

/* Whether an event of user_id in the conversation with peer_id (a user, or a group) may be sent
 * now. If so, none may be sent again before the interval is over. `now_ms` is on the monotonic
 * clock. From any thread. */
bool pl_typing_limit_take(pl_typing_limit_t *limit, int64_t user_id, int64_t peer_id,
                          int64_t now_ms) PL_MUST_USE;

#endif
