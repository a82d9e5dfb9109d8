/* The server's clock. Two kinds of time: the server time that ids and timestamps are made of, and
 * the monotonic time that deadlines and timers are made of. All functions are thread-safe. */
#ifndef PL_BASE_CLOCK_H
#define PL_BASE_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970. Each call in the process, on whichever thread, returns a larger value
 * than every call that ended before it and than everything observed; so while the system's clock is
 * behind (a step back, an id from a server that is ahead) it advances by one per call. */
int64_t pl_clock_now_us(void);

/* Tells the clock of a time that was served to or read from somewhere else: pl_clock_now_us() never
 * again returns it or less. Cheap where it is in the past. */
void pl_clock_observe(int64_t time_us);

/* Time since some fixed point; never steps, stands still in suspend. */
int64_t pl_clock_monotonic_us(void);
int64_t pl_clock_monotonic_ms(void);

#endif
