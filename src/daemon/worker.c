#include "daemon/worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "core/create.h"
#include "store/outbox.h"

struct pl_worker {
    int index;
    pl_loop_t *loop;
    const pl_worker_deps_t *deps;
    pl_auth_t *auth;
    pl_api_t *api;
    pl_server_worker_t *server;
    sem_t progress; /* posted when the loop exists, and again when it has ended */
    pl_task_t start;
    pl_task_t drain;
    pl_task_t stop;
};

static void on_start(pl_task_t *task)
{
    pl_worker_t *worker = H2O_STRUCT_FROM_MEMBER(pl_worker_t, start, task);
    const pl_worker_deps_t *deps = worker->deps;
    const pl_core_deps_t core_deps = {
        .config = deps->config,
        .cluster = deps->cluster,
        .settler = pl_settler_create(worker->loop, deps->cluster),
        .passwords = deps->passwords,
        .hub = pl_hub_local(deps->hub, worker->loop),
        .typing_limit = deps->typing_limit,
        .receipt_writer = deps->receipt_writer,
        .presence = deps->presence,
        .erased_users = deps->erased_users,
        .endings = deps->endings,
    };

    worker->api = pl_api_create(pl_core_create(worker->loop, &core_deps), worker->auth);
    worker->server = pl_server_worker_create(deps->server, worker->loop,
                                             (unsigned)pl_loop_index(worker->loop), worker->api,
                                             worker->auth);
    pl_cluster_start(deps->cluster, worker->loop);
    if (worker->index == 0)
        pl_endings_reader_start(deps->endings_reader, worker->loop);
    pl_server_worker_start(worker->server);
}

static void on_drain(pl_task_t *task)
{
    pl_worker_t *worker = H2O_STRUCT_FROM_MEMBER(pl_worker_t, drain, task);
    pl_server_worker_drain(worker->server);
    pl_api_drain(worker->api);
}

static void on_destroyed(void *owner)
{
    pl_worker_t *worker = owner;
    pl_loop_stop(worker->loop);
}

static void on_stop(pl_task_t *task)
{
    pl_worker_t *worker = H2O_STRUCT_FROM_MEMBER(pl_worker_t, stop, task);
    pl_server_worker_destroy(&worker->server, on_destroyed, worker);
}

static PL_NORETURN void *run(void *arg)
{
    pl_worker_t *worker = arg;
    char name[16];

    snprintf(name, sizeof(name), "worker-%d", worker->index);
    pthread_setname_np(pthread_self(), name);
    worker->loop = pl_loop_create(worker->index);
    sem_post(&worker->progress);
    pl_loop_run(worker->loop);
    sem_post(&worker->progress);
    /* libh2o keeps lists of free memory per thread, which would be lost with the thread. The thread
     * stays, so that a leak check at exit reports only real leaks. */
    for (;;)
        pause();
}

static void await(pl_worker_t *worker)
{
    while (sem_wait(&worker->progress) != 0)
        continue;
}

int pl_worker_create(int index, pl_worker_t **worker_r, pl_error_t *error)
{
    pl_worker_t *worker = pl_calloc(1, sizeof(*worker));
    pthread_t thread;

    worker->index = index;
    worker->start.run = on_start;
    worker->drain.run = on_drain;
    worker->stop.run = on_stop;
    sem_init(&worker->progress, 0, 0);
    if (pthread_create(&thread, NULL, run, worker) != 0) {
        pl_error_set(error, PL_ERROR_INTERNAL, "a worker's thread cannot be started");
        free(worker);
        return -1;
    }
    pthread_detach(thread);
    await(worker);
    *worker_r = worker;
    return 0;
}

pl_loop_t *pl_worker_loop(const pl_worker_t *worker)
{
    return worker->loop;
}

int pl_worker_start(pl_worker_t *worker, const pl_worker_deps_t *deps, pl_error_t *error)
{
    worker->deps = deps;
    if (pl_auth_create(deps->config, &worker->auth, error) != 0)
        return -1;
    pl_loop_post(worker->loop, &worker->start);
    return 0;
}

void pl_worker_drain(pl_worker_t *worker)
{
    pl_loop_post(worker->loop, &worker->drain);
}

void pl_worker_stop(pl_worker_t *worker)
{
    pl_loop_post(worker->loop, &worker->stop);
}

void pl_worker_await(pl_worker_t *worker)
{
    await(worker);
}
