/*
 * Sends and counts the requests of one thread.
 *
 * Closed loop: each slot sends its next request as soon as the previous one is answered. Requests
 * that are answered between from_us and end_us count, with the time since they were sent.
 *
 * Open loop (options->rate): request k is due at start + k / rate, whether or not earlier requests
 * were answered. Requests that are due between from_us and end_us count, with the time since they
 * were due. So if the server stalls, all requests of that time are late. A request that is due
 * while no slot is free waits; the waiting requests are the backlog.
 */
#ifndef PL_LOAD_REQUESTS_H
#define PL_LOAD_REQUESTS_H

#include <stdint.h>

#include "load/conn.h"
#include "load/result.h"

typedef struct pl_load_requests {
    const pl_load_options_t *options;
    pl_load_generator_t *generator;
    pl_load_result_t *result;
    pl_load_conn_group_t group;
    pl_load_conn_t **conns;
    uint32_t conn_count;
    pl_load_slot_t *idle_first;
    pl_load_slot_t *idle_last;
    uint64_t in_flight;
    int64_t start_us;
    int64_t from_us;
    int64_t end_us;
    double interval_us; /* 0: closed loop */
    uint64_t next;      /* open loop: the next request */
    pl_buffer_t fates;  /* push: a byte for each message that was sent */
    uint64_t pending;   /* push: accepted, and not yet received */
} pl_load_requests_t;

/* Opens the connections. The arguments must outlive the requests. */
void pl_load_requests_init(pl_load_requests_t *requests, const pl_load_options_t *options,
                           pl_load_generator_t *generator, pl_load_result_t *result, int epoll,
                           uint32_t connections);
void pl_load_requests_dispose(pl_load_requests_t *requests);

/* Runs from start_us (monotonic, the same for all threads) to the end, and waits for the last
 * answers. */
void pl_load_requests_run(pl_load_requests_t *requests, int64_t start_us, uint32_t thread);

/* Push: a receiver got a message of this thread's generator. */
void pl_load_requests_received(pl_load_requests_t *requests, uint64_t sequence, int64_t intended_us,
                               int64_t now_us);

#endif
