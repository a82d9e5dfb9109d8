/* Counts latencies in a fixed log-linear table: 128 buckets for each power of two, so a quantile is
 * within 0.4 % of the value that was added. */
#ifndef PL_LOAD_HISTOGRAM_H
#define PL_LOAD_HISTOGRAM_H

#include <stdint.h>

#define PL_LOAD_HISTOGRAM_BITS 7
#define PL_LOAD_HISTOGRAM_MAX_SHIFT 33 /* 2^41 us: three weeks */
#define PL_LOAD_HISTOGRAM_BUCKETS ((PL_LOAD_HISTOGRAM_MAX_SHIFT + 2) << PL_LOAD_HISTOGRAM_BITS)

/* A zeroed histogram is empty. */
typedef struct pl_load_histogram {
    uint64_t buckets[PL_LOAD_HISTOGRAM_BUCKETS];
    uint64_t count;
    int64_t max;
} pl_load_histogram_t;

/* A negative value counts as 0, a value beyond the table in the last bucket. */
void pl_load_histogram_add(pl_load_histogram_t *histogram, int64_t value);

void pl_load_histogram_merge(pl_load_histogram_t *into, const pl_load_histogram_t *from);

/* Returns the smallest value that at least this share (0 to 1) of the values does not exceed; 0 if
 * there are no values. */
int64_t pl_load_histogram_quantile(const pl_load_histogram_t *histogram, double share);

#endif
