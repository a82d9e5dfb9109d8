/*
 * One accepted connection, and the limits on what its client may do.
 *
 * libh2o has no field for this struct, so the socket's on_close callback holds it; that callback
 * also tells when the connection ends. Work can outlive the connection, so the struct is reference
 * counted: one reference for the socket and one for each request handle.
 *
 * All on the thread of the worker's loop.
 */
#ifndef PL_HTTP_CONNECTION_H
#define PL_HTTP_CONNECTION_H

#include <h2o.h>
#include <stdbool.h>

struct pl_server_worker;

typedef struct pl_connection pl_connection_t;

/* Takes the descriptor over and starts HTTP on it. */
void pl_connection_accept(struct pl_server_worker *worker, int fd);
pl_connection_t *pl_connection_of(const h2o_req_t *req);

/* A request begins. False if the connection has as many in flight as it may, or is being closed;
 * the request counts in any case. */
bool pl_connection_enter(pl_connection_t *connection, const h2o_req_t *req);
/* libh2o has disposed of the request; `is_reset`: the client cancelled it at once. */
void pl_connection_leave(pl_connection_t *connection, bool is_reset);
/* The request's handle is freed: its work is done. The connection may be freed too. */
void pl_connection_release(pl_connection_t *connection);

/* Bytes of answers that libh2o has not sent yet (http/budget.h). */
size_t pl_connection_unsent(const pl_connection_t *connection);
void pl_connection_add_unsent(pl_connection_t *connection, size_t len);
void pl_connection_release_unsent(pl_connection_t *connection, size_t len);

/* Closes the connections that only wait for a next request. */
void pl_connection_close_idle(struct pl_server_worker *worker);
void pl_connection_close_all(struct pl_server_worker *worker);

#endif
