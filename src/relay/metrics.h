/* What the relay counts. */
#ifndef PL_RELAY_METRICS_H
#define PL_RELAY_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Registers the metrics; once. */
void pl_relay_metrics_init(void);

/* Copies that are stored now. */
void pl_relay_metrics_stored(size_t copies);

/* Changes that are made now. */
void pl_relay_metrics_changed(size_t changes);

/* Due rows whose target's database is away. */
void pl_relay_metrics_blocked(size_t rows);

/* How the number of rows that a sweep left in the outboxes differs from that of the sweep before.
 */
void pl_relay_metrics_pending(int64_t difference);

#endif
