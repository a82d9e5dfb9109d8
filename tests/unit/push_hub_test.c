/* Proves that an event reaches each waiter of its user once, on every loop, and no other waiter;
 * and that a callback may remove its own waiter and others. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "push/hub.h"
#include "testing.h"

#define LOOPS 2
#define ALICE INT64_C(11)
#define BOB INT64_C(22)

typedef struct listener {
    pl_waiter_t waiter;
    pl_hub_local_t *local;
    struct listener *removes; /* this one's on_event removes that one */
    int events;
    char last[32];
} listener_t;

static pl_loop_t *loops[LOOPS];
static pl_hub_t *hub;

static void on_event(pl_waiter_t *waiter, const pl_event_t *event)
{
    listener_t *listener = H2O_STRUCT_FROM_MEMBER(listener_t, waiter, waiter);

    listener->events++;
    assert_string_equal(event->name, "typing");
    assert_in_range(event->len, 1, sizeof(listener->last) - 1);
    memcpy(listener->last, event->json, event->len);
    listener->last[event->len] = '\0';
    if (listener->removes != NULL)
        pl_hub_remove(listener->removes->local, &listener->removes->waiter);
}

static const pl_waiter_callbacks_t callbacks = {.on_event = on_event};

static void tell(const char *json)
{
    pl_hub_send_event(hub, ALICE,
                      &(pl_event_t){.name = "typing", .json = json, .len = strlen(json)});
}

static void add(listener_t *listener, int loop, int64_t user_id)
{
    *listener = (listener_t){.waiter = {.callbacks = &callbacks},
                             .local = pl_hub_local(hub, loops[loop])};
    assert_int_equal(pl_hub_add(listener->local, &listener->waiter, user_id), 0);
}

/* Runs the tasks of all loops, one loop after the other, on this thread. */
static bool has_ended;

static void on_end(pl_task_t *task)
{
    (void)task;
    has_ended = true;
}

static void run_loops(void)
{
    for (int i = 0; i < LOOPS; i++) {
        pl_task_t end = {.run = on_end};
        has_ended = false;
        pl_loop_post(loops[i], &end);
        while (!has_ended)
            h2o_evloop_run(pl_loop_h2o(loops[i]), 100);
    }
}

static void test_reaches_every_waiter_of_the_user(void **state)
{
    listener_t one, two, elsewhere, other;
    (void)state;

    add(&one, 0, ALICE);
    add(&two, 0, ALICE);
    add(&elsewhere, 1, ALICE);
    add(&other, 1, BOB);
    tell("first");
    assert_int_equal(one.events, 0);
    run_loops();
    assert_true(one.events == 1 && two.events == 1 && elsewhere.events == 1 && other.events == 0);
    assert_string_equal(elsewhere.last, "first");
    pl_hub_remove(one.local, &one.waiter);
    tell("second");
    run_loops();
    assert_true(one.events == 1 && two.events == 2 && elsewhere.events == 2 && other.events == 0);
    assert_string_equal(two.last, "second");
    pl_hub_remove(two.local, &two.waiter);
    pl_hub_remove(elsewhere.local, &elsewhere.waiter);
    pl_hub_remove(other.local, &other.waiter);
}

static void test_waiters_removed_in_a_callback(void **state)
{
    listener_t one, two;
    (void)state;

    add(&one, 0, ALICE);
    add(&two, 0, ALICE);
    one.removes = &two;
    two.removes = &one;
    tell("x");
    run_loops();
    assert_int_equal(one.events + two.events, 1);
    pl_hub_remove(one.local, &one.waiter);
    pl_hub_remove(two.local, &two.waiter);
    assert_int_equal(pl_hub_waiters(hub), 0);
}

/* A waiter that is removed before the event arrives does not get it. */
static void test_waiter_removed_before_the_event_arrives(void **state)
{
    listener_t one;
    (void)state;

    add(&one, 0, ALICE);
    tell("x");
    pl_hub_remove(one.local, &one.waiter);
    run_loops();
    assert_int_equal(one.events, 0);
}

static void test_may_have_waiter(void **state)
{
    listener_t one, two;
    (void)state;

    assert_false(pl_hub_may_have_waiter(hub, ALICE));
    add(&one, 0, ALICE);
    add(&two, 1, ALICE);
    pl_hub_remove(one.local, &one.waiter);
    assert_true(pl_hub_may_have_waiter(hub, ALICE));
    pl_hub_remove(two.local, &two.waiter);
    assert_false(pl_hub_may_have_waiter(hub, ALICE));
    tell("x");
    run_loops();
}

/* A loop lives as long as the process. It stays reachable from here, so that it is not reported as
 * a leak. */
static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < LOOPS; i++)
        loops[i] = pl_loop_create(i);
    hub = pl_hub_create(loops, LOOPS, 100, 10);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reaches_every_waiter_of_the_user),
        cmocka_unit_test(test_waiters_removed_in_a_callback),
        cmocka_unit_test(test_waiter_removed_before_the_event_arrives),
        cmocka_unit_test(test_may_have_waiter),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
