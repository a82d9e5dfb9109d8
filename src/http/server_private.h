/* The fields of a server and of its workers, for the files of src/http. */
#ifndef PL_HTTP_SERVER_PRIVATE_H
#define PL_HTTP_SERVER_PRIVATE_H

#include <h2o.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/metrics.h"
#include "base/tally.h"
#include "http/server_options.h"
#include "http/watcher.h"
#include "loop/loop.h"
#include "loop/timer.h"

typedef struct pl_server_worker pl_server_worker_t;

typedef struct pl_server {
    pl_server_options_t options;
    const struct pl_router *router;
    h2o_globalconf_t h2o;
    uint16_t port;
    int *listeners;                         /* one per worker; -1 once its worker has it */
    _Atomic(pl_server_worker_t *) *workers; /* NULL while it does not accept */
    atomic_uint connections;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t streams;
    atomic_uint_fast64_t unsent; /* bytes of large answers, of all workers */
    pl_gauge_t connections_gauge;
    pl_counter_t connections_counter;
} pl_server_t;

/* Belongs to its loop's thread, except for what is atomic. */
struct pl_server_worker {
    pl_server_t *server;
    pl_loop_t *loop;
    unsigned index;
    void *context;
    struct pl_auth *auth;
    h2o_context_t h2o;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener; /* NULL before the start and in the drain */
    pl_watcher_t *watcher;
    pl_timer_queue_t *stall_queue;
    pl_timer_t accept_again; /* armed while the listener rests */
    pl_timer_t drain_sweep;
    pl_deferred_t disposal;
    pl_tally_t *user_requests; /* in flight, by user (http/budget.h) */
    pl_tally_t *user_unsent;   /* bytes, by user */
    pl_tally_t *user_shares[PL_SHARES];
    pl_tally_t *address_shares[PL_SHARES];
    h2o_linklist_t connections;
    h2o_linklist_t requests;       /* those that libh2o has not disposed of */
    unsigned handles;              /* all that are not freed, so also those without a client */
    atomic_uint connections_count; /* with those handed over and not yet taken */
    atomic_uint handed_over;
    bool draining; /* also while it is being destroyed: drain_sweep serves both */
    unsigned destroy_sweeps;
    void (*on_destroyed)(void *owner);
    void *owner;
};

/* The worker that a request of libh2o's belongs to. */
static inline pl_server_worker_t *pl_server_worker_of(const h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(pl_server_worker_t, h2o, req->conn->ctx);
}

#endif
