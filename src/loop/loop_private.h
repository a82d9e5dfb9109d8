/* The loop's fields, shared by loop.c and timer.c. */
#ifndef PL_LOOP_LOOP_PRIVATE_H
#define PL_LOOP_LOOP_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "loop/loop.h"
#include "loop/timer.h"

/* One timer queue per duration: a long-poll may ask for 1 to 60 s, and the code itself uses about a
 * dozen other durations. */
#define PL_LOOP_MAX_DURATIONS 128

struct pl_loop {
    int index;
    pthread_t thread; /* the one that created the loop, and runs it */
    h2o_loop_t *h2o;
    h2o_multithread_queue_t *tasks;
    h2o_multithread_receiver_t receiver;
    h2o_linklist_t deferred;
    atomic_bool stopping;
    h2o_socket_t *tick; /* a timerfd that wakes the loop every PL_TIMER_TICK_MS */
    pl_timer_queue_t *timers[PL_LOOP_MAX_DURATIONS];
    size_t timers_count;
};

void pl_loop_timers_init(pl_loop_t *loop);

#endif
