/* Random numbers for jitter, sequences and request ids. Seeded from the kernel once per thread,
 * then xoshiro256**: fast, and not for secrets. */
#ifndef PL_BASE_RANDOM_H
#define PL_BASE_RANDOM_H

#include <stdint.h>

uint64_t pl_random_u64(void);

/* Uniform in 0 to bound - 1; bound > 0. */
uint64_t pl_random_below(uint64_t bound);

/* Uniform in low to high, both included; low <= high. */
int64_t pl_random_between(int64_t low, int64_t high);

#endif
