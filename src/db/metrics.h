/* What the lanes count. */
#ifndef PL_DB_METRICS_H
#define PL_DB_METRICS_H

#include <stddef.h>
#include <stdint.h>

/* Registers the metrics; once, before any lane starts. */
void pl_db_metrics_init(void);

void pl_db_metrics_batch(size_t operations, uint64_t duration_ms);
void pl_db_metrics_batch_failed(void);
void pl_db_metrics_connection_lost(void);

#endif
