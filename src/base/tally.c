#include "base/tally.h"

#include <assert.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/memory.h"

#define SIZE_MIN 64

typedef struct slot {
    int64_t key;
    size_t count; /* 0: the slot is empty */
} slot_t;

/* Linear probing. At least a quarter of the slots are empty. */
struct pl_tally {
    size_t keys;
    size_t mask; /* number of slots, a power of two, less one */
    slot_t *slots;
};

static size_t home_of(const pl_tally_t *tally, int64_t key)
{
    return (size_t)pl_hash_id(key) & tally->mask;
}

static void allocate(pl_tally_t *tally, size_t size)
{
    tally->mask = size - 1;
    tally->slots = pl_calloc(size, sizeof(tally->slots[0]));
}

pl_tally_t *pl_tally_create(void)
{
    pl_tally_t *tally = pl_calloc(1, sizeof(*tally));

    allocate(tally, SIZE_MIN);
    return tally;
}

void pl_tally_destroy(pl_tally_t **tally)
{
    assert((*tally)->keys == 0);
    free((*tally)->slots);
    free(*tally);
    *tally = NULL;
}

/* The key's slot, or the empty one where it would be. */
static slot_t *find(const pl_tally_t *tally, int64_t key)
{
    size_t at = home_of(tally, key);

    while (tally->slots[at].count != 0 && tally->slots[at].key != key)
        at = (at + 1) & tally->mask;
    return &tally->slots[at];
}

static void grow(pl_tally_t *tally)
{
    slot_t *old = tally->slots;
    size_t size = tally->mask + 1;

    allocate(tally, size * 2);
    for (size_t i = 0; i < size; i++)
        if (old[i].count != 0)
            *find(tally, old[i].key) = old[i];
    free(old);
}

int pl_tally_add(pl_tally_t *tally, int64_t key, size_t count, size_t max)
{
    slot_t *slot = find(tally, key);

    assert(count > 0);
    if (count > max || slot->count > max - count)
        return -1;
    if (slot->count == 0 && (tally->keys + 1) * 4 > (tally->mask + 1) * 3) {
        grow(tally);
        slot = find(tally, key);
    }
    tally->keys += slot->count == 0;
    slot->key = key;
    slot->count += count;
    return 0;
}

/* Empties the slot, and moves later ones back so that each is still found from its home. */
static void empty(pl_tally_t *tally, size_t hole)
{
    for (size_t at = (hole + 1) & tally->mask; tally->slots[at].count != 0;
         at = (at + 1) & tally->mask) {
        size_t home = home_of(tally, tally->slots[at].key);
        /* It stays if its home is after the hole, on the way to its slot. */
        if (((at - home) & tally->mask) < ((at - hole) & tally->mask))
            continue;
        tally->slots[hole] = tally->slots[at];
        hole = at;
    }
    tally->slots[hole].count = 0;
    tally->keys--;
}

void pl_tally_subtract(pl_tally_t *tally, int64_t key, size_t count)
{
    slot_t *slot = find(tally, key);

    assert(slot->count >= count);
    slot->count -= count;
    if (slot->count == 0)
        empty(tally, (size_t)(slot - tally->slots));
}

size_t pl_tally_count(const pl_tally_t *tally, int64_t key)
{
    return find(tally, key)->count;
}
