#include "load/worker.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/memory.h"
#include "load/generator.h"
#include "load/requests.h"
#include "load/streams.h"

/* The thread's part of a number that is divided as evenly as possible. */
static uint32_t share(const pl_load_worker_t *worker, uint32_t total)
{
    uint32_t threads = worker->shared->options->threads;
    return total / threads + (worker->number < total % threads ? 1 : 0);
}

/* The users of the thread's streams: with N threads, every Nth user. */
static uint32_t *stream_users(const pl_load_worker_t *worker, const pl_load_generator_t *generator,
                              uint32_t count)
{
    const pl_load_options_t *options = worker->shared->options;
    uint32_t *users = pl_reallocarray(NULL, count, sizeof(*users));

    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = i * options->threads + worker->number;
        users[i] = options->kind == PL_LOAD_PUSH ? pl_load_generator_receiver(generator, number)
                                                 : number % generator->users->count;
    }
    return users;
}

static uint32_t stream_count(const pl_load_worker_t *worker)
{
    const pl_load_options_t *options = worker->shared->options;

    if (options->kind == PL_LOAD_PUSH)
        return share(worker, options->receivers);
    if (options->kind == PL_LOAD_STREAMS)
        return share(worker, options->connections) * options->streams;
    return 0;
}

static void on_message(void *owner, uint64_t sequence, int64_t intended_us, int64_t now_us)
{
    pl_load_requests_received(owner, sequence, intended_us, now_us);
}

static void meet(pl_load_shared_t *shared)
{
    pthread_barrier_wait(&shared->opened);
    pthread_barrier_wait(&shared->go);
}

static void hold_streams(pl_load_worker_t *worker, pl_load_streams_t *streams)
{
    const pl_load_options_t *options = worker->shared->options;

    pl_load_streams_count(streams);
    meet(worker->shared);
    pl_load_streams_hold(streams, options->seconds < 0 ? INT64_MAX
                                                       : worker->shared->start_us +
                                                             (int64_t)(options->seconds * 1e6));
}

static void send_requests(pl_load_worker_t *worker, pl_load_generator_t *generator,
                          pl_load_streams_t *streams)
{
    const pl_load_options_t *options = worker->shared->options;
    pl_load_requests_t requests;

    pl_load_requests_init(&requests, options, generator, &worker->result, streams->group.epoll,
                          share(worker, options->connections));
    if (options->kind == PL_LOAD_PUSH)
        pl_load_streams_listen(streams, on_message, &requests);
    meet(worker->shared);
    pl_load_requests_run(&requests, worker->shared->start_us, worker->number);
    pl_load_requests_dispose(&requests);
}

void *pl_load_worker_run(void *argument)
{
    pl_load_worker_t *worker = argument;
    pl_load_shared_t *shared = worker->shared;
    pl_load_generator_t generator;
    pl_load_streams_t streams;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0)
        pl_load_die("epoll_create1: %s", strerror(errno));
    /* Without this, due requests would go out up to 50 us late. */
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    pl_load_generator_init(&generator, shared->options, &shared->users, worker->number);
    uint32_t count = stream_count(worker);
    pl_load_streams_init(&streams, shared->options, &generator, &worker->result, epoll,
                         stream_users(worker, &generator, count), count);
    pl_load_streams_open(&streams);
    if (shared->options->kind == PL_LOAD_STREAMS)
        hold_streams(worker, &streams);
    else
        send_requests(worker, &generator, &streams);
    pl_load_streams_count(&streams);
    pl_load_streams_dispose(&streams);
    pl_load_generator_dispose(&generator);
    close(epoll);
    return NULL;
}
