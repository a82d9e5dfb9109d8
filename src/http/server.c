#include "http/server.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "http/connection.h"
#include "http/error_filter.h"
#include "http/listener.h"
#include "http/measure.h"
#include "http/request_private.h"
#include "http/server_private.h"

/* libh2o's timer for a whole request (headers and body) and for an idle HTTP/1 connection: what
 * a slow upload of the largest body may take. */
#define HTTP1_REQUEST_TIMEOUT_MS 30000
/* How long an HTTP/2 connection may stay without requests: longer than proxies keep theirs. */
#define HTTP2_IDLE_TIMEOUT_MS 60000
/* libh2o's own limit on bodies is above ours. On HTTP/2 it resets the stream with REFUSED_STREAM,
 * after which clients try again; our limit answers 413. */
#define BODY_HEADROOM 2
/* Between two checks for idle connections in the drain, and between two checks whether all
 * connections have ended. */
#define DRAIN_SWEEP_MS 200
/* If work still holds a request after so many checks, it will not end, and the process is ended. */
#define DESTROY_SWEEPS 10

struct handler {
    h2o_handler_t super;
    const pl_router_t *router;
};

static int on_request(h2o_handler_t *super, h2o_req_t *req)
{
    pl_router_dispatch(((struct handler *)super)->router, pl_request_create(req));
    return 0;
}

