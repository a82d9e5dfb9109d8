/* The metrics of the relay. All functions may be called from any thread. */
#ifndef PL_RELAY_METRICS_H
#define PL_RELAY_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Registers the metrics; once, before the relay starts. */
void pl_relay_metrics_init(void);

/* The relay has stored this many copies. */
void pl_relay_metrics_stored(size_t copies);

/* The relay has made this many changes. */
void pl_relay_metrics_changed(size_t changes);

/* This many entries were due, but their target database was not reachable. */
void pl_relay_metrics_blocked(size_t rows);

/* Adds to the gauge of pending entries: how many more (or fewer) a complete sweep left in the
 * outboxes than the one before. */
void pl_relay_metrics_pending(int64_t difference);

#endif
