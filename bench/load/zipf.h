/* Random numbers of which a few are asked for often and most hardly ever. */
#ifndef PL_LOAD_ZIPF_H
#define PL_LOAD_ZIPF_H

#include <stdint.h>

/* A number of 0 to count - 1, count > 0: number i has a weight of ln(1 + 1 / (i + 1)), which is
 * Zipf's law with exponent 1 but for the first few. As bench/baseline/ draws its own. */
uint32_t pl_load_zipf_draw(uint32_t count);

#endif
