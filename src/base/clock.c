#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

/* The largest time that was returned or reported so far. */
static _Atomic int64_t latest_us;

static int64_t read_clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t pl_clock_now_us(void)
{
    int64_t wall = read_clock_us(CLOCK_REALTIME);
    int64_t last = atomic_load_explicit(&latest_us, memory_order_relaxed);
    int64_t next;
    do {
        next = wall > last ? wall : last + 1;
    } while (!atomic_compare_exchange_weak_explicit(&latest_us, &last, next, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return next;
}

void pl_clock_advance_past(int64_t time_us)
{
    int64_t last = atomic_load_explicit(&latest_us, memory_order_relaxed);
    while (time_us > last &&
           !atomic_compare_exchange_weak_explicit(&latest_us, &last, time_us, memory_order_acq_rel,
                                                  memory_order_relaxed)) {
    }
}

int64_t pl_clock_monotonic_us(void)
{
    return read_clock_us(CLOCK_MONOTONIC);
}

int64_t pl_clock_monotonic_ms(void)
{
    return pl_clock_monotonic_us() / 1000;
}
