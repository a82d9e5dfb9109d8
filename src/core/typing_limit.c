#include "core/typing_limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

#define SLOTS 4

/* Free when the interval has passed since `taken_ms`. */
typedef struct slot {
    int64_t user_id; /* 0: never used */
    int64_t peer_id;
    int64_t taken_ms;
} slot_t;

struct pl_typing_limit {
    pthread_mutex_t lock;
    int64_t interval_ms;
    size_t mask; /* number of groups, a power of two, less one */
    slot_t groups[][SLOTS];
};

pl_typing_limit_t *pl_typing_limit_create(size_t capacity, int64_t interval_ms)
{
    size_t groups = 1;
    while (groups * SLOTS < capacity)
        groups *= 2;
    pl_typing_limit_t *limit = pl_calloc(1, sizeof(*limit) + groups * sizeof(limit->groups[0]));
    pthread_mutex_init(&limit->lock, NULL);
    limit->interval_ms = interval_ms;
    limit->mask = groups - 1;
    return limit;
}

void pl_typing_limit_destroy(pl_typing_limit_t **limit)
{
    pthread_mutex_destroy(&(*limit)->lock);
    free(*limit);
    *limit = NULL;
}

static slot_t *find_slot(pl_typing_limit_t *limit, int64_t user_id, int64_t peer_id, int64_t now_ms)
{
    uint64_t hash = pl_hash_id((int64_t)(pl_hash_id(user_id) ^ (uint64_t)peer_id));
    slot_t *group = limit->groups[hash & limit->mask];
    slot_t *found = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        bool is_free = group[i].user_id == 0 || now_ms - group[i].taken_ms >= limit->interval_ms;
        if (group[i].user_id == user_id && group[i].peer_id == peer_id)
            return is_free ? &group[i] : NULL;
        if (is_free)
            found = &group[i];
    }
    return found;
}

bool pl_typing_limit_take(pl_typing_limit_t *limit, int64_t user_id, int64_t peer_id,
                          int64_t now_ms)
{
    pthread_mutex_lock(&limit->lock);
    slot_t *slot = find_slot(limit, user_id, peer_id, now_ms);
    if (slot != NULL)
        *slot = (slot_t){user_id, peer_id, now_ms};
    pthread_mutex_unlock(&limit->lock);
    return slot != NULL;
}
