#include "load/requests.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "load/stop.h"

/* Longer than parleyd's deadline for a request. */
#define LAST_ANSWERS_US 10000000
/* An event that has not arrived by then is lost. */
#define LAST_EVENTS_US 5000000

enum fate { ACCEPTED = 1, RECEIVED = 2 };

static void push_idle(pl_load_requests_t *requests, pl_load_slot_t *slot)
{
    slot->next_idle = NULL;
    if (requests->idle_first == NULL)
        requests->idle_first = slot;
    else
        requests->idle_last->next_idle = slot;
    requests->idle_last = slot;
}

static pl_load_slot_t *pop_idle(pl_load_requests_t *requests)
{
    pl_load_slot_t *slot = requests->idle_first;
    requests->idle_first = slot->next_idle;
    return slot;
}

static void begin(pl_load_requests_t *requests, pl_load_slot_t *slot, int64_t begin_us)
{
    pl_load_request_t request;

    slot->begin_us = begin_us;
    slot->number = requests->generator->sequence;
    pl_load_generator_next(requests->generator, begin_us, &request);
    requests->in_flight++;
    pl_load_conn_submit(slot, &request);
}

static char *fate_of(pl_load_requests_t *requests, uint64_t sequence)
{
    pl_buffer_t *fates = &requests->fates;

    if (sequence >= fates->len) {
        size_t extra = (size_t)(sequence + 1 - fates->len);
        memset(pl_buffer_reserve(fates, extra), 0, extra);
        fates->len += extra;
    }
    return &fates->data[sequence];
}

static void accepted(pl_load_requests_t *requests, uint64_t sequence)
{
    char *fate = fate_of(requests, sequence);

    *fate |= ACCEPTED;
    requests->result->messages_sent++;
    if ((*fate & RECEIVED) == 0)
        requests->pending++;
}

void pl_load_requests_received(pl_load_requests_t *requests, uint64_t sequence, int64_t intended_us,
                               int64_t now_us)
{
    if (sequence >= requests->generator->sequence)
        return; /* not a message of this program */
    char *fate = fate_of(requests, sequence);

    if ((*fate & RECEIVED) != 0) {
        requests->result->messages_doubled++;
        return;
    }
    if ((*fate & ACCEPTED) != 0)
        requests->pending--;
    *fate |= RECEIVED;
    requests->result->messages_received++;
    if (intended_us >= requests->from_us && intended_us < requests->end_us)
        pl_load_histogram_add(&requests->result->event_latency, now_us - intended_us);
}

static void count(pl_load_requests_t *requests, const pl_load_slot_t *slot, bool lost,
                  int64_t now_us)
{
    pl_load_result_t *result = requests->result;
    bool reads = requests->options->kind == PL_LOAD_CONVERSATIONS ||
                 requests->options->kind == PL_LOAD_MESSAGES;
    bool good = (slot->status >= 200 && slot->status < 300) || slot->status == 304;

    result->requests++;
    if (now_us < requests->end_us)
        result->in_time++;
    if (lost) {
        result->lost++;
    } else if (good && reads && requests->options->validate &&
               (slot->status != 200 || slot->body_bytes == 0)) {
        result->invalid++;
    } else {
        result->statuses[slot->status < PL_LOAD_STATUS_MAX ? slot->status : 0]++;
        if (good)
            pl_load_histogram_add(&result->latency, now_us - slot->begin_us);
    }
}

static void on_done(pl_load_slot_t *slot, bool lost)
{
    pl_load_requests_t *requests = slot->conn->group->owner;
    int64_t now_us = pl_clock_monotonic_us();
    int64_t belongs_us = requests->interval_us > 0 ? slot->begin_us : now_us;

    requests->in_flight--;
    requests->result->total++;
    if (requests->options->kind == PL_LOAD_PUSH && !lost && slot->status / 100 == 2)
        accepted(requests, slot->number);
    if (belongs_us >= requests->from_us && belongs_us < requests->end_us)
        count(requests, slot, lost, now_us);
    if (requests->interval_us > 0 || now_us >= requests->end_us)
        push_idle(requests, slot);
    else
        begin(requests, slot, pl_clock_monotonic_us());
}

static const pl_load_conn_callbacks_t callbacks = {.on_done = on_done};

