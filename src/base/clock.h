/* The server's clock. There are two kinds of time: server time for ids and timestamps, and
 * monotonic time for deadlines and timers. All functions are thread-safe. */
#ifndef PL_BASE_CLOCK_H
#define PL_BASE_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970. Each call returns a larger value than every call that ended before it,
 * on any thread of the process, and a larger value than every time that was reported
 * (pl_clock_advance_past). So while the system's clock is behind (it stepped back, or an id came
 * from a server that is ahead), the result grows by one per call. */
int64_t pl_clock_now_us(void);

/* Reports a time (microseconds since 1970) that this server has read or sent: afterwards
 * pl_clock_now_us() always returns more. Cheap if the time is in the past. */
void pl_clock_advance_past(int64_t time_us);

/* Time since some fixed point. It never steps, and it does not advance while the machine is
 * suspended. */
int64_t pl_clock_monotonic_us(void);
int64_t pl_clock_monotonic_ms(void);

#endif
