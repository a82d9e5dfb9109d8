#include "load/zipf.h"

#include <math.h>

#include "base/random.h"

uint32_t pl_load_zipf_draw(uint32_t count)
{
    double uniform = ((double)(pl_random_u64() >> 12) + 0.5) * 0x1p-52; /* above 0, below 1 */
    uint32_t drawn = (uint32_t)exp(uniform * log(count + 1.0));

    return drawn <= count ? drawn - 1 : count - 1; /* rounded up */
}
