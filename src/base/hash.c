#include "base/hash.h"

#define FNV_PRIME UINT64_C(0x100000001b3)

uint64_t pl_hash64_continue(uint64_t hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    return hash;
}

uint64_t pl_hash64(const void *data, size_t len)
{
    return pl_hash64_continue(PL_HASH64_START, data, len);
}
