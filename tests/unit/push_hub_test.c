/* Proves that an event reaches those who wait for its user, on every loop and once, and nobody
 * else; and that a waiter may leave, or take its neighbours with it, while it is told. */
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
    struct listener *takes_along; /* is removed when this one is told */
    int told;
    char last[32];
} listener_t;

static pl_loop_t *loops[LOOPS];
static pl_hub_t *hub;

static void on_event(pl_waiter_t *waiter, const pl_event_t *event)
{
    listener_t *listener = H2O_STRUCT_FROM_MEMBER(listener_t, waiter, waiter);

    listener->told++;
    assert_string_equal(event->name, "typing");
    assert_in_range(event->len, 1, sizeof(listener->last) - 1);
    memcpy(listener->last, event->json, event->len);
    listener->last[event->len] = '\0';
    if (listener->takes_along != NULL)
        pl_hub_remove(listener->takes_along->local, &listener->takes_along->waiter);
}

static const pl_waiter_callbacks_t callbacks = {.on_event = on_event};

static void tell(const char *json)
{
    pl_hub_tell(hub, ALICE, &(pl_event_t){.name = "typing", .json = json, .len = strlen(json)});
}

static void add(listener_t *listener, int loop, int64_t user_id)
{
    *listener = (listener_t){.waiter = {.callbacks = &callbacks},
                             .local = pl_hub_local(hub, loops[loop])};
    assert_int_equal(pl_hub_add(listener->local, &listener->waiter, user_id), 0);
}

/* What the loops were posted, each on this thread, one after the other. */
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
    assert_int_equal(one.told, 0);
    run_loops();
    assert_true(one.told == 1 && two.told == 1 && elsewhere.told == 1 && other.told == 0);
    assert_string_equal(elsewhere.last, "first");
    pl_hub_remove(one.local, &one.waiter);
    tell("second");
    run_loops();
    assert_true(one.told == 1 && two.told == 2 && elsewhere.told == 2 && other.told == 0);
    assert_string_equal(two.last, "second");
    pl_hub_remove(two.local, &two.waiter);
    pl_hub_remove(elsewhere.local, &elsewhere.waiter);
    pl_hub_remove(other.local, &other.waiter);
}

static void test_leaving_while_told(void **state)
{
    listener_t one, two;
    (void)state;

    add(&one, 0, ALICE);
    add(&two, 0, ALICE);
    one.takes_along = &two;
    two.takes_along = &one;
    tell("x");
    run_loops();
    assert_int_equal(one.told + two.told, 1);
    pl_hub_remove(one.local, &one.waiter);
    pl_hub_remove(two.local, &two.waiter);
    assert_int_equal(pl_hub_waiters(hub), 0);
}

/* Who has left before the event arrives is not told. */
static void test_leaving_before_it_arrives(void **state)
{
    listener_t one;
    (void)state;

    add(&one, 0, ALICE);
    tell("x");
    pl_hub_remove(one.local, &one.waiter);
    run_loops();
    assert_int_equal(one.told, 0);
}

static void test_is_awaited(void **state)
{
    listener_t one, two;
    (void)state;

    assert_false(pl_hub_is_awaited(hub, ALICE));
    add(&one, 0, ALICE);
    add(&two, 1, ALICE);
    pl_hub_remove(one.local, &one.waiter);
    assert_true(pl_hub_is_awaited(hub, ALICE));
    pl_hub_remove(two.local, &two.waiter);
    assert_false(pl_hub_is_awaited(hub, ALICE));
    tell("x");
    run_loops();
}

/* A loop lives as long as its process: kept here, so that it is no leak. */
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
        cmocka_unit_test(test_leaving_while_told),
        cmocka_unit_test(test_leaving_before_it_arrives),
        cmocka_unit_test(test_is_awaited),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
