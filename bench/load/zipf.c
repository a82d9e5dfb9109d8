/*
 * The alias method (Vose): every number has a slot of equal size, of which it keeps a part and
 * gives the rest to one other number.
 */
#include "load/zipf.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"

typedef struct slot {
    uint64_t keeps; /* of 2^64 */
    uint32_t other;
} slot_t;

struct pl_load_zipf {
    uint32_t count;
    slot_t slots[];
};

/* weights: in shares of a slot, so their sum is count. */
static void fill(pl_load_zipf_t *zipf, double *weights)
{
    uint32_t *small = pl_reallocarray(NULL, zipf->count, sizeof(*small));
    uint32_t *large = pl_reallocarray(NULL, zipf->count, sizeof(*large));
    uint32_t smalls = 0;
    uint32_t larges = 0;

    for (uint32_t i = 0; i < zipf->count; i++) {
        zipf->slots[i] = (slot_t){.keeps = UINT64_MAX, .other = i};
        if (weights[i] < 1)
            small[smalls++] = i;
        else
            large[larges++] = i;
    }
    while (smalls > 0 && larges > 0) {
        uint32_t poor = small[--smalls];
        uint32_t rich = large[larges - 1];
        zipf->slots[poor] = (slot_t){.keeps = (uint64_t)(weights[poor] * 0x1p64), .other = rich};
        weights[rich] -= 1 - weights[poor];
        if (weights[rich] < 1) {
            larges--;
            small[smalls++] = rich;
        }
    }
    /* What is left in either list is 1 but for rounding. */
    free(small);
    free(large);
}

pl_load_zipf_t *pl_load_zipf_create(uint32_t count, double exponent)
{
    pl_load_zipf_t *zipf = pl_calloc(1, sizeof(*zipf) + count * sizeof(zipf->slots[0]));
    double *weights = pl_reallocarray(NULL, count, sizeof(*weights));
    double sum = 0;

    zipf->count = count;
    for (uint32_t i = 0; i < count; i++) {
        weights[i] = pow(i + 1.0, -exponent);
        sum += weights[i];
    }
    for (uint32_t i = 0; i < count; i++)
        weights[i] *= count / sum;
    fill(zipf, weights);
    free(weights);
    return zipf;
}

void pl_load_zipf_destroy(pl_load_zipf_t **zipf)
{
    free(*zipf);
    *zipf = NULL;
}

uint32_t pl_load_zipf_draw(const pl_load_zipf_t *zipf)
{
    /* The product's upper half chooses the slot, the lower half the place in it. */
    unsigned __int128 product = (unsigned __int128)pl_random_u64() * zipf->count;
    const slot_t *slot = &zipf->slots[(uint32_t)(product >> 64)];
    return (uint64_t)product < slot->keeps ? (uint32_t)(product >> 64) : slot->other;
}
