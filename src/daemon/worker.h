/*
 * A worker: one thread with its loop, its part of the API server, its lanes, long-polls and
 * streams.
 *
 *   created --start--> serving --drain--> draining --stop--> gone
 */
#ifndef PL_DAEMON_WORKER_H
#define PL_DAEMON_WORKER_H

#include "auth/password.h"
#include "base/error.h"
#include "config/config.h"
#include "core/known_users.h"
#include "core/receipt_writer.h"
#include "core/typing_limit.h"
#include "db/cluster.h"
#include "http/server.h"
#include "push/hub.h"
#include "push/presence.h"

typedef struct pl_worker pl_worker_t;

/* What all workers share; outlives them. */
typedef struct pl_worker_deps {
    const pl_config_t *config;
    pl_cluster_t *cluster;
    pl_hub_t *hub;
    pl_typing_limit_t *typing_limit;
    pl_erased_users_t *erased_users;
    pl_receipt_writer_t *receipt_writer;
    pl_presence_t *presence;
    pl_server_t *server;
    pl_password_pool_t *passwords;
} pl_worker_deps_t;

/* Starts a thread with a loop of that index, and returns when the loop is there. -1: no thread can
 * be had. */
int pl_worker_create(int index, pl_worker_t **worker_r, pl_error_t *error)
    __attribute__((warn_unused_result));

pl_loop_t *pl_worker_loop(const pl_worker_t *worker);

/* Begins to serve. -1: a key file cannot be read. */
int pl_worker_start(pl_worker_t *worker, const pl_worker_deps_t *deps, pl_error_t *error)
    __attribute__((warn_unused_result));

/* Stops accepting and ends long-polls and streams; requests in flight go on. From any thread, once.
 */
void pl_worker_drain(pl_worker_t *worker);

/* Closes what is left and ends the loop, which pl_worker_await waits for. From any thread, once. */
void pl_worker_stop(pl_worker_t *worker);

/* Returns when the loop has ended, a few seconds after pl_worker_stop at the latest. The memory
 * stays until the process ends: an operation that no lane has finished may point into it. */
void pl_worker_await(pl_worker_t *worker);

#endif
