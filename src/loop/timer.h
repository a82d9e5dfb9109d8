/*
 * Timers on the monotonic clock.
 *
 * All timers of one queue have the same duration, so the queue is a list that is sorted by due time
 * simply because each newly armed timer goes to its end. Arming, disarming and firing one timer
 * therefore take constant time.
 *
 * Resolution: PL_TIMER_TICK_MS. A timer never fires early. Only the loop's own thread may use its
 * queues and timers (asserted).
 */
#ifndef PL_LOOP_TIMER_H
#define PL_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

#define PL_TIMER_TICK_MS 20

typedef struct pl_timer pl_timer_t;
typedef struct pl_timer_queue pl_timer_queue_t;

/* Embed it in an object; zero it and set `on_fire` before it is armed for the first time. */
struct pl_timer {
    h2o_linklist_t link;
    pl_timer_queue_t *queue; /* the one in which it was last armed */
    uint64_t due_ms;         /* on the monotonic clock */
    void (*on_fire)(pl_timer_t *timer);
};

/* The loop's queue for that duration (> 0). Created at the first call, and lives as long as the
 * loop. */
pl_timer_queue_t *pl_timer_queue(pl_loop_t *loop, uint64_t duration_ms);

/* Fires once, the queue's duration from now; a timer that is armed already starts again. A timer
 * may be armed again in its own on_fire. */
void pl_timer_arm(pl_timer_queue_t *queue, pl_timer_t *timer);

/* Does nothing to a timer that is not armed. */
void pl_timer_disarm(pl_timer_t *timer);

bool pl_timer_is_armed(const pl_timer_t *timer);

#endif
