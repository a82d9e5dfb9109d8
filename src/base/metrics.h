/*
 * Counters, gauges and histograms. All functions are thread-safe. Counting takes no lock; the admin
 * listener reads the metrics.
 *
 * Each thread has its own array of cells, which only it writes; a scrape sums over the threads. A
 * metric is an index into those arrays, so that counting is one relaxed load and store.
 * Registration takes a lock: register at start-up and keep the handle. Registering the same name
 * and labels again returns the same metric. Counting with a zeroed handle has no effect.
 *
 * Names begin with parley_ and end in their base unit; counters end in _total. Labels are fixed at
 * registration (`operation="sendMessage",status="2xx"`, without braces; NULL for none). They must
 * come from a small fixed set: never use an id.
 */
#ifndef PL_BASE_METRICS_H
#define PL_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

typedef struct pl_counter {
    uint32_t cell;
} pl_counter_t;

typedef struct pl_gauge {
    uint32_t cell;
} pl_gauge_t;

/* Upper bounds in the histogram's raw unit (integers: microseconds, rows), ascending, constant
 * data. */
typedef struct pl_histogram {
    uint32_t cell; /* the first of: one count per bound, the count above the last bound, the sum */
    uint32_t bounds_count;
    const uint64_t *bounds;
} pl_histogram_t;

/* name, help and labels are copied. */
pl_counter_t pl_counter_register(const char *name, const char *help, const char *labels);
void pl_counter_add(pl_counter_t counter, uint64_t n);

/* A gauge changes by differences; n may be negative. One thread may subtract what another added. */
pl_gauge_t pl_gauge_register(const char *name, const char *help, const char *labels);
void pl_gauge_add(pl_gauge_t gauge, int64_t n);

/* A gauge that `read` computes at each scrape, on the scraping thread and under the lock of the
 * metrics. It cannot be unregistered, so `owner` must live as long as the process. */
void pl_gauge_register_read(const char *name, const char *help, const char *labels,
                            double (*read)(void *owner), void *owner);

/* `scale` converts the raw unit to the unit in the name (1e-6 for microseconds shown as seconds).
 * `bounds` must live as long as the process. */
pl_histogram_t pl_histogram_register(const char *name, const char *help, const char *labels,
                                     const uint64_t *bounds, size_t bounds_count, double scale);
void pl_histogram_observe(pl_histogram_t histogram, uint64_t value);

/* Latencies in microseconds from 0.5 ms to 10 s. */
extern const uint64_t pl_histogram_latency_us[];
extern const size_t pl_histogram_latency_us_count;

/* The sum over all threads, for tests and for checks. */
uint64_t pl_counter_read(pl_counter_t counter);
int64_t pl_gauge_read(pl_gauge_t gauge);

/* Appends all metrics in Prometheus' text format 0.0.4. */
void pl_metrics_render(pl_buffer_t *out);

#endif
