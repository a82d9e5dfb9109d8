#include "http/measure.h"

#include <stdio.h>

#include "base/clock.h"

#define REQUESTS_NAME "parley_http_requests_total"
#define REQUESTS_HELP "Requests by operation and by the class of the answer's status."
#define DURATION_NAME "parley_http_request_duration_seconds"
#define DURATION_HELP "From the complete request to the answer, by operation."
#define STREAMS_NAME "parley_http_streams_closed_total"
#define STREAMS_HELP "Streams that ended, by reason."
#define REFUSED_NAME "parley_http_refused_total"
#define REFUSED_HELP "Requests that got 429 or 503 because of a limit, by the limit."
#define LIMIT_NAME "parley_http_connections_closed_total"
#define LIMIT_HELP "Connections that were closed because their client went over a limit."

void pl_measure_route_init(pl_measure_route_t *route, const char *operation)
{
    static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx", "gone"};
    char labels[160];
    route->operation = operation;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        snprintf(labels, sizeof(labels), "operation=\"%s\",status=\"%s\"", operation, classes[i]);
        route->by_class[i] = pl_counter_register(REQUESTS_NAME, REQUESTS_HELP, labels);
    }
    snprintf(labels, sizeof(labels), "operation=\"%s\"", operation);
    route->duration = pl_histogram_register(DURATION_NAME, DURATION_HELP, labels,
                                            pl_histogram_latency_us, pl_histogram_latency_us_count,
                                            1e-6);
}

static pl_gauge_t in_flight;
static pl_gauge_t streams_open;
static pl_counter_t received_bytes;
static pl_counter_t sent_bytes;
static pl_counter_t streams_closed[PL_STREAM_ABORTED + 1];
static pl_gauge_t unsent_bytes;
static pl_counter_t refused[PL_LIMITS];

void pl_measure_init(void)
{
    static const char *const reasons[] = {
        [PL_STREAM_ENDED] = "reason=\"ended\"",       [PL_STREAM_GONE] = "reason=\"gone\"",
        [PL_STREAM_OVERFLOW] = "reason=\"overflow\"", [PL_STREAM_STALLED] = "reason=\"stalled\"",
        [PL_STREAM_ABORTED] = "reason=\"aborted\"",
    };
    static const char *const limits[PL_LIMITS] = {
        [PL_LIMIT_USER_REQUESTS] = "limit=\"user-requests\"",
        [PL_LIMIT_USER_UNSENT] = "limit=\"user-unsent\"",
        [PL_LIMIT_CONNECTION_UNSENT] = "limit=\"connection-unsent\"",
        [PL_LIMIT_PROCESS_UNSENT] = "limit=\"process-unsent\"",
        [PL_LIMIT_USER_SHARE] = "limit=\"user-share\"",
        [PL_LIMIT_ADDRESS_SHARE] = "limit=\"address-share\"",
    };
    in_flight = pl_gauge_register("parley_http_requests_in_flight",
                                  "Requests whose work is not done.", NULL);
    streams_open = pl_gauge_register("parley_http_streams", "Open event streams.", NULL);
    received_bytes = pl_counter_register("parley_http_received_body_bytes_total",
                                         "Bytes of request bodies.", NULL);
    sent_bytes = pl_counter_register("parley_http_sent_body_bytes_total",
                                     "Bytes of response bodies.", NULL);
    for (size_t i = 0; i <= PL_STREAM_ABORTED; i++)
        streams_closed[i] = pl_counter_register(STREAMS_NAME, STREAMS_HELP, reasons[i]);
    unsent_bytes = pl_gauge_register("parley_http_unsent_body_bytes",
                                     "Bytes of large answers that wait for their clients.", NULL);
    for (size_t i = PL_LIMIT_NONE + 1; i < PL_LIMITS; i++)
        refused[i] = pl_counter_register(REFUSED_NAME, REFUSED_HELP, limits[i]);
}

void pl_measure_request_start(size_t body_len)
{
    pl_gauge_add(in_flight, 1);
    if (body_len > 0)
        pl_counter_add(received_bytes, body_len);
}

void pl_measure_request_end(const pl_measure_route_t *route, int status, int64_t started_us)
{
    size_t class = status == 0 ? 4 : status < 300 ? 0 : status < 400 ? 1 : status < 500 ? 2 : 3;
    pl_counter_add(route->by_class[class], 1);
    if (status != 0)
        pl_histogram_observe(route->duration, (uint64_t)(pl_clock_monotonic_us() - started_us));
}

void pl_measure_body_sent(size_t len)
{
    pl_counter_add(sent_bytes, len);
}

void pl_measure_request_freed(void)
{
    pl_gauge_add(in_flight, -1);
}

void pl_measure_stream_start(void)
{
    pl_gauge_add(streams_open, 1);
}

void pl_measure_stream_end(pl_stream_reason_t reason)
{
    pl_gauge_add(streams_open, -1);
    pl_counter_add(streams_closed[reason], 1);
}

void pl_measure_refused(pl_limit_t limit)
{
    pl_counter_add(refused[limit], 1);
}

void pl_measure_unsent(int64_t change)
{
    pl_gauge_add(unsent_bytes, change);
}

void pl_measure_connection_closed(const char *reason)
{
    char labels[64];
    snprintf(labels, sizeof(labels), "reason=\"%s\"", reason);
    pl_counter_add(pl_counter_register(LIMIT_NAME, LIMIT_HELP, labels), 1);
}
