/* The metrics of push. All functions but the first may be called from any thread. */
#ifndef PL_PUSH_METRICS_H
#define PL_PUSH_METRICS_H

#include <stdbool.h>

#include "push/hub.h"
#include "push/presence.h"

/* Registers the metrics; once, after the hub and the presence are created. */
void pl_push_metrics_init(pl_hub_t *hub, pl_presence_t *presence);

/* A delta was passed on for a client. from_commit: it was built from the data of the commit; else
 * it was read from the database. */
void pl_push_metrics_delta(bool from_commit);

/* A heartbeat's check found a change for which no wake-up had come. */
void pl_push_metrics_missed_wake(void);

/* An ephemeral event reached a stream. It was written, or dropped because the client reads
 * slowly. */
void pl_push_metrics_event(bool written);

/* The presence table is full, so a user does not count as online. */
void pl_push_metrics_presence_refused(void);

#endif
