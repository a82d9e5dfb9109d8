/* A set-associative table: an id may only be in the few slots of its group, most recently used
 * first, so that a look-up and an eviction touch half a cache line. 0 is an empty slot. */
#include "api/known_users.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define SLOTS 4

typedef struct group {
    int64_t ids[SLOTS];
} group_t;

struct pl_known_users {
    size_t mask; /* number of groups, a power of two, less one */
    group_t groups[];
};

pl_known_users_t *pl_known_users_create(size_t capacity)
{
    size_t groups = 1;
    while (groups * SLOTS < capacity) {
        groups *= 2;
    }
    pl_known_users_t *set = pl_calloc(1, sizeof(*set) + groups * sizeof(set->groups[0]));
    set->mask = groups - 1;
    return set;
}

void pl_known_users_destroy(pl_known_users_t **set)
{
    free(*set);
    *set = NULL;
}

static group_t *group_of(pl_known_users_t *set, int64_t user_id)
{
    return &set->groups[pl_hash_id(user_id) & set->mask];
}

/* Puts the id first, over those that stood before `slot` and the one in it. */
static void put_first(group_t *group, int64_t user_id, size_t slot)
{
    memmove(&group->ids[1], &group->ids[0], slot * sizeof(group->ids[0]));
    group->ids[0] = user_id;
}

bool pl_known_users_has(pl_known_users_t *set, int64_t user_id)
{
    group_t *group = group_of(set, user_id);

    for (size_t slot = 0; slot < SLOTS; slot++) {
        if (group->ids[slot] == user_id) {
            put_first(group, user_id, slot);
            return true;
        }
    }
    return false;
}

void pl_known_users_add(pl_known_users_t *set, int64_t user_id)
{
    assert(user_id > 0);
    if (!pl_known_users_has(set, user_id)) {
        put_first(group_of(set, user_id), user_id, SLOTS - 1);
    }
}
