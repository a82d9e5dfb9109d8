/*
 * The admin listener: GET /metrics (Prometheus text), GET /healthz (the process lives) and GET
 * /readyz (it can serve now). A listener of its own, meant for loopback or a private network:
 * nothing on it asks for a token.
 */
#ifndef PL_ADMIN_ADMIN_H
#define PL_ADMIN_ADMIN_H

#include "base/compiler.h"
#include "base/error.h"
#include "http/server.h"
#include "loop/loop.h"

typedef struct pl_admin pl_admin_t;

/* True when that part can serve; else a short reason goes to `detail` (which never names a host
 * or a password). Called on the admin loop's thread. */
typedef bool (*pl_ready_check_fn)(void *owner, char *detail, size_t detail_size);

/* Serves on `loop`. -1 if the port cannot be had. */
int pl_admin_create(pl_loop_t *loop, const char *address, uint16_t port, pl_admin_t **admin_r,
                    pl_error_t *error) PL_MUST_USE;

/* /readyz answers 200 when every check holds, else 503 and which do not. `name` must outlive the
 * admin. */
void pl_admin_add_check(pl_admin_t *admin, const char *name, pl_ready_check_fn check, void *owner);

/* From then on /readyz says 503 "draining", so that a balancer looks elsewhere. */
void pl_admin_set_draining(pl_admin_t *admin);

uint16_t pl_admin_port(const pl_admin_t *admin);

/* Frees it in a later turn of the loop; then on_destroyed runs. */
void pl_admin_destroy(pl_admin_t **admin, void (*on_destroyed)(void *), void *owner);

#endif
