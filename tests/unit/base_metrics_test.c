/* Proves: the counts of several threads are added and stay after the threads end; registering twice
 * returns one metric; the text for Prometheus is right for counters, gauges, histograms and gauges
 * that are computed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/metrics.h"

static const uint64_t bounds[] = {1000, 10000};

static void *count_on_thread(void *argument)
{
    pl_counter_t *counter = argument;
    for (int i = 0; i < 1000; i++)
        pl_counter_add(*counter, 1);
    return NULL;
}

static void test_counts_of_threads_add_up(void **state)
{
    (void)state;
    pl_counter_t counter = pl_counter_register("parley_test_total", "A test.", "kind=\"a\"");
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_on_thread, &counter), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    pl_counter_add(counter, 7);
    assert_int_equal(pl_counter_read(counter), 4007);

    pl_counter_t again = pl_counter_register("parley_test_total", "A test.", "kind=\"a\"");
    pl_counter_t other = pl_counter_register("parley_test_total", "A test.", "kind=\"b\"");
    assert_int_equal(pl_counter_read(again), 4007);
    assert_int_equal(pl_counter_read(other), 0);
}

static void *lower_gauge(void *argument)
{
    pl_gauge_add(*(pl_gauge_t *)argument, -3);
    return NULL;
}

static void test_a_gauge_changes_on_several_threads(void **state)
{
    (void)state;
    pl_gauge_t gauge = pl_gauge_register("parley_test_open", "Open tests.", NULL);
    pl_gauge_add(gauge, 5);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, lower_gauge, &gauge), 0);
    pthread_join(thread, NULL);
    assert_int_equal(pl_gauge_read(gauge), 2);
    pl_gauge_add(gauge, -4);
    assert_int_equal(pl_gauge_read(gauge), -2);
}

static double read_answer(void *owner)
{
    return *(double *)owner;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("not in the text: %s", part);
}

static void test_the_text_is_prometheus(void **state)
{
    (void)state;
    static double answer = 42.5;
    pl_gauge_register_read("parley_test_answer", "The answer.", NULL, read_answer, &answer);
    pl_histogram_t histogram = pl_histogram_register("parley_test_seconds", "Time.", "op=\"x\"",
                                                     bounds, 2, 1e-6);
    pl_histogram_observe(histogram, 1000);
    pl_histogram_observe(histogram, 1001);
    pl_histogram_observe(histogram, 5000000);

    pl_buffer_t out = PL_BUFFER_EMPTY;
    pl_metrics_render(&out);
    const char *text = pl_buffer_terminate(&out);
    assert_has(text, "# HELP parley_test_total A test.\n# TYPE parley_test_total counter\n"
                     "parley_test_total{kind=\"a\"} 4007\nparley_test_total{kind=\"b\"} 0\n");
    assert_has(text, "# TYPE parley_test_open gauge\nparley_test_open -2\n");
    assert_has(text, "# TYPE parley_test_answer gauge\nparley_test_answer 42.5\n");
    assert_has(text, "# TYPE parley_test_seconds histogram\n"
                     "parley_test_seconds_bucket{op=\"x\",le=\"0.001\"} 1\n"
                     "parley_test_seconds_bucket{op=\"x\",le=\"0.01\"} 2\n"
                     "parley_test_seconds_bucket{op=\"x\",le=\"+Inf\"} 3\n"
                     "parley_test_seconds_sum{op=\"x\"} 5.002001\n"
                     "parley_test_seconds_count{op=\"x\"} 3\n");
    pl_buffer_dispose(&out);
}

static void test_zeroed_handles_have_no_effect(void **state)
{
    (void)state;
    pl_counter_add((pl_counter_t){0}, 1);
    pl_gauge_add((pl_gauge_t){0}, 1);
    pl_histogram_observe((pl_histogram_t){0}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_of_threads_add_up),
        cmocka_unit_test(test_a_gauge_changes_on_several_threads),
        cmocka_unit_test(test_the_text_is_prometheus),
        cmocka_unit_test(test_zeroed_handles_have_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
