/*
 * One thread's event loop: libh2o's loop, with what it lacks.
 *
 * - Tasks: `pl_loop_post` runs a function on another loop's thread.
 * - Deferred calls: run once after the current turn of the loop. What arrives in one turn (a
 * hundred pipelined requests, say) is collected into one batch this way, without waiting for
 * anything.
 * - Timers on the monotonic clock: libh2o's own follow the wall clock, so that a clock step fires
 * or freezes them.
 *
 * Everything but `pl_loop_post` and `pl_loop_stop` belongs to the loop's own thread.
 */
#ifndef PL_LOOP_LOOP_H
#define PL_LOOP_LOOP_H

#include <h2o.h>
#include <h2o/multithread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct pl_loop pl_loop_t;
typedef struct pl_task pl_task_t;
typedef struct pl_deferred pl_deferred_t;

/* Work for a loop, embedded in the object that it is about. The object must live until `run` is
 * called. */
struct pl_task {
    h2o_multithread_message_t super;
    void (*run)(pl_task_t *task);
};

/* A call at the end of the loop's current turn, embedded in its object. */
struct pl_deferred {
    h2o_linklist_t link;
    void (*run)(pl_deferred_t *deferred);
};

/* A loop; `index` names it in logs and metrics. Never NULL. On the thread that will run it: the
 * buffers of a libh2o socket belong to the thread that created it. */
pl_loop_t *pl_loop_create(int index);

/* Runs until `pl_loop_stop`. */
void pl_loop_run(pl_loop_t *loop);

/* Ends `pl_loop_run` after its current turn. From any thread. */
void pl_loop_stop(pl_loop_t *loop);

int pl_loop_index(const pl_loop_t *loop);
h2o_loop_t *pl_loop_h2o(pl_loop_t *loop);

/* The loop that the calling thread runs, or NULL. */
pl_loop_t *pl_loop_current(void);

/* Calls task->run(task) on the loop's thread, never before this returns. Tasks from one thread to
 * one loop run in order. From any thread. A task is in at most one loop's queue at a time. */
void pl_loop_post(pl_loop_t *loop, pl_task_t *task);

/* Calls deferred->run(deferred) at the end of this turn, once, however often it is asked for until
 * then. */
void pl_loop_defer(pl_loop_t *loop, pl_deferred_t *deferred);
void pl_deferred_cancel(pl_deferred_t *deferred);

#endif
