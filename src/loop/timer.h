/*
 * Timers on the monotonic clock. All timers of one queue last equally long, so that a queue is a
 * list in the order of arming: arming, disarming and firing cost the same with ten and with ten
 * million.
 *
 * Resolution: PL_TIMER_TICK_MS. A timer never fires early.
 */
#ifndef PL_LOOP_TIMER_H
#define PL_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

#define PL_TIMER_TICK_MS 20

typedef struct pl_timer pl_timer_t;
typedef struct pl_timer_queue pl_timer_queue_t;

/* Embedded in its object; zeroed, with `on_fire` set, before it is first armed. */
struct pl_timer {
    h2o_linklist_t link;
    uint64_t due_ms;
    void (*on_fire)(pl_timer_t *timer);
};

/* The loop's queue for that duration (> 0), created at the first call. Lives as long as the loop.
 */
pl_timer_queue_t *pl_timer_queue(pl_loop_t *loop, uint64_t duration_ms);

/* Fires once, `duration` from now; an armed timer starts again. It may be armed again from its own
 * on_fire. */
void pl_timer_arm(pl_timer_queue_t *queue, pl_timer_t *timer);

/* Does nothing to a timer that is not armed. */
void pl_timer_disarm(pl_timer_t *timer);

bool pl_timer_is_armed(const pl_timer_t *timer);

#endif
