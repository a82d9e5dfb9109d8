/* Hashes for tables in memory and for the shard of a username. They do not resist an attacker who
 * chooses the keys: tables with such keys must be bounded and compare whole keys. */
#ifndef PL_BASE_HASH_H
#define PL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define PL_HASH64_START UINT64_C(0xcbf29ce484222325)

/* FNV-1a, 64 bits. pl_hash64_continue(pl_hash64(a), b) is the hash of a followed by b. */
uint64_t pl_hash64(const void *data, size_t len);
uint64_t pl_hash64_continue(uint64_t hash, const void *data, size_t len);

/* Spreads an id over all 64 bits (the finaliser of splitmix64). */
static inline uint64_t pl_hash_id(int64_t id)
{
    uint64_t h = (uint64_t)id + UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

#endif
