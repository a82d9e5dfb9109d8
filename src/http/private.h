/* What the files of src/http share. Nothing outside includes it. */
#ifndef PL_HTTP_PRIVATE_H
#define PL_HTTP_PRIVATE_H

#include <stdatomic.h>

#include "base/metrics.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/response_body.h"
#include "http/router.h"
#include "http/server.h"
#include "http/stream.h"
#include "http/watcher.h"
#include "loop/timer.h"

#define PL_REQUEST_ID_SIZE 65

/* A response without progress is looked at so many times until it counts as stalled: it is closed
 * at the latest a part of the time limit after it. */
#define PL_STALL_CHECKS 4

typedef struct pl_connection pl_connection_t;
typedef struct pl_router_entry pl_router_entry_t;

/* ---- server.c, listener.c ---- */

struct pl_server {
    pl_server_options_t options;
    const pl_router_t *router;
    h2o_globalconf_t h2o;
    uint16_t port;
    int *listeners;                         /* one per worker; -1 once its worker has it */
    _Atomic(pl_server_worker_t *) *workers; /* NULL while it does not accept */
    atomic_uint connections;
    atomic_uint_fast64_t requests;
    atomic_uint_fast64_t streams;
    pl_gauge_t connections_gauge;
    pl_counter_t connections_counter;
};

struct pl_server_worker {
    pl_server_t *server;
    pl_loop_t *loop;
    unsigned index;
    void *context;
    pl_auth_t *auth;
    h2o_context_t h2o;
    h2o_accept_ctx_t accept;
    h2o_socket_t *listener; /* NULL before the start and in the drain */
    pl_watcher_t *watcher;
    pl_timer_queue_t *stall_queue;
    pl_timer_t accept_again; /* armed while the listener rests */
    pl_timer_t drain_sweep;
    pl_deferred_t disposal;
    h2o_linklist_t connections;
    h2o_linklist_t requests;       /* those that libh2o has */
    unsigned handles;              /* with those that only their owners have */
    atomic_uint connections_count; /* with those handed over and not yet taken */
    atomic_uint handed_over;
    bool draining; /* also while it is being destroyed: drain_sweep serves both */
    unsigned destroy_sweeps;
    void (*on_destroyed)(void *owner);
    void *owner;
};

/* Which worker a request of libh2o's belongs to. */
static inline pl_server_worker_t *pl_server_worker_of(const h2o_req_t *req)
{
    return H2O_STRUCT_FROM_MEMBER(pl_server_worker_t, h2o, req->conn->ctx);
}

/* Binds and listens: `count` sockets on one port. -1 with nothing open. */
int pl_listener_open(const char *address, uint16_t port, unsigned count, int *sockets_r,
                     uint16_t *port_r, pl_error_t *error) PL_MUST_USE;
void pl_listener_start(pl_server_worker_t *worker);
void pl_listener_stop(pl_server_worker_t *worker);

/* ---- connection.c: one per accepted socket, and what its client may do ---- */

/* Takes the descriptor over and starts HTTP on it. */
void pl_connection_accept(pl_server_worker_t *worker, int fd);
pl_connection_t *pl_connection_of(const h2o_req_t *req);

/* A request begins; false if the connection has as many in flight as it may, or is being closed. */
bool pl_connection_enter(pl_connection_t *connection, const h2o_req_t *req);
/* libh2o has let go of it; `reset`: the client cancelled it at once. */
void pl_connection_leave(pl_connection_t *connection, bool reset);
/* Its work is done: the handle is freed. The connection may be gone after this. */
void pl_connection_settle(pl_connection_t *connection);

/* Closes those that only wait for a next request. */
void pl_connection_close_idle(pl_server_worker_t *worker);
void pl_connection_close_all(pl_server_worker_t *worker);

/* ---- request.c ---- */

enum pl_request_state { PL_REQUEST_LIVE, PL_REQUEST_ANSWERED, PL_REQUEST_GONE };

