#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "loop/loop_private.h"

/* The longest sleep of an idle loop. Timers do not depend on it: they have their own descriptor. */
#define MAX_WAIT_MS 1000

static _Thread_local pl_loop_t *current;

static void on_tasks(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        h2o_multithread_message_t *message = H2O_STRUCT_FROM_MEMBER(h2o_multithread_message_t, link,
                                                                    messages->next);
        pl_task_t *task = H2O_STRUCT_FROM_MEMBER(pl_task_t, super, message);
        h2o_linklist_unlink(&message->link);
        task->run(task);
    }
}

pl_loop_t *pl_loop_create(int index)
{
    pl_loop_t *loop = pl_calloc(1, sizeof(*loop));
    loop->index = index;
    loop->thread = pthread_self();
    loop->h2o = h2o_evloop_create();
    loop->tasks = h2o_multithread_create_queue(loop->h2o);
    h2o_multithread_register_receiver(loop->tasks, &loop->receiver, on_tasks);
    h2o_linklist_init_anchor(&loop->deferred);
    atomic_init(&loop->stopping, false);
    pl_loop_timers_init(loop);
    return loop;
}

static void run_deferred(pl_loop_t *loop)
{
    while (!h2o_linklist_is_empty(&loop->deferred)) {
        pl_deferred_t *deferred = H2O_STRUCT_FROM_MEMBER(pl_deferred_t, link, loop->deferred.next);
        h2o_linklist_unlink(&deferred->link);
        deferred->run(deferred);
    }
}

void pl_loop_run(pl_loop_t *loop)
{
    assert(pl_loop_is_own(loop) && current == NULL);
    current = loop;
    while (!atomic_load_explicit(&loop->stopping, memory_order_relaxed)) {
        if (h2o_evloop_run(loop->h2o, MAX_WAIT_MS) != 0 && errno != EINTR) {
            pl_log_error("loop-failed", PL_I("loop", loop->index), PL_S("detail", strerror(errno)));
            abort();
        }
        run_deferred(loop);
    }
    current = NULL;
}

static void on_wake_up(pl_task_t *task)
{
    free(task);
}

void pl_loop_stop(pl_loop_t *loop)
{
    pl_task_t *wake = pl_calloc(1, sizeof(*wake));
    wake->run = on_wake_up;
    atomic_store_explicit(&loop->stopping, true, memory_order_relaxed);
    pl_loop_post(loop, wake);
}

int pl_loop_index(const pl_loop_t *loop)
{
    return loop->index;
}

h2o_loop_t *pl_loop_h2o(pl_loop_t *loop)
{
    return loop->h2o;
}

pl_loop_t *pl_loop_current(void)
{
    return current;
}

bool pl_loop_is_own(const pl_loop_t *loop)
{
    return pthread_equal(loop->thread, pthread_self());
}

void pl_loop_post(pl_loop_t *loop, pl_task_t *task)
{
    h2o_multithread_send_message(&loop->receiver, &task->super);
}

void pl_loop_defer(pl_loop_t *loop, pl_deferred_t *deferred)
{
    assert(pl_loop_is_own(loop));
    if (!h2o_linklist_is_linked(&deferred->link))
        h2o_linklist_insert(&loop->deferred, &deferred->link);
}

void pl_deferred_cancel(pl_deferred_t *deferred)
{
    if (h2o_linklist_is_linked(&deferred->link))
        h2o_linklist_unlink(&deferred->link);
}
