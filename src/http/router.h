/*
 * Finds the handler of a path: tables of routes, tried in the order in which they were added.
 *
 * The router itself answers 308 for a path with a trailing slash, 404 for an unknown path, 405 with
 * Allow, 415 and 413 for a body that the route does not accept, and 401 and 403 for requests that
 * authentication refuses. So a handler gets only requests that are allowed.
 *
 * Authentication: `Authorization: Bearer <token>`, or the login's cookie. Browsers send a cookie
 * for any site that asks them to, so with a cookie a method other than GET or HEAD must come from
 * the same origin (Sec-Fetch-Site, else Origin compared with Host).
 */
#ifndef PL_HTTP_ROUTER_H
#define PL_HTTP_ROUTER_H

#include "http/request.h"

typedef struct pl_router pl_router_t;

/* `worker` is the context of the loop that the request arrived on. */
typedef void (*pl_handler_fn)(pl_request_t *request, void *worker);

enum {
    PL_ROUTE_PUBLIC = 1, /* no token is needed, and tokens are ignored */
    /* no token is needed; one in Authorization is verified. Cookies are ignored */
    PL_ROUTE_OPTIONAL_AUTH = 2,
    PL_ROUTE_BODY = 4,           /* takes a body, application/json */
    PL_ROUTE_OPTIONAL_BODY = 16, /* with PL_ROUTE_BODY: or none */
    PL_ROUTE_NO_HEAD = 8,        /* GET that does not answer HEAD too (long-poll, stream) */
};

typedef struct pl_route {
    const char *operation; /* operationId; label of the metrics */
    const char *method;
    const char *pattern; /* "/v1/conversations/{conversationId}/messages" */
    pl_handler_fn handler;
    unsigned flags;
} pl_route_t;

pl_router_t *pl_router_create(void);
void pl_router_destroy(pl_router_t **router);

/* The table must outlive the router; several tables may be added. Before the server is created. If
 * several patterns match a path, the first one added gets it, with all of its methods. An invalid
 * pattern is a programmer's error. */
void pl_router_add(pl_router_t *router, const pl_route_t *routes, size_t count);

/* Answers the request or has its handler called. Called by the server. */
void pl_router_dispatch(const pl_router_t *router, pl_request_t *request);

#endif
