#include "relay/seen.h"

#include <assert.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

/* 512 KiB for each table. A key that does not fit is not remembered: its entry is due by age
 * alone. */
#define SLOTS 65536
#define FILL_MAX (SLOTS / 4 * 3)

void pl_seen_init(pl_seen_t *seen)
{
    seen->before = pl_calloc(SLOTS, sizeof(uint64_t));
    seen->now = pl_calloc(SLOTS, sizeof(uint64_t));
    seen->count = 0;
}

/* Returns the slot that holds the hash, or the empty slot where it belongs. A table is never
 * full. */
static uint64_t *find(uint64_t *slots, uint64_t hash)
{
    size_t i = hash % SLOTS;
    while (slots[i] != 0 && slots[i] != hash)
        i = (i + 1) % SLOTS;
    return &slots[i];
}

bool pl_seen_add(pl_seen_t *seen, int64_t recipient_id, int64_t sender_id, int64_t message_id)
{
    uint64_t hash = pl_hash_id(recipient_id ^
                               (int64_t)pl_hash_id(sender_id ^ (int64_t)pl_hash_id(message_id))) |
                    1;
    uint64_t *slot = find(seen->now, hash);

    if (*slot == 0 && seen->count < FILL_MAX) {
        *slot = hash;
        seen->count++;
    }
    assert(seen->count <= FILL_MAX);
    return *find(seen->before, hash) == hash;
}

void pl_seen_end_sweep(pl_seen_t *seen)
{
    uint64_t *now = seen->now;

    seen->now = seen->before;
    seen->before = now;
    memset(seen->now, 0, SLOTS * sizeof(uint64_t));
    seen->count = 0;
}
