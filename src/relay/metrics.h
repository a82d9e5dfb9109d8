/* What the relay counts. */
#ifndef PL_RELAY_METRICS_H
#define PL_RELAY_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Registers the metrics; once. */
void pl_relay_metrics_init(void);

/* Copies that are stored now. */
void pl_relay_metrics_stored(size_t copies);

/* Due rows whose database cannot take the copy now. */
void pl_relay_metrics_blocked(size_t rows);

/* How the number of rows that a sweep left in an outbox differs from that of the sweep before. */
void pl_relay_metrics_pending(int64_t difference);

#endif
