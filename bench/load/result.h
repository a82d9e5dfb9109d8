/* What a run has counted: one for each thread, added up in the end. */
#ifndef PL_LOAD_RESULT_H
#define PL_LOAD_RESULT_H

#include <stdint.h>

#include "base/buffer.h"
#include "load/histogram.h"
#include "load/options.h"

#define PL_LOAD_STATUS_MAX 600

typedef struct pl_load_result {
    uint64_t requests;                     /* counted ones, whatever their answer */
    uint64_t in_time;                      /* of these, answered before the end */
    uint64_t total;                        /* answered ones, the warm-up's and late ones included */
    uint64_t statuses[PL_LOAD_STATUS_MAX]; /* of counted answers */
    uint64_t lost;               /* the connection or the stream ended before the answer */
    uint64_t unanswered;         /* in flight when the wait for the last ones was over */
    uint64_t invalid;            /* see --validate */
    pl_load_histogram_t latency; /* us, of good answers */
    int64_t end_us;              /* when the counting ended */
    uint64_t backlog;            /* open loop: due at the end, and never sent */
    uint64_t backlog_max;
    uint64_t bytes_received;

    uint64_t streams_wanted;
    uint64_t streams_open;
    uint64_t streams_refused;
    uint64_t streams_closed; /* by the server, after they were open */
    uint64_t events;

    uint64_t messages_sent; /* those that the server has accepted */
    uint64_t messages_received;
    uint64_t messages_lost;
    uint64_t messages_doubled;
    pl_load_histogram_t event_latency;
} pl_load_result_t;

void pl_load_result_merge(pl_load_result_t *into, const pl_load_result_t *from);

/* All but status 2xx and 304, that come in time. */
uint64_t pl_load_result_failed(const pl_load_result_t *result);

/* One JSON object and a newline. begin_us: when counting began; cpu_us: of the whole process. */
void pl_load_result_print(const pl_load_result_t *result, const pl_load_options_t *options,
                          int64_t begin_us, int64_t cpu_us);

/* The same for --kind streams, when all have answered and at the end. ramp_us: how long opening
 * took. */
void pl_load_result_print_streams(const pl_load_result_t *result, const char *when,
                                  int64_t ramp_us);

#endif
