/* Set-associative tables: an id may only be in the few slots of its group, most recently used
 * first, so that a look-up and an eviction touch half a cache line. 0 is an empty slot. */
#include "core/known_users.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define SLOTS 4
/* If more users than this are erased between two look-ups of a loop, the loop forgets all ids. */
#define ERASED_KEPT 1024

typedef struct group {
    int64_t ids[SLOTS];
} group_t;

/* A ring of the last erased users; `count` counts all that were ever erased. */
struct pl_erased_users {
    pthread_mutex_t lock;
    atomic_size_t count;
    int64_t ids[ERASED_KEPT];
};

struct pl_known_users {
    pl_erased_users_t *erased;
    size_t erased_seen;
    size_t groups;
    group_t *now;    /* added in this turn */
    group_t *before; /* and in the one before */
};

/* ---- erased users ---- */

pl_erased_users_t *pl_erased_users_create(void)
{
    pl_erased_users_t *erased = pl_calloc(1, sizeof(*erased));

    pthread_mutex_init(&erased->lock, NULL);
    atomic_init(&erased->count, 0);
    return erased;
}

void pl_erased_users_destroy(pl_erased_users_t **erased)
{
    pthread_mutex_destroy(&(*erased)->lock);
    free(*erased);
    *erased = NULL;
}

void pl_erased_users_add(pl_erased_users_t *erased, int64_t user_id)
{
    pthread_mutex_lock(&erased->lock);
    erased->ids[atomic_load(&erased->count) % ERASED_KEPT] = user_id;
    atomic_fetch_add(&erased->count, 1);
    pthread_mutex_unlock(&erased->lock);
}

/* ---- the set ---- */

pl_known_users_t *pl_known_users_create(size_t capacity, pl_erased_users_t *erased)
{
    pl_known_users_t *set = pl_calloc(1, sizeof(*set));

    set->erased = erased;
    set->erased_seen = erased != NULL ? atomic_load(&erased->count) : 0;
    set->groups = 1;
    while (set->groups * SLOTS < capacity)
        set->groups *= 2;
    set->now = pl_calloc(set->groups, sizeof(group_t));
    set->before = pl_calloc(set->groups, sizeof(group_t));
    return set;
}

void pl_known_users_destroy(pl_known_users_t **set)
{
    free((*set)->now);
    free((*set)->before);
    free(*set);
    *set = NULL;
}

static group_t *group_of(const pl_known_users_t *set, group_t *groups, int64_t user_id)
{
    return &groups[pl_hash_id(user_id) & (set->groups - 1)];
}

/* Puts the id into the first slot, and moves the ids before `slot` back by one. */
static void put_first(group_t *group, int64_t user_id, size_t slot)
{
    memmove(&group->ids[1], &group->ids[0], slot * sizeof(group->ids[0]));
    group->ids[0] = user_id;
}

/* The id's slot in its group; SLOTS: it is not there. */
static size_t slot_of(const group_t *group, int64_t user_id)
{
    size_t slot = 0;

    while (slot < SLOTS && group->ids[slot] != user_id)
        slot++;
    return slot;
}

static void forget(group_t *group, int64_t user_id)
{
    size_t slot = slot_of(group, user_id);

    if (slot < SLOTS)
        group->ids[slot] = 0;
}

static void clear(const pl_known_users_t *set, group_t *groups)
{
    memset(groups, 0, set->groups * sizeof(group_t));
}

static void forget_erased(pl_known_users_t *set)
{
    pl_erased_users_t *erased = set->erased;

    pthread_mutex_lock(&erased->lock);
    size_t count = atomic_load(&erased->count);
    if (count - set->erased_seen > ERASED_KEPT) {
        clear(set, set->now);
        clear(set, set->before);
        set->erased_seen = count;
    }
    for (; set->erased_seen < count; set->erased_seen++) {
        int64_t user_id = erased->ids[set->erased_seen % ERASED_KEPT];
        forget(group_of(set, set->now, user_id), user_id);
        forget(group_of(set, set->before, user_id), user_id);
    }
    pthread_mutex_unlock(&erased->lock);
}

static bool has_now(pl_known_users_t *set, int64_t user_id)
{
    group_t *group = group_of(set, set->now, user_id);
    size_t slot = slot_of(group, user_id);

    if (slot < SLOTS)
        put_first(group, user_id, slot);
    return slot < SLOTS;
}

bool pl_known_users_has(pl_known_users_t *set, int64_t user_id)
{
    if (set->erased != NULL && atomic_load(&set->erased->count) != set->erased_seen)
        forget_erased(set);
    return has_now(set, user_id) || slot_of(group_of(set, set->before, user_id), user_id) < SLOTS;
}

void pl_known_users_add(pl_known_users_t *set, int64_t user_id)
{
    assert(user_id > 0);
    if (!has_now(set, user_id))
        put_first(group_of(set, set->now, user_id), user_id, SLOTS - 1);
}

void pl_known_users_turn(pl_known_users_t *set)
{
    group_t *before = set->before;

    clear(set, before);
    set->before = set->now;
    set->now = before;
}
