/* Proves: tasks from other threads run in order; a deferred call runs once, at the end of the turn;
 * timers fire in order, never early, and not if they are disarmed; a loop knows its own thread. */
#include <pthread.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "testing.h"

#define TASKS 1000

static pl_loop_t *loop;
static int ran;
static bool is_own_on_other_thread = true;
static pl_task_t tasks[TASKS];

static void on_task(pl_task_t *task)
{
    assert_ptr_equal(task, &tasks[ran]);
    if (++ran == TASKS)
        pl_loop_stop(loop);
}

static void *post_all(void *arg)
{
    (void)arg;
    is_own_on_other_thread = pl_loop_is_own(loop);
    for (int i = 0; i < TASKS; i++) {
        tasks[i].run = on_task;
        pl_loop_post(loop, &tasks[i]);
    }
    return NULL;
}

/* A loop lives as long as the process. It stays reachable from here, so that it is not reported as
 * a leak. */
static pl_loop_t *new_loop(void)
{
    static pl_loop_t *kept[3];
    static size_t count;
    assert_true(count < sizeof(kept) / sizeof(kept[0]));
    return kept[count++] = pl_loop_create(0);
}

static void test_tasks_in_order(void **state)
{
    pthread_t thread;
    (void)state;
    loop = new_loop();
    assert_int_equal(pthread_create(&thread, NULL, post_all, NULL), 0);
    pl_loop_run(loop);
    pthread_join(thread, NULL);
    assert_int_equal(ran, TASKS);
    assert_true(pl_loop_is_own(loop));
    assert_false(is_own_on_other_thread);
}

static pl_deferred_t deferred;
static pl_task_t first, second;
static int deferred_runs;

static void on_deferred(pl_deferred_t *d)
{
    (void)d;
    deferred_runs++;
    pl_loop_stop(loop);
}

static void defer_twice(pl_task_t *task)
{
    (void)task;
    pl_loop_defer(loop, &deferred);
    pl_loop_defer(loop, &deferred);
    assert_int_equal(deferred_runs, 0);
}

static void test_deferred_once(void **state)
{
    (void)state;
    loop = new_loop();
    deferred.run = on_deferred;
    first.run = second.run = defer_twice;
    pl_loop_post(loop, &first);
    pl_loop_post(loop, &second);
    pl_loop_run(loop);
    assert_int_equal(deferred_runs, 1);
}

static pl_timer_t timers[3];
static pl_timer_t disarmed;
static int fired;
static int64_t armed_ms;

static void on_timer(pl_timer_t *timer)
{
    int64_t waited_ms = pl_clock_monotonic_ms() - armed_ms;
    assert_ptr_not_equal(timer, &disarmed);
    assert_ptr_equal(timer, &timers[fired]);
    assert_true(waited_ms >= (fired == 2 ? 120 : 60));
    if (++fired == 3)
        pl_loop_stop(loop);
}

static void test_timers(void **state)
{
    (void)state;
    loop = new_loop();
    armed_ms = pl_clock_monotonic_ms();
    for (int i = 0; i < 3; i++)
        timers[i].on_fire = on_timer;
    disarmed.on_fire = on_timer;
    pl_timer_arm(pl_timer_queue(loop, 120), &timers[2]);
    pl_timer_arm(pl_timer_queue(loop, 60), &disarmed);
    pl_timer_arm(pl_timer_queue(loop, 60), &timers[0]);
    pl_timer_arm(pl_timer_queue(loop, 60), &timers[1]);
    assert_true(pl_timer_is_armed(&disarmed));
    pl_timer_disarm(&disarmed);
    assert_false(pl_timer_is_armed(&disarmed));
    pl_loop_run(loop);
    assert_int_equal(fired, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_in_order),
        cmocka_unit_test(test_deferred_once),
        cmocka_unit_test(test_timers),
    };
    return RUN_TESTS(tests);
}