void pl_load_requests_init(pl_load_requests_t *requests, const pl_load_options_t *options,
                           pl_load_generator_t *generator, pl_load_result_t *result, int epoll,
                           uint32_t connections)
{
    *requests = (pl_load_requests_t){
        .options = options,
        .generator = generator,
        .result = result,
        .group = {.options = options,
                  .callbacks = &callbacks,
                  .owner = requests,
                  .epoll = epoll,
                  .reopens = true},
        .conns = pl_calloc(connections, sizeof(pl_load_conn_t *)),
        .conn_count = connections,
    };
    for (uint32_t i = 0; i < connections; i++)
        requests->conns[i] = pl_load_conn_create(&requests->group, options->streams);
    for (uint32_t slot = 0; slot < options->streams; slot++)
        for (uint32_t i = 0; i < connections; i++)
            push_idle(requests, &requests->conns[i]->slots[slot]);
}

void pl_load_requests_dispose(pl_load_requests_t *requests)
{
    for (uint32_t i = 0; i < requests->conn_count; i++)
        pl_load_conn_destroy(&requests->conns[i]);
    free(requests->conns);
    pl_buffer_dispose(&requests->fates);
}

static int64_t due_us(const pl_load_requests_t *requests, uint64_t number)
{
    return requests->start_us + (int64_t)((double)number * requests->interval_us);
}

/* The number of requests that are due and were not sent. */
static uint64_t backlog(const pl_load_requests_t *requests, int64_t now_us)
{
    int64_t until_us = now_us < requests->end_us ? now_us : requests->end_us;
    double due = ceil((double)(until_us - requests->start_us) / requests->interval_us);
    return due > (double)requests->next ? (uint64_t)due - requests->next : 0;
}

static void begin_due(pl_load_requests_t *requests, int64_t now_us)
{
    while (requests->idle_first != NULL) {
        int64_t due = due_us(requests, requests->next);
        if (due > now_us || due >= requests->end_us)
            return;
        requests->next++;
        begin(requests, pop_idle(requests), due);
    }
    uint64_t waiting = backlog(requests, now_us);
    if (waiting > requests->result->backlog_max)
        requests->result->backlog_max = waiting;
}

static void begin_all(pl_load_requests_t *requests)
{
    /* Counted, not until none is idle: a callback that fails at once puts its slot back. */
    for (uint32_t i = requests->conn_count * requests->options->streams; i > 0; i--)
        begin(requests, pop_idle(requests), pl_clock_monotonic_us());
}

static bool is_over(const pl_load_requests_t *requests, int64_t now_us)
{
    if (now_us < requests->end_us)
        return false;
    if (requests->in_flight == 0)
        return requests->pending == 0 || now_us >= requests->end_us + LAST_EVENTS_US;
    return now_us >= requests->end_us + LAST_ANSWERS_US;
}

static void finish(pl_load_requests_t *requests)
{
    pl_load_result_t *result = requests->result;

    result->end_us = requests->end_us;
    result->unanswered = requests->in_flight;
    result->requests += requests->in_flight;
    result->messages_lost = requests->pending;
    result->bytes_received += requests->group.bytes_received;
    if (requests->interval_us > 0)
        result->backlog = backlog(requests, requests->end_us);
}

void pl_load_requests_run(pl_load_requests_t *requests, int64_t start_us, uint32_t thread)
{
    const pl_load_options_t *options = requests->options;
    int64_t now_us;

    if (options->rate > 0) {
        requests->interval_us = 1e6 * options->threads / options->rate;
        /* The threads take turns. */
        start_us += (int64_t)(1e6 * thread / options->rate);
    }
    requests->start_us = start_us;
    requests->from_us = start_us + (int64_t)(options->warmup * 1e6);
    requests->end_us = requests->from_us + (int64_t)(options->seconds * 1e6);
    if (requests->interval_us == 0)
        begin_all(requests);
    while (now_us = pl_clock_monotonic_us(), !is_over(requests, now_us)) {
        int64_t wake_us = now_us < requests->end_us ? requests->end_us
                                                    : requests->end_us + LAST_ANSWERS_US;
        if (pl_load_is_stopped() && now_us < requests->end_us)
            requests->end_us = now_us;
        if (requests->interval_us > 0 && now_us < requests->end_us) {
            begin_due(requests, now_us);
            if (requests->idle_first != NULL && due_us(requests, requests->next) < wake_us)
                wake_us = due_us(requests, requests->next);
        }
        pl_load_conn_flush_all(&requests->group);
        pl_load_conn_wait(requests->group.epoll, wake_us);
    }
    finish(requests);
}
