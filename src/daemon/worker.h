/*
 * A worker: one thread with its loop, its part of the API server, and its lanes, long-polls and
 * streams.
 *
 *   created --start--> serving --drain--> draining --stop--> stopped
 *
 *  */
#ifndef PL_DAEMON_WORKER_H
#define PL_DAEMON_WORKER_H

#include "auth/password.h"
#include "base/error.h"
#include "config/config.h"
#include "core/endings_reader.h"
#include "core/known_users.h"
#include "core/receipt_writer.h"
#include "core/typing_limit.h"
#include "db/cluster.h"
#include "http/server.h"
#include "push/hub.h"
#include "push/presence.h"

typedef struct pl_worker pl_worker_t;

/* The objects that all workers share; they outlive the workers. */
typedef struct pl_worker_deps {
    const pl_config_t *config;
    pl_cluster_t *cluster;
    pl_hub_t *hub;
    pl_typing_limit_t *typing_limit;
    pl_erased_users_t *erased_users;
    pl_endings_t *endings;
    pl_endings_reader_t *endings_reader; /* the first worker starts it */
    pl_receipt_writer_t *receipt_writer;
    pl_presence_t *presence;
    pl_server_t *server;
    pl_password_pool_t *passwords;
} pl_worker_deps_t;

/* Starts a thread with a loop of that index, and returns when the loop exists. -1: the thread could
 * not be started. */
int pl_worker_create(int index, pl_worker_t **worker_r, pl_error_t *error)
    __attribute__((warn_unused_result));

pl_loop_t *pl_worker_loop(const pl_worker_t *worker);

/* Begins to serve. `deps` must outlive the worker. -1: a key file cannot be used. */
int pl_worker_start(pl_worker_t *worker, const pl_worker_deps_t *deps, pl_error_t *error)
    __attribute__((warn_unused_result));

/* Stops accepting connections and ends long-polls and streams; other requests in flight go on. From
 * any thread, once. */
void pl_worker_drain(pl_worker_t *worker);

/* Closes the remaining connections and ends the loop; pl_worker_await waits for the end. From any
 * thread, once. */
void pl_worker_stop(pl_worker_t *worker);

/* Returns when the loop has ended, at most a few seconds after pl_worker_stop. The worker's memory
 * is not freed, because an unfinished operation of a lane may point to it. */
void pl_worker_await(pl_worker_t *worker);

#endif
