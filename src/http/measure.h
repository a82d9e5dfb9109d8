/* The metrics of requests, streams and connections. From any thread. */
#ifndef PL_HTTP_MEASURE_H
#define PL_HTTP_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/metrics.h"
#include "http/limit.h"
#include "http/stream_reason.h"

/* What is counted for one route. */
typedef struct pl_measure_route {
    const char *operation;    /* label of the metrics, a literal */
    pl_counter_t by_class[5]; /* 2xx, 3xx, 4xx, 5xx, gone */
    pl_histogram_t duration;
} pl_measure_route_t;

/* Registers the metrics that belong to no route. A further call does nothing. */
void pl_measure_init(void);
void pl_measure_route_init(pl_measure_route_t *route, const char *operation);

void pl_measure_request_start(size_t body_len);
/* status 0: the client left before the answer. */
void pl_measure_request_end(const pl_measure_route_t *route, int status, int64_t started_us);
void pl_measure_request_freed(void);
void pl_measure_body_sent(size_t len);

/* A request was refused. */
void pl_measure_refused(pl_limit_t limit);
/* So many bytes more, or less, wait for their clients. */
void pl_measure_unsent(int64_t change);

void pl_measure_stream_start(void);
void pl_measure_stream_end(pl_stream_reason_t reason);

void pl_measure_connection_closed(const char *reason);

#endif
