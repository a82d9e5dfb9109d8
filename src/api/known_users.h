/*
 * Ids of users who are known to exist, so that a send does not ask for its two users each time.
 *
 * Ids are never reused and existence never ends, so an entry cannot go stale. The set is bounded
 * and forgets the least recently used of a few neighbours. That somebody does not exist is not
 * kept.
 */
#ifndef PL_API_KNOWN_USERS_H
#define PL_API_KNOWN_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pl_known_users pl_known_users_t;

/* Room for about `capacity` ids, 8 bytes each. Never NULL. */
pl_known_users_t *pl_known_users_create(size_t capacity);
void pl_known_users_destroy(pl_known_users_t **set);

/* user_id > 0 */
void pl_known_users_add(pl_known_users_t *set, int64_t user_id);
bool pl_known_users_has(pl_known_users_t *set, int64_t user_id);

#endif
