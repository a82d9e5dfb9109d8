/*
 * The admin listener: GET /metrics (Prometheus text), GET /healthz (the process is alive) and GET
 * /readyz (it can serve now). None of these needs a token, so the listener has an address of its
 * own, on loopback or a private network.
 *
 * All functions must be called on the thread of its loop.
 */
#ifndef PL_ADMIN_ADMIN_H
#define PL_ADMIN_ADMIN_H

#include "base/compiler.h"
#include "base/error.h"
#include "http/server.h"
#include "loop/loop.h"

typedef struct pl_admin pl_admin_t;

/* Returns true if this part of the server can serve. Else writes a short reason to `detail`, which
 * must not contain a host's name or a password. Called on the admin loop's thread. */
typedef bool (*pl_ready_check_fn)(void *owner, char *detail, size_t detail_size);

/* Starts to serve on `loop`. -1: the address or the port cannot be used. */
int pl_admin_create(pl_loop_t *loop, const char *address, uint16_t port, pl_admin_t **admin_r,
                    pl_error_t *error) PL_MUST_USE;

/* Adds a check to /readyz, which answers 200 if every check returns true, else 503 with the names
 * of the others. At most 16 checks (asserted). `name` and `owner` must outlive the admin
 * listener. */
void pl_admin_add_check(pl_admin_t *admin, const char *name, pl_ready_check_fn check, void *owner);

/* From then on /readyz answers 503 "draining", so that a balancer uses other servers. */
void pl_admin_set_draining(pl_admin_t *admin);

/* The port on which it listens. */
uint16_t pl_admin_port(const pl_admin_t *admin);

/* Sets *admin to NULL, and frees it in a later turn of the loop; then calls on_destroyed, which may
 * be NULL. */
void pl_admin_destroy(pl_admin_t **admin, void (*on_destroyed)(void *), void *owner);

#endif