static void configure(pl_server_t *server)
{
    const pl_server_options_t *options = &server->options;
    h2o_globalconf_t *conf = &server->h2o;
    h2o_config_init(conf);
    conf->server_name = (h2o_iovec_t){NULL, 0};
    conf->max_request_entity_size = options->max_request_body * BODY_HEADROOM;
    conf->http1.req_timeout = HTTP1_REQUEST_TIMEOUT_MS;
    conf->http2.idle_timeout = HTTP2_IDLE_TIMEOUT_MS;
    conf->http2.graceful_shutdown_timeout = (uint64_t)options->drain_timeout_s * 1000;

    h2o_hostconf_t *host = h2o_config_register_host(conf, h2o_iovec_init(H2O_STRLIT("default")),
                                                    65535);
    host->http2.push_preload = 0;
    pl_error_filter_register(&host->fallback_path);
    h2o_pathconf_t *path = h2o_config_register_path(host, "/", 0);
    pl_error_filter_register(path);
    struct handler *handler = (struct handler *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = on_request;
    handler->router = server->router;
}

int pl_server_create(const pl_server_options_t *options, const pl_router_t *router,
                     pl_server_t **server_r, pl_error_t *error)
{
    char labels[64];
    assert(options->workers >= 1);
    pl_server_t *server = pl_calloc(1, sizeof(*server));
    server->listeners = pl_calloc(options->workers, sizeof(*server->listeners));
    if (pl_listener_open(options->address, options->port, options->workers, server->listeners,
                         &server->port, error) != 0) {
        free(server->listeners);
        free(server);
        return -1;
    }
    server->options = *options;
    server->options.name = pl_strdup(options->name);
    server->options.address = pl_strdup(options->address);
    if (options->cookie_name != NULL)
        server->options.cookie_name = pl_strdup(options->cookie_name);
    if (options->trusted_proxies != NULL)
        server->options.trusted_proxies = pl_strdup(options->trusted_proxies);
    server->router = router;
    server->workers = pl_calloc(options->workers, sizeof(*server->workers));
    snprintf(labels, sizeof(labels), "server=\"%s\"", options->name);
    server->connections_gauge = pl_gauge_register("parley_http_connections", "Open connections.",
                                                  labels);
    server->connections_counter = pl_counter_register("parley_http_connections_accepted_total",
                                                      "Connections that were accepted.", labels);
    pl_measure_init();
    signal(SIGPIPE, SIG_IGN);
    configure(server);
    *server_r = server;
    return 0;
}

void pl_server_destroy(pl_server_t **server_p)
{
    pl_server_t *server = *server_p;
    if (server == NULL)
        return;
    for (unsigned i = 0; i < server->options.workers; i++)
        if (server->listeners[i] >= 0)
            close(server->listeners[i]);
    h2o_config_dispose(&server->h2o);
    free((void *)(uintptr_t)server->options.name);
    free((void *)(uintptr_t)server->options.address);
    free((void *)(uintptr_t)server->options.cookie_name);
    free((void *)(uintptr_t)server->options.trusted_proxies);
    free(server->listeners);
    free(server->workers);
    free(server);
    *server_p = NULL;
}

uint16_t pl_server_port(const pl_server_t *server)
{
    return server->port;
}

pl_server_worker_t *pl_server_worker_create(pl_server_t *server, pl_loop_t *loop, unsigned index,
                                            void *context, pl_auth_t *auth)
{
    assert(pl_loop_is_own(loop) && index < server->options.workers);
    pl_server_worker_t *worker = pl_calloc(1, sizeof(*worker));
    worker->server = server;
    worker->loop = loop;
    worker->index = index;
    worker->context = context;
    worker->auth = auth;
    h2o_context_init(&worker->h2o, pl_loop_h2o(loop), &server->h2o);
    worker->accept.ctx = &worker->h2o;
    worker->accept.hosts = server->h2o.hosts;
    worker->watcher = pl_watcher_create(loop);
    worker->stall_queue = pl_timer_queue(loop, (uint64_t)server->options.stream_stall_s * 1000 /
                                                   PL_REQUEST_STALL_CHECKS);
    worker->user_requests = pl_tally_create();
    worker->user_unsent = pl_tally_create();
    for (size_t i = 0; i < PL_SHARES; i++) {
        worker->user_shares[i] = pl_tally_create();
        worker->address_shares[i] = pl_tally_create();
    }
    h2o_linklist_init_anchor(&worker->connections);
    h2o_linklist_init_anchor(&worker->requests);
    return worker;
}

void pl_server_worker_start(pl_server_worker_t *worker)
{
    pl_listener_start(worker);
}

static void on_drain_sweep(pl_timer_t *timer)
{
    pl_server_worker_t *worker = H2O_STRUCT_FROM_MEMBER(pl_server_worker_t, drain_sweep, timer);
    pl_connection_close_idle(worker);
    if (!h2o_linklist_is_empty(&worker->connections))
        pl_timer_arm(pl_timer_queue(worker->loop, DRAIN_SWEEP_MS), timer);
}

void pl_server_worker_drain(pl_server_worker_t *worker)
{
    assert(pl_loop_is_own(worker->loop));
    if (worker->draining)
        return;
    worker->draining = true;
    pl_listener_stop(worker);
    h2o_context_request_shutdown(&worker->h2o);
    worker->drain_sweep.on_fire = on_drain_sweep;
    on_drain_sweep(&worker->drain_sweep);
}

/* Drops held requests and cuts streams: libh2o has no event that would end them. */
static void end_requests(pl_server_worker_t *worker)
{
    h2o_linklist_t *node = worker->requests.next;
    while (node != &worker->requests) {
        pl_request_t *request = H2O_STRUCT_FROM_MEMBER(pl_request_t, link, node);
        node = node->next;
        pl_request_shut_down(request);
    }
}

/* Deferred to the end of the turn: libh2o walks its timeouts while it runs callbacks, and the
 * context takes its own out of that list. */
static void free_worker(pl_deferred_t *deferred)
{
    pl_server_worker_t *worker = H2O_STRUCT_FROM_MEMBER(pl_server_worker_t, disposal, deferred);
    void (*on_destroyed)(void *) = worker->on_destroyed;
    void *owner = worker->owner;
    pl_timer_disarm(&worker->drain_sweep);
    pl_watcher_destroy(&worker->watcher);
    /* The drain's last step; h2o_context_dispose asserts that no timer is armed. */
    if (h2o_timeout_is_linked(&worker->h2o.http2._graceful_shutdown_timeout))
        h2o_timeout_unlink(&worker->h2o.http2._graceful_shutdown_timeout);
    h2o_multithread_queue_t *queue = worker->h2o.queue;
    h2o_context_dispose(&worker->h2o);
    free(queue); /* h2o_context_dispose takes it apart and forgets to */
    pl_tally_destroy(&worker->user_requests);
    pl_tally_destroy(&worker->user_unsent);
    for (size_t i = 0; i < PL_SHARES; i++) {
        pl_tally_destroy(&worker->user_shares[i]);
        pl_tally_destroy(&worker->address_shares[i]);
    }
    free(worker);
    if (on_destroyed != NULL)
        on_destroyed(owner);
}

/* Runs again until libh2o has closed every connection, which takes a few turns of the loop. */
static void on_destroy_sweep(pl_timer_t *timer)
{
    pl_server_worker_t *worker = H2O_STRUCT_FROM_MEMBER(pl_server_worker_t, drain_sweep, timer);
    end_requests(worker);
    pl_connection_close_all(worker);
    bool is_busy = !h2o_linklist_is_empty(&worker->connections) || worker->handles > 0 ||
                   atomic_load_explicit(&worker->handed_over, memory_order_relaxed) > 0;
    if (!is_busy)
        pl_loop_defer(worker->loop, &worker->disposal);
    else if (++worker->destroy_sweeps < DESTROY_SWEEPS)
        pl_timer_arm(pl_timer_queue(worker->loop, DRAIN_SWEEP_MS), timer);
    else if (worker->on_destroyed != NULL)
        worker->on_destroyed(worker->owner);
}

void pl_server_worker_destroy(pl_server_worker_t **worker_p, void (*on_destroyed)(void *),
                              void *owner)
{
    pl_server_worker_t *worker = *worker_p;
    *worker_p = NULL;
    assert(pl_loop_is_own(worker->loop) && worker->disposal.run == NULL);
    worker->draining = true;
    worker->on_destroyed = on_destroyed;
    worker->owner = owner;
    pl_listener_stop(worker);
    pl_timer_disarm(&worker->drain_sweep);
    worker->drain_sweep.on_fire = on_destroy_sweep;
    worker->disposal.run = free_worker;
    end_requests(worker);
    pl_connection_close_all(worker);
    pl_timer_arm(pl_timer_queue(worker->loop, PL_TIMER_TICK_MS), &worker->drain_sweep);
}

void pl_server_read_stats(const pl_server_t *server, pl_server_stats_t *stats_r)
{
    stats_r->connections = atomic_load_explicit(&server->connections, memory_order_relaxed);
    stats_r->requests_in_flight = atomic_load_explicit(&server->requests, memory_order_relaxed);
    stats_r->streams = atomic_load_explicit(&server->streams, memory_order_relaxed);
}
