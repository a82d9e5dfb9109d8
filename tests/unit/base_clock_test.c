/* Proves: the server's time strictly increases over all threads, is always later than every
 * reported time, and advances while the wall clock is behind it. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "testing.h"

#define THREADS 4
#define PER_THREAD 20000

static int64_t times[THREADS][PER_THREAD];
static _Atomic int64_t handed_over;
static _Atomic int mistakes;

/* Each time must be later than the times that other threads read before. */
static void *read_times(void *arg)
{
    int64_t *own = arg;
    for (int i = 0; i < PER_THREAD; i++) {
        int64_t seen = atomic_load(&handed_over);
        own[i] = pl_clock_now_us();
        if (own[i] <= seen || (i > 0 && own[i] <= own[i - 1]))
            atomic_fetch_add(&mistakes, 1);
        atomic_store(&handed_over, own[i]);
    }
    return NULL;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void test_strictly_increasing_over_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_times, times[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(mistakes, 0);
    qsort(times, THREADS * PER_THREAD, sizeof(int64_t), compare_times);
    const int64_t *all = &times[0][0];
    for (int i = 1; i < THREADS * PER_THREAD; i++)
        assert_true(all[i - 1] < all[i]);
}

static void test_is_the_wall_clock(void **state)
{
    (void)state;
    int64_t wall = (int64_t)time(NULL) * 1000000;
    int64_t now = pl_clock_now_us();
    assert_true(now >= wall);
    assert_true(now < wall + 60 * 1000000);
}

/* Reporting a time one hour ahead has the same effect as a wall clock that steps back one hour.
 * Runs last, because the clock stays ahead. */
static void test_more_than_every_reported_time(void **state)
{
    (void)state;
    int64_t now = pl_clock_now_us();
    pl_clock_advance_past(now - 1000000);
    assert_true(pl_clock_now_us() > now);
    assert_true(pl_clock_now_us() < now + 60 * 1000000);

    int64_t ahead = now + INT64_C(3600) * 1000000;
    pl_clock_advance_past(ahead);
    assert_int_equal(pl_clock_now_us(), ahead + 1);
    assert_int_equal(pl_clock_now_us(), ahead + 2);
    pl_clock_advance_past(ahead + 1);
    assert_int_equal(pl_clock_now_us(), ahead + 3);
}

static void test_monotonic(void **state)
{
    (void)state;
    int64_t us = pl_clock_monotonic_us();
    int64_t ms = pl_clock_monotonic_ms();
    assert_true(ms >= us / 1000);
    assert_true(pl_clock_monotonic_us() >= us);
    assert_true(pl_clock_monotonic_us() - us < 60 * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_the_wall_clock),
        cmocka_unit_test(test_monotonic),
        cmocka_unit_test(test_strictly_increasing_over_threads),
        cmocka_unit_test(test_more_than_every_reported_time),
    };
    return RUN_TESTS(tests);
}
