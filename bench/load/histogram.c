#include "load/histogram.h"

#include <math.h>

#define SPAN (1U << PL_LOAD_HISTOGRAM_BITS)

/* Below 2 * SPAN every value has its own bucket; above, a bucket is 2^shift wide. */
static unsigned bucket_of(uint64_t value)
{
    if (value < 2 * SPAN)
        return (unsigned)value;
    unsigned shift = 63U - (unsigned)__builtin_clzll(value) - PL_LOAD_HISTOGRAM_BITS;
    if (shift > PL_LOAD_HISTOGRAM_MAX_SHIFT)
        return PL_LOAD_HISTOGRAM_BUCKETS - 1;
    return shift * SPAN + (unsigned)(value >> shift);
}

static int64_t middle_of(unsigned bucket)
{
    if (bucket < 2 * SPAN)
        return bucket;
    unsigned shift = bucket / SPAN - 1;
    uint64_t low = (uint64_t)(bucket - shift * SPAN) << shift;
    return (int64_t)(low + ((UINT64_C(1) << shift) - 1) / 2);
}

void pl_load_histogram_add(pl_load_histogram_t *histogram, int64_t value)
{
    if (value < 0)
        value = 0;
    histogram->buckets[bucket_of((uint64_t)value)]++;
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
}

void pl_load_histogram_merge(pl_load_histogram_t *into, const pl_load_histogram_t *from)
{
    for (unsigned i = 0; i < PL_LOAD_HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    if (from->max > into->max)
        into->max = from->max;
}

int64_t pl_load_histogram_quantile(const pl_load_histogram_t *histogram, double share)
{
    uint64_t rank = (uint64_t)ceil(share * (double)histogram->count);
    uint64_t seen = 0;

    for (unsigned i = 0; i < PL_LOAD_HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->buckets[i];
        if (seen >= rank && seen > 0) {
            int64_t value = middle_of(i);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}
