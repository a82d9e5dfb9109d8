/* What push counts. */
#ifndef PL_PUSH_METRICS_H
#define PL_PUSH_METRICS_H

#include <stdbool.h>

#include "push/hub.h"
#include "push/presence.h"

/* Registers the metrics; once, after the hub and the presence are created. */
void pl_push_metrics_init(pl_hub_t *hub, pl_presence_t *presence);

/* A delta went to a waiter: built from what was written, or read. */
void pl_push_metrics_delta(bool direct);

/* A heartbeat's check has found a change that no wake-up told of. */
void pl_push_metrics_late(void);

/* An ephemeral event reached a stream: written, or dropped since the stream reads slowly. */
void pl_push_metrics_event(bool written);

/* A user does not count as being online: the table is full. */
void pl_push_metrics_presence_refused(void);

#endif