struct pl_request {
    h2o_req_t *req; /* NULL once libh2o has disposed of it */
    pl_server_worker_t *worker;
    pl_connection_t *connection;
    const pl_router_entry_t *route; /* NULL: none matched */
    h2o_linklist_t link;            /* worker->requests */
    unsigned refs;
    enum pl_request_state state;
    bool is_head;
    bool has_claims;
    pl_token_claims_t claims;
    pl_slice_t parameters[PL_ROUTE_MAX_PARAMETERS];
    pl_request_gone_fn on_gone;
    void *owner;
    int64_t started_us;
    pl_watch_t watch;
    pl_timer_t stall; /* armed while a response is on its way */
    uint64_t progress;
    unsigned idle_checks;         /* in a row that found none */
    size_t reply_len;             /* of the response's body, if it is not a stream */
    void (*release)(void *owner); /* of the response's body */
    void *release_owner;
    pl_response_body_t *body; /* that is produced over time; NULL: none */
    char id[PL_REQUEST_ID_SIZE];
};

/* Wraps libh2o's request; the reference belongs to libh2o's side. */
pl_request_t *pl_request_create(h2o_req_t *req);

/* The client's X-Request-Id if it is usable, else a new one. */
void pl_request_choose_id(const h2o_req_t *req, char id_r[PL_REQUEST_ID_SIZE]);

/* Ends the request because the worker is being destroyed: a live one gets a 503, a response that is
 * produced over time is cut off. */
void pl_request_shut_down(pl_request_t *request);

/* LIVE -> ANSWERED: reply.c and stream.c. */
void pl_request_set_answered(pl_request_t *request, int status);

/* Cuts the response off: the stream of an HTTP/2 connection alone, the whole of an HTTP/1 one. */
void pl_request_cut(pl_request_t *request);

/* Notes how far the response is, and waits for more. */
void pl_request_await_progress(pl_request_t *request);

/* ---- http2_reset.c ---- */

void pl_http2_reset_stream(h2o_req_t *req);

/* ---- reply.c ---- */

const char *pl_reply_reason(int status);
/* Adds a header with a copied value. `name` is a literal in lower case. */
void pl_reply_add_header(h2o_req_t *req, const char *name, const char *value);

/* ---- problem.c ---- */

/* With further headers. */
void pl_problem_reply_with(pl_request_t *request, pl_problem_t problem, pl_reply_t *reply,
                           const char *format, ...) PL_PRINTF(4, 5);

/* ---- router.c, authenticate.c ---- */

void pl_router_dispatch(const pl_router_t *router, pl_request_t *request);
/* The operation's name, or "none". */
const char *pl_router_entry_operation(const pl_router_entry_t *entry);
/* 0: claims are filled or not needed. -1: the request was answered. */
int pl_authenticate(pl_request_t *request, unsigned flags) PL_MUST_USE;

/* ---- measure.c: the metrics of requests and streams ---- */

typedef struct pl_measure_route {
    pl_counter_t by_class[5]; /* 2xx, 3xx, 4xx, 5xx, gone */
    pl_histogram_t duration;
} pl_measure_route_t;

/* Registers them; again does nothing. */
void pl_measure_init(void);
void pl_measure_route_init(pl_measure_route_t *measure, const char *operation);
void pl_measure_request_start(size_t body_len);
/* status 0: the client left before. */
void pl_measure_request_end(const pl_request_t *request, int status);
void pl_measure_body_sent(size_t len);
void pl_measure_request_freed(void);
void pl_measure_stream_start(void);
void pl_measure_stream_end(pl_stream_reason_t reason);
void pl_measure_connection_closed(const char *reason);
/* NULL without an entry. */
const pl_measure_route_t *pl_router_entry_measure(const pl_router_entry_t *entry);

/* ---- error_filter.c ---- */

/* Turns libh2o's own text/plain errors into problem details. */
void pl_error_filter_register(h2o_pathconf_t *pathconf);

#endif
