/* Random numbers for jitter, sequences and request ids. The generator is xoshiro256**, seeded by
 * the kernel once per thread. It is fast, but must not be used for secrets. Thread-safe. */
#ifndef PL_BASE_RANDOM_H
#define PL_BASE_RANDOM_H

#include <stdint.h>

uint64_t pl_random_u64(void);

/* Uniform in 0 to bound - 1; bound > 0. */
uint64_t pl_random_below(uint64_t bound);

/* Uniform in low to high, both included; low <= high. */
int64_t pl_random_between(int64_t low, int64_t high);

#endif
