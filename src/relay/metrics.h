/* What the relay counts. */
#ifndef PL_RELAY_METRICS_H
#define PL_RELAY_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Registers the metrics; once. */
void pl_relay_metrics_init(void);

/* One page of due rows: copies that are stored now, and copies whose database could not take them.
 */
void pl_relay_metrics_page(size_t stored, size_t blocked);

/* How the number of rows that a sweep left in an outbox differs from that of the sweep before. */
void pl_relay_metrics_pending(int64_t difference);

#endif
