/* The metrics of the lanes. All functions may be called from any thread. */
#ifndef PL_DB_METRICS_H
#define PL_DB_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Registers the metrics; once, before any lane starts. */
void pl_db_metrics_init(void);

/* A batch of this many operations was answered after this time. */
void pl_db_metrics_batch(size_t operations, uint64_t duration_ms);

/* A batch's transaction failed. */
void pl_db_metrics_batch_failed(void);

/* The loop's turn ended before all results of a batch were handed out. */
void pl_db_metrics_turn_ended(void);

/* A connection was lost, or could not be made. */
void pl_db_metrics_connection_lost(void);

#endif
