/* Random numbers of 0 to count - 1 where number i has a weight of 1 / (i + 1)^exponent: few are
 * asked for often, most hardly ever. An exponent of 0 is uniform. */
#ifndef PL_LOAD_ZIPF_H
#define PL_LOAD_ZIPF_H

#include <stdint.h>

#include "base/compiler.h"

typedef struct pl_load_zipf pl_load_zipf_t;

/* count > 0, exponent >= 0. */
pl_load_zipf_t *pl_load_zipf_create(uint32_t count, double exponent) PL_MUST_USE;
void pl_load_zipf_destroy(pl_load_zipf_t **zipf);

/* Takes the same few nanoseconds whatever the count is. Several threads may draw from one. */
uint32_t pl_load_zipf_draw(const pl_load_zipf_t *zipf);

#endif
