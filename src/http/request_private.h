/* The fields of a request, and what request.c does for the other files of src/http. */
#ifndef PL_HTTP_REQUEST_PRIVATE_H
#define PL_HTTP_REQUEST_PRIVATE_H

#include <h2o.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth/claims.h"
#include "http/connection.h"
#include "http/measure.h"
#include "http/response_body.h"
#include "http/share_limits.h"
#include "http/slice.h"
#include "http/watcher.h"
#include "loop/timer.h"

struct pl_server_worker;

/* With the NUL at the end. */
#define PL_REQUEST_ID_SIZE 65

#define PL_REQUEST_MAX_PARAMETERS 4

#define PL_REQUEST_ADDRESS_SIZE INET6_ADDRSTRLEN

/* A response without progress is checked so many times until it counts as stalled. The checks are
 * that part of the time limit apart, so it is closed at the latest one part after the limit. */
#define PL_REQUEST_STALL_CHECKS 4

enum pl_request_state { PL_REQUEST_LIVE, PL_REQUEST_ANSWERED, PL_REQUEST_GONE };

typedef struct pl_request {
    h2o_req_t *req; /* NULL once libh2o has disposed of it */
    struct pl_server_worker *worker;
    pl_connection_t *connection;
    const pl_measure_route_t *route; /* NULL until the router has looked for it */
    h2o_linklist_t link;             /* worker->requests */
    unsigned refs;
    enum pl_request_state state;
    bool is_head;
    bool has_claims;
    bool is_counted; /* among the user's requests (http/budget.h) */
    pl_token_claims_t claims;
    pl_slice_t parameters[PL_REQUEST_MAX_PARAMETERS];
    void (*on_gone)(struct pl_request *request, void *owner);
    void *owner;
    int64_t started_us;
    pl_watch_t watch;
    pl_timer_t stall; /* armed while a response is on its way */
    uint64_t progress;
    unsigned idle_checks;         /* how many in a row found no progress */
    size_t reply_len;             /* of the response's body, if it is sent in one piece */
    size_t unsent;                /* bytes that the budgets hold for it (http/budget.h) */
    size_t shares[PL_SHARES];     /* that it has taken */
    int64_t share_key;            /* of the address that has them */
    void (*release)(void *owner); /* of the response's body */
    void *release_owner;
    pl_response_body_t *body; /* that is produced over time; NULL: none */
    char id[PL_REQUEST_ID_SIZE];
    char address[PL_REQUEST_ADDRESS_SIZE]; /* the client's; "" until http/audit.c needs it */
} pl_request_t;

/* Wraps libh2o's request. libh2o's side holds the reference, and gives it back when it disposes of
 * its request. */
pl_request_t *pl_request_create(h2o_req_t *req);

/* The client's X-Request-Id if it is usable, else a new one. */
void pl_request_choose_id(const h2o_req_t *req, char id_r[PL_REQUEST_ID_SIZE]);

/* Ends the request because the worker is being destroyed: a live one gets a 503, a response that is
 * produced over time is cut off. */
void pl_request_shut_down(pl_request_t *request);

/* LIVE -> ANSWERED: a response begins. */
void pl_request_set_answered(pl_request_t *request, int status);

/* Cuts the response off: one stream of an HTTP/2 connection, or the whole HTTP/1 connection. */
void pl_request_cut(pl_request_t *request);

/* Notes how far the response is, and starts the stall time again. */
void pl_request_await_progress(pl_request_t *request);

#endif
