/*
 * How often a user's typing in one conversation is told: once in an interval, whichever worker the
 * requests come to.
 *
 * One table for the process under one lock, which is held for a look at one group of slots: a
 * lock-free one could let two workers pass at once. It is bounded and keeps what it promises when
 * it is full: who finds no slot has to wait as if they had just been told.
 */
#ifndef PL_CORE_TYPING_LIMIT_H
#define PL_CORE_TYPING_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* A client repeats its word every few seconds: more than one in a second is of use to nobody. */
#define PL_TYPING_INTERVAL_MS 1000
/* Those who may be told in one interval, 768 KiB: of 100,000 who type at once, each says so every
 * three seconds or more. */
#define PL_TYPING_LIMIT_CAPACITY 32768

typedef struct pl_typing_limit pl_typing_limit_t;

/* Room for about `capacity` pairs of a user and a peer in one interval. Never NULL. */
pl_typing_limit_t *pl_typing_limit_create(size_t capacity, int64_t interval_ms);
void pl_typing_limit_destroy(pl_typing_limit_t **limit);

/* Whether what user_id does in the conversation with peer_id (a user, or a group) may be told now;
 * then it may not be told again before the interval is over. `now_ms` is of the monotonic clock.
 * From any thread. */
bool pl_typing_limit_take(pl_typing_limit_t *limit, int64_t user_id, int64_t peer_id,
                          int64_t now_ms) PL_MUST_USE;

#endif
