/*
 * Ids of users who are known to exist, so that a send does not ask for its two users each time.
 *
 * Ids are never reused, but users are erased. What this process has erased the sets of all its
 * loops forget before their next answer (pl_erased_users_t); for what another server has, an entry
 * counts for no longer than two turns of the set, and is asked for anew then. The set is bounded
 * and forgets the least recently used of a few neighbours. That somebody does not exist is not
 * kept.
 */
#ifndef PL_CORE_KNOWN_USERS_H
#define PL_CORE_KNOWN_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pl_known_users pl_known_users_t;
typedef struct pl_erased_users pl_erased_users_t;

/* One for the process. Never NULL. */
pl_erased_users_t *pl_erased_users_create(void);
void pl_erased_users_destroy(pl_erased_users_t **erased);

/* From any thread: the user is known no more. */
void pl_erased_users_add(pl_erased_users_t *erased, int64_t user_id);

/* Room for about `capacity` ids in each of two turns, 8 bytes each. `erased` outlives it; NULL:
 * nobody is. Never NULL. */
pl_known_users_t *pl_known_users_create(size_t capacity, pl_erased_users_t *erased);
void pl_known_users_destroy(pl_known_users_t **set);

/* user_id > 0 */
void pl_known_users_add(pl_known_users_t *set, int64_t user_id);
bool pl_known_users_has(pl_known_users_t *set, int64_t user_id);

/* The next turn: what was not added since the last one is forgotten. */
void pl_known_users_turn(pl_known_users_t *set);

#endif
