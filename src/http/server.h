/*
 * The HTTP server: one configuration and route table for the process, one worker with a listener
 * per loop.
 *
 * A port is one SO_REUSEPORT socket per worker. The kernel spreads connections by hash, which with
 * a few long-lived connections (a proxy's) leaves cores idle: a worker with clearly more
 * connections than the least busy one passes new ones on.
 *
 * Limits (whatever a client does costs a bounded amount):
 * - connections per process: above it the listeners stop accepting, and the kernel's queue holds
 *   the rest back;
 * - requests in flight per connection, counted until the work is done and not only until the client
 *   cancels it;
 * - requests cancelled right after they were sent (rapid reset): over PL_RESET_BURST, refilled at
 *   PL_RESET_RATE a second, the connection is closed;
 * - header fields and their bytes, body bytes, time to send a request, unacknowledged bytes
 *   (TCP_USER_TIMEOUT).
 */
#ifndef PL_HTTP_SERVER_H
#define PL_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/token.h"
#include "base/compiler.h"
#include "base/error.h"
#include "http/router.h"
#include "http/server_options.h"
#include "loop/loop.h"

typedef struct pl_server pl_server_t;
typedef struct pl_server_worker pl_server_worker_t;

/* Binds the port, so that a port in use is known before anything starts. -1 with an error that
 * names address and port. The router must outlive the server. The process ignores
 * SIGPIPE from then on: libh2o writes to connections that are gone. */
int pl_server_create(const pl_server_options_t *options, const pl_router_t *router,
                     pl_server_t **server_r, pl_error_t *error) PL_MUST_USE;

/* After all its workers are destroyed. */
void pl_server_destroy(pl_server_t **server);

uint16_t pl_server_port(const pl_server_t *server);

/*
 * The server's part of one loop. On that loop's thread, before the loop runs or while it does;
 * `index` in [0, workers). `context` is what handlers get. `auth` verifies tokens on this loop;
 * NULL only if all routes are public. Accepting begins with pl_server_worker_start.
 */
pl_server_worker_t *pl_server_worker_create(pl_server_t *server, pl_loop_t *loop, unsigned index,
                                            void *context, pl_auth_t *auth);
void pl_server_worker_start(pl_server_worker_t *worker);

/*
 * Begins the drain of one worker, on its thread: the listener closes, keep-alive connections are
 * told to go (GOAWAY, Connection: close), idle ones are closed. Requests in flight go on. Streams
 * and held requests are their owners' to end.
 */
void pl_server_worker_drain(pl_server_worker_t *worker);

/* Closes what is left at once (on_gone runs for held requests, on_closed for streams), and frees
 * the worker in a later turn of the loop, when libh2o has let go of the connections and all handles
 * are freed: then `on_destroyed` runs. It runs after 2 s in any case; then handles are still held,
 * and the worker and the server must not be freed. */
void pl_server_worker_destroy(pl_server_worker_t **worker, void (*on_destroyed)(void *),
                              void *owner);

/* From any thread. Requests count from their arrival until their handle is freed. */
typedef struct pl_server_stats {
    uint64_t connections;
    uint64_t requests_in_flight;
    uint64_t streams;
} pl_server_stats_t;

void pl_server_read_stats(const pl_server_t *server, pl_server_stats_t *stats_r);

#endif
