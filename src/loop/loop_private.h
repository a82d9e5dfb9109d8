/* The fields of a loop, for loop.c and timer.c. Includes neither loop.h nor timer.h, which are the
 * faces of these two. */
#ifndef PL_LOOP_LOOP_PRIVATE_H
#define PL_LOOP_LOOP_PRIVATE_H

#include <h2o.h>
#include <h2o/multithread.h>
#include <pthread.h>
#include <stdatomic.h>

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
    struct pl_timer_queue *timers[PL_LOOP_MAX_DURATIONS];
    size_t timers_count;
};

/* Starts the loop's tick. In timer.c, called once by loop.c. */
void pl_loop_timers_init(struct pl_loop *loop);

#endif
