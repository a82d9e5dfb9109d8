/* Listening sockets: opened before any loop runs, then one in each worker's loop. */
#ifndef PL_HTTP_LISTENER_H
#define PL_HTTP_LISTENER_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"

struct pl_server_worker;

/* Binds and listens: `count` sockets on one port. -1 with nothing open. */
int pl_listener_open(const char *address, uint16_t port, unsigned count, int *sockets_r,
                     uint16_t *port_r, pl_error_t *error) PL_MUST_USE;

/* The worker takes its socket and accepts; on its loop's thread. pl_listener_stop ends this for
 * good, and does nothing for a worker that was not started. */
void pl_listener_start(struct pl_server_worker *worker);
void pl_listener_stop(struct pl_server_worker *worker);

#endif
