/*
 * A set of the ids of users who exist, so that a send need not read its two users each time.
 *
 * Ids are never reused, but users are erased. If this process erases a user, the sets of all its
 * loops forget the id before their next answer (pl_erased_users_t). If another server erases a
 * user, an entry stays valid for at most two turns of the set; then the user is read again. The set
 * is bounded and forgets the least recently used entry of a small group. It does not remember that
 * a user does not exist.
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

/* From any thread. Makes the sets of all loops forget the user. */
void pl_erased_users_add(pl_erased_users_t *erased, int64_t user_id);

/* Room for about `capacity` ids in each of two turns, 8 bytes each. `erased` outlives it; NULL:
 * no user is ever erased. Never NULL. */
pl_known_users_t *pl_known_users_create(size_t capacity, pl_erased_users_t *erased);
void pl_known_users_destroy(pl_known_users_t **set);

/* user_id > 0 */
void pl_known_users_add(pl_known_users_t *set, int64_t user_id);
bool pl_known_users_has(pl_known_users_t *set, int64_t user_id);

/* Begins the next turn: forgets the ids that were not added since the last one. */
void pl_known_users_turn(pl_known_users_t *set);

#endif
