#include "loop/timer.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "loop/loop_private.h"

struct pl_timer_queue {
    pl_loop_t *loop;
    uint64_t duration_ms;
    h2o_linklist_t timers; /* in ascending order of due_ms */
};

static void fire_due(pl_timer_queue_t *queue, uint64_t now_ms)
{
    while (!h2o_linklist_is_empty(&queue->timers)) {
        pl_timer_t *timer = H2O_STRUCT_FROM_MEMBER(pl_timer_t, link, queue->timers.next);
        if (timer->due_ms > now_ms)
            return;
        h2o_linklist_unlink(&timer->link);
        timer->on_fire(timer);
    }
}

static void on_tick(h2o_socket_t *socket, const char *err)
{
    pl_loop_t *loop = socket->data;
    uint64_t expirations;

    (void)err;
    if (read(h2o_socket_get_fd(socket), &expirations, sizeof(expirations)) < 0)
        return;
    uint64_t now_ms = (uint64_t)pl_clock_monotonic_ms();
    for (size_t i = 0; i < loop->timers_count; i++)
        fire_due(loop->timers[i], now_ms);
}

void pl_loop_timers_init(pl_loop_t *loop)
{
    const struct timespec tick = {.tv_sec = 0, .tv_nsec = PL_TIMER_TICK_MS * 1000000L};
    const struct itimerspec spec = {.it_interval = tick, .it_value = tick};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd < 0 || timerfd_settime(fd, 0, &spec, NULL) != 0) {
        pl_log_error("timer-create-failed", PL_S("detail", strerror(errno)));
        abort();
    }
    loop->tick = h2o_evloop_socket_create(loop->h2o, fd, H2O_SOCKET_FLAG_DONT_READ);
    loop->tick->data = loop;
    h2o_socket_read_start(loop->tick, on_tick);
}

pl_timer_queue_t *pl_timer_queue(pl_loop_t *loop, uint64_t duration_ms)
{
    assert(pl_loop_is_own(loop) && duration_ms > 0);
    for (size_t i = 0; i < loop->timers_count; i++)
        if (loop->timers[i]->duration_ms == duration_ms)
            return loop->timers[i];
    /* Clients can choose few durations, so reaching the limit is a programmer's error. */
    assert(loop->timers_count < PL_LOOP_MAX_DURATIONS);

    pl_timer_queue_t *queue = pl_calloc(1, sizeof(*queue));
    queue->loop = loop;
    queue->duration_ms = duration_ms;
    h2o_linklist_init_anchor(&queue->timers);
    loop->timers[loop->timers_count++] = queue;
    return queue;
}

void pl_timer_arm(pl_timer_queue_t *queue, pl_timer_t *timer)
{
    assert(pl_loop_is_own(queue->loop) && timer->on_fire != NULL);
    pl_timer_disarm(timer);
    timer->queue = queue;
    timer->due_ms = (uint64_t)pl_clock_monotonic_ms() + queue->duration_ms;
    h2o_linklist_insert(&queue->timers, &timer->link);
}

void pl_timer_disarm(pl_timer_t *timer)
{
    if (!h2o_linklist_is_linked(&timer->link))
        return;
    assert(pl_loop_is_own(timer->queue->loop));
    h2o_linklist_unlink(&timer->link);
}

bool pl_timer_is_armed(const pl_timer_t *timer)
{
    return timer->link.next != NULL;
}
