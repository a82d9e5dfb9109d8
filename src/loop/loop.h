/*
 * The event loop of one thread. It is libh2o's loop with three additions:
 *
 * - Tasks: `pl_loop_post` runs a function on another loop's thread.
 * - Deferred calls run once, after the current turn of the loop. Work that arrives in one turn
 *   (a hundred pipelined requests, for example) is so collected into one batch without a delay.
 * - Timers on the monotonic clock (timer.h). libh2o's own timers follow the wall clock: a clock
 *   step makes them fire too early or too late.
 *
 * Only the loop's own thread, the one that created it, may call these functions, except for those
 * marked "from any thread". This is asserted.
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

/* Work for a loop. Embed it, zeroed, in the object that `run` needs; the object must live until
 * `run` is called. */
struct pl_task {
    h2o_multithread_message_t super;
    void (*run)(pl_task_t *task);
};

/* A call at the end of the loop's current turn. Embed it, zeroed, in the object that `run`
 * needs. */
struct pl_deferred {
    h2o_linklist_t link;
    void (*run)(pl_deferred_t *deferred);
};

/* Creates a loop; `index` names it in logs and metrics. Never NULL. Call it on the thread that will
 * run the loop: the buffers of a libh2o socket belong to the thread that created it. */
pl_loop_t *pl_loop_create(int index);

/* Runs the loop until `pl_loop_stop`. */
void pl_loop_run(pl_loop_t *loop);

/* Ends `pl_loop_run` after its current turn. From any thread. */
void pl_loop_stop(pl_loop_t *loop);

/* The index that was given to pl_loop_create. From any thread. */
int pl_loop_index(const pl_loop_t *loop);

h2o_loop_t *pl_loop_h2o(pl_loop_t *loop);

/* The loop that the calling thread runs now, or NULL. */
pl_loop_t *pl_loop_current(void);

/* True if the calling thread is the loop's own thread, whether or not the loop runs already. For
 * assertions. From any thread. */
bool pl_loop_is_own(const pl_loop_t *loop);

/* Calls task->run(task) once on the loop's thread, never before this function returns to that
 * thread. Tasks that one thread posts to one loop run in the order of posting. A task must not be
 * posted again before it ran. From any thread. */
void pl_loop_post(pl_loop_t *loop, pl_task_t *task);

/* Calls deferred->run(deferred) at the end of the current turn. Further calls until then change
 * nothing: it runs once. */
void pl_loop_defer(pl_loop_t *loop, pl_deferred_t *deferred);

/* Takes back a deferred call. Does nothing if there is none. */
void pl_deferred_cancel(pl_deferred_t *deferred);

#endif
