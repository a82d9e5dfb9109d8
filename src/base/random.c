#include "base/random.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/random.h>

static _Thread_local struct {
    bool seeded;
    uint64_t s[4];
} state;

static void seed(void)
{
    do {
        /* The kernel returns up to 256 bytes in one piece. */
        if (getrandom(state.s, sizeof(state.s), 0) != (ssize_t)sizeof(state.s))
            abort();
    } while ((state.s[0] | state.s[1] | state.s[2] | state.s[3]) == 0);
    state.seeded = true;
}

static inline uint64_t rotate_left(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t pl_random_u64(void)
{
    if (!state.seeded)
        seed();
    uint64_t *s = state.s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t pl_random_below(uint64_t bound)
{
    assert(bound > 0);
    /* Without skipping the first (2^64 mod bound) values, small results would be more likely. */
    uint64_t skip = -bound % bound;
    uint64_t value;
    do {
        value = pl_random_u64();
    } while (value < skip);
    return value % bound;
}

int64_t pl_random_between(int64_t low, int64_t high)
{
    assert(low <= high);
    uint64_t span = (uint64_t)high - (uint64_t)low + 1;
    uint64_t offset = span == 0 ? pl_random_u64() : pl_random_below(span);
    return (int64_t)((uint64_t)low + offset);
}
