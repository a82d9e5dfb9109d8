/*
 * Counts by key: how much of something each user or each address has. A key is in the table only
 * while its count is above 0, so what is counted bounds the table.
 *
 * A hash table with open addressing. It grows by doubling and does not shrink: counting allocates
 * nothing once the table is large enough. One thread at a time.
 */
#ifndef PL_BASE_TALLY_H
#define PL_BASE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

typedef struct pl_tally pl_tally_t;

/* Never NULL. */
pl_tally_t *pl_tally_create(void);
/* All counts must be 0. */
void pl_tally_destroy(pl_tally_t **tally);

/* Adds `count` (above 0) to the key's count. -1: it would be above `max`; then it stays as it is.
 */
int pl_tally_add(pl_tally_t *tally, int64_t key, size_t count, size_t max) PL_MUST_USE;

/* The key's count must be at least that. */
void pl_tally_subtract(pl_tally_t *tally, int64_t key, size_t count);

size_t pl_tally_count(const pl_tally_t *tally, int64_t key);

#endif
