/* Random numbers by Zipf's law: a few are frequent, most are rare. */
#ifndef PL_LOAD_ZIPF_H
#define PL_LOAD_ZIPF_H

#include <stdint.h>

/* Returns a number from 0 to count - 1 (count > 0). Number i has a weight of ln(1 + 1 / (i + 1)),
 * which is close to Zipf's law with exponent 1, except for the first few. bench/baseline/ draws in
 * the same way. */
uint32_t pl_load_zipf_draw(uint32_t count);

#endif
