#include "load/result.h"

#include <math.h>
#include <stdio.h>

#include "base/json_write.h"

static bool is_good(unsigned status)
{
    return (status >= 200 && status < 300) || status == 304;
}

void pl_load_result_merge(pl_load_result_t *into, const pl_load_result_t *from)
{
    into->requests += from->requests;
    into->in_time += from->in_time;
    into->total += from->total;
    for (unsigned i = 0; i < PL_LOAD_STATUS_MAX; i++)
        into->statuses[i] += from->statuses[i];
    into->lost += from->lost;
    into->unanswered += from->unanswered;
    into->invalid += from->invalid;
    pl_load_histogram_merge(&into->latency, &from->latency);
    if (from->end_us > into->end_us)
        into->end_us = from->end_us;
    into->backlog += from->backlog;
    into->backlog_max += from->backlog_max;
    into->bytes_received += from->bytes_received;
    into->streams_wanted += from->streams_wanted;
    into->streams_open += from->streams_open;
    into->streams_refused += from->streams_refused;
    into->streams_closed += from->streams_closed;
    into->events += from->events;
    into->messages_sent += from->messages_sent;
    into->messages_received += from->messages_received;
    into->messages_lost += from->messages_lost;
    into->messages_doubled += from->messages_doubled;
    pl_load_histogram_merge(&into->event_latency, &from->event_latency);
}

uint64_t pl_load_result_failed(const pl_load_result_t *result)
{
    uint64_t failed = result->lost + result->unanswered + result->invalid;

    for (unsigned i = 0; i < PL_LOAD_STATUS_MAX; i++)
        failed += is_good(i) ? 0 : result->statuses[i];
    return failed;
}

static void put_count(pl_buffer_t *out, const char *key, uint64_t value)
{
    pl_json_key(out, key);
    pl_json_int64(out, (int64_t)value);
}

static void put_number(pl_buffer_t *out, const char *key, double value)
{
    pl_json_key(out, key);
    pl_buffer_appendf(out, "%.*f", fabs(value) < 100 ? 3 : 1, value);
}

static void put_failures(pl_buffer_t *out, const pl_load_result_t *result)
{
    char name[16];

    pl_json_key(out, "failed_by_status");
    pl_json_object_begin(out);
    for (unsigned i = 0; i < PL_LOAD_STATUS_MAX; i++) {
        if (!is_good(i) && result->statuses[i] > 0) {
            (void)snprintf(name, sizeof(name), "%u", i);
            put_count(out, name, result->statuses[i]);
        }
    }
    if (result->lost > 0)
        put_count(out, "lost", result->lost);
    if (result->unanswered > 0)
        put_count(out, "unanswered", result->unanswered);
    if (result->invalid > 0)
        put_count(out, "invalid", result->invalid);
    pl_json_object_end(out);
}

static void put_latency(pl_buffer_t *out, const char *key, const pl_load_histogram_t *histogram)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

    pl_json_key(out, key);
    pl_json_object_begin(out);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        pl_json_key(out, quantiles[i].name);
        pl_json_int64(out, pl_load_histogram_quantile(histogram, quantiles[i].share));
    }
    pl_json_key(out, "max");
    pl_json_int64(out, histogram->max);
    pl_json_object_end(out);
}

static void print(pl_buffer_t *out)
{
    pl_buffer_append_char(out, '\n');
    (void)fwrite(out->data, 1, out->len, stdout);
    (void)fflush(stdout);
    pl_buffer_dispose(out);
}

void pl_load_result_print(const pl_load_result_t *result, const pl_load_options_t *options,
                          int64_t begin_us, int64_t cpu_us)
{
    pl_buffer_t out = PL_BUFFER_EMPTY;
    double seconds = (double)(result->end_us - begin_us) / 1e6;

    pl_json_object_begin(&out);
    put_count(&out, "requests", result->requests);
    put_count(&out, "failed", pl_load_result_failed(result));
    put_failures(&out, result);
    put_number(&out, "seconds", seconds);
    put_number(&out, "rate", seconds > 0 ? (double)result->in_time / seconds : 0);
    put_latency(&out, "latency_us", &result->latency);
    put_count(&out, "bytes_received", result->bytes_received);
    if (options->rate > 0) {
        put_number(&out, "intended_rate", options->rate);
        put_count(&out, "backlog", result->backlog);
        put_count(&out, "backlog_max", result->backlog_max);
    }
    if (options->kind == PL_LOAD_PUSH) {
        put_latency(&out, "event_latency_us", &result->event_latency);
        put_count(&out, "receivers", result->streams_open);
        put_count(&out, "streams_closed", result->streams_closed);
        put_count(&out, "sent", result->messages_sent);
        put_count(&out, "received", result->messages_received);
        put_count(&out, "lost", result->messages_lost);
        put_count(&out, "doubled", result->messages_doubled);
    }
    put_number(&out, "cpu_us_per_request",
               result->total > 0 ? (double)cpu_us / (double)result->total : 0);
    pl_json_object_end(&out);
    print(&out);
}

void pl_load_result_print_streams(const pl_load_result_t *result, const char *when, int64_t ramp_us)
{
    pl_buffer_t out = PL_BUFFER_EMPTY;

    pl_json_object_begin(&out);
    pl_json_key(&out, "at");
    pl_json_text(&out, when);
    put_count(&out, "wanted", result->streams_wanted);
    put_count(&out, "open", result->streams_open);
    put_count(&out, "refused", result->streams_refused);
    put_count(&out, "closed", result->streams_closed);
    put_count(&out, "events", result->events);
    put_count(&out, "bytes_received", result->bytes_received);
    put_number(&out, "ramp_seconds", (double)ramp_us / 1e6);
    pl_json_object_end(&out);
    print(&out);
}
