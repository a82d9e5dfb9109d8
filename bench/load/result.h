/* The counts of a run: one object for each thread, added up at the end. */
#ifndef PL_LOAD_RESULT_H
#define PL_LOAD_RESULT_H

#include <stdint.h>

#include "base/buffer.h"
#include "load/histogram.h"
#include "load/options.h"

#define PL_LOAD_STATUS_MAX 600

typedef struct pl_load_result {
    uint64_t requests; /* counted requests, whatever their answer */
    uint64_t in_time;  /* counted requests that were answered before the end */
    uint64_t total;    /* all answered requests, with the warm-up and late ones */
    uint64_t statuses[PL_LOAD_STATUS_MAX]; /* of counted answers */
    uint64_t lost;               /* the connection or the stream ended before the answer */
    uint64_t unanswered;         /* still in flight at the end of the wait for the last ones */
    uint64_t invalid;            /* see --validate */
    pl_load_histogram_t latency; /* of good answers, in us */
    int64_t end_us;              /* when the counting ended */
    uint64_t backlog;            /* open loop: due at the end and never sent */
    uint64_t backlog_max;
    uint64_t bytes_received;

    uint64_t streams_wanted;
    uint64_t streams_open;
    uint64_t streams_refused;
    uint64_t streams_closed; /* by the server, after they were open */
    uint64_t events;

    uint64_t messages_sent; /* messages that the server accepted */
    uint64_t messages_received;
    uint64_t messages_lost;
    uint64_t messages_doubled;
    pl_load_histogram_t event_latency;
} pl_load_result_t;

void pl_load_result_merge(pl_load_result_t *into, const pl_load_result_t *from);

/* Counts all but the answers 2xx and 304 that came in time. */
uint64_t pl_load_result_failed(const pl_load_result_t *result);

/* Writes one JSON object and a newline. begin_us: when counting began; cpu_us: of the whole
 * process. */
void pl_load_result_print(const pl_load_result_t *result, const pl_load_options_t *options,
                          int64_t begin_us, int64_t cpu_us);

/* The same for --kind streams, when all have answered and at the end. ramp_us: the time that
 * opening took. */
void pl_load_result_print_streams(const pl_load_result_t *result, const char *when,
                                  int64_t ramp_us);

#endif
