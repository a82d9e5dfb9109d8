/* Proves what a follower does with each wake-up, result and heartbeat in each of its states: it
 * delivers every change once, reads only when it must, has at most one read in flight, never calls
 * back during a call, and does nothing after it is destroyed. */
#include "push_follower_fixture.h"

static void test_starts_with_a_cursor(void **state)
{
    (void)state;
    create(100);
    assert_int_equal(world.reads_count, 0);
    next();
    assert_reads_since(0, 100);
    next(); /* not IDLE: has no effect */
    assert_int_equal(world.reads_count, 1);
    answer_page(
        0, (page_t){.version = 120, .messages_count = 1, .first_version = 115, .content = "hi"});
    assert_callbacks(1, 0, 0);
    assert_int_equal(world.cursor, 120);
    assert_false(world.has_more);
    assert_non_null(strstr(world.delta, "\"messageContent\":\"hi\""));
    assert_non_null(strstr(world.delta, "\"lastUpdatedTimestamp\":120,\"hasMore\":false"));
    assert_int_equal(world.read, 1);

    next(); /* no change is known, so it waits without a read */
    assert_int_equal(world.reads_count, 1);
    wake(120, 130, "{direct}", 1);
    assert_callbacks(2, 0, 0);
}

static void test_starts_from_now(void **state)
{
    (void)state;
    create(PL_FOLLOW_FROM_NOW);
    next();
    assert_int_equal(pl_follower_cursor(world.follower), PL_FOLLOW_FROM_NOW);
    answer_version(0, PL_OK, true, 500);
    assert_callbacks(0, 1, 0);
    assert_int_equal(world.cursor, 500);
    assert_int_equal(pl_follower_cursor(world.follower), 500);
    assert_int_equal(world.reads_count, 1);
}

/* A commit during the read of the version may have a higher version. */
static void test_from_now_is_woken_while_reading(void **state)
{
    (void)state;
    create(PL_FOLLOW_FROM_NOW);
    next();
    wake(500, 510, "{direct}", 1);
    assert_callbacks(0, 0, 0);
    answer_version(0, PL_OK, true, 500);
    assert_callbacks(0, 0, 0);
    assert_reads_since(1, 500);
    answer_message(1, 510);
    assert_callbacks(1, 0, 0);
}

static void test_unknown_user(void **state)
{
    (void)state;
    create(PL_FOLLOW_FROM_NOW);
    next();
    answer_version(0, PL_OK, false, 0);
    assert_callbacks(0, 0, 1);
    assert_int_equal(world.error, PL_ERROR_INVALID);
    destroy();

    create(100);
    next();
    answer_result(1, empty_page());
    assert_callbacks(0, 0, 2);
    assert_int_equal(world.error, PL_ERROR_INVALID);
}

static void test_nothing_new(void **state)
{
    (void)state;
    create(100);
    next();
    answer_nothing(0, 103); /* changes that the page does not show */
    assert_callbacks(0, 1, 0);
    assert_int_equal(world.cursor, 103);
    next(); /* WAITING: has no effect */
    assert_int_equal(world.reads_count, 1);
}

/* An empty first page is delivered, because it replaces the client's view. */
static void test_cursor_above_the_mailbox_version(void **state)
{
    (void)state;
    create(9000);
    next();
    answer_page(0, (page_t){.version = 100, .replaces = true});
    assert_callbacks(1, 0, 0);
    assert_int_equal(world.cursor, 100);
    assert_non_null(strstr(world.delta, "\"isDeltaUpdate\":false"));
}

static void test_direct_delta(void **state)
{
    (void)state;
    create_waiting(100);
    wake(100, 110, "{direct}", PAGE_SIZE);
    assert_callbacks(1, 1, 0);
    assert_string_equal(world.delta, "{direct}");
    assert_int_equal(world.cursor, 110);
    assert_false(world.has_more);
    next();
    wake(110, 120, "{again}", 1);
    assert_callbacks(2, 1, 0);
    assert_string_equal(world.delta, "{again}");
    assert_int_equal(world.reads_count, 1);
    assert_int_equal(world.direct, 2);
}

/* The follower reads if the wake-up has no delta, or its delta does not begin at the cursor or is
 * too large. */
static void test_wakes_that_need_a_read(void **state)
{
    (void)state;
    static char too_long[DELTA_BYTES_MAX + 2];
    memset(too_long, 'x', sizeof(too_long) - 1);
    const pl_wake_t wakes[] = {
        {.previous = 99, .version = 110, .delta = "{}", .messages_count = 1},
        {.previous = 105, .version = 110, .delta = "{}", .messages_count = 1},
        {.previous = 100, .version = 110, .delta = NULL, .messages_count = 1},
        {.previous = 100, .version = 110, .delta = "{}", .messages_count = PAGE_SIZE + 1},
        {.previous = 100, .version = 110, .delta = too_long, .messages_count = 1},
    };
    for (size_t i = 0; i < sizeof(wakes) / sizeof(wakes[0]); i++) {
        set_up(state);
        create_waiting(100);
        wake(wakes[i].previous, wakes[i].version, wakes[i].delta, wakes[i].messages_count);
        assert_callbacks(0, 1, 0);
        assert_reads_since(1, 100);
        answer_message(1, 110);
        assert_callbacks(1, 1, 0);
        assert_int_equal(world.read, 1);
        assert_int_equal(world.direct, 0);
        tear_down(state);
    }
}

static void test_late_wake_has_no_effect(void **state)
{
    (void)state;
    create_waiting(100);
    wake(80, 90, "{old}", 1);
    wake(90, 100, "{old}", 1);
    assert_callbacks(0, 1, 0);
    assert_int_equal(world.reads_count, 1);
}

static void test_woken_while_reading(void **state)
{
    (void)state;
    create(100);
    next();
    wake(100, 110, "{direct}", 1);
    assert_callbacks(0, 0, 0);
    assert_int_equal(world.reads_count, 1);
    /* The page's snapshot is older than the commit. */
    answer_nothing(0, 100);
    assert_callbacks(0, 0, 0);
    assert_reads_since(1, 100);
    answer_message(1, 110);
    assert_callbacks(1, 0, 0);

    /* The same if the older page had changes: the rest is read after next. */
    next();
    wake(110, 120, NULL, 1);
    wake(120, 130, NULL, 1);
    assert_int_equal(world.reads_count, 3);
    answer_message(2, 120);
    assert_callbacks(2, 0, 0);
    next();
    assert_reads_since(3, 120);
}

/* After a wake-up during a read it reads once more, and then trusts the mailbox. */
static void test_wake_above_the_mailbox_version(void **state)
{
    (void)state;
    create_waiting(100);
    wake(105, 110, NULL, 0);
    assert_reads_since(1, 100);
    wake(110, 120, NULL, 0);
    answer_nothing(1, 100);
    assert_reads_since(2, 100);
    answer_nothing(2, 100);
    assert_int_equal(world.reads_count, 3);
    assert_callbacks(0, 2, 0);
    wake(100, 130, "{direct}", 1);
    assert_callbacks(1, 2, 0);
}

static void test_woken_while_idle(void **state)
{
    (void)state;
    create_waiting(100);
    wake(100, 110, "{direct}", 1);
    wake(110, 120, "{missed}", 1);
    assert_callbacks(1, 1, 0);
    assert_int_equal(world.reads_count, 1);
    next();
    assert_reads_since(1, 110);
    answer_message(1, 120);
    assert_callbacks(2, 1, 0);
    assert_int_equal(world.cursor, 120);
}

static void test_heartbeat_finds_nothing(void **state)
{
    (void)state;
    create_waiting(100);
    heartbeat();
    assert_int_equal(world.heartbeats, 1);
    assert_non_null(world.heartbeat); /* armed again */
    assert_int_equal(world.reads_count, 2);
    heartbeat(); /* the check is still in flight: no second one */
    assert_int_equal(world.heartbeats, 2);
    assert_int_equal(world.reads_count, 2);
    answer_version(1, PL_OK, true, 100);
    assert_callbacks(0, 1, 0);
    assert_int_equal(world.missed, 0);
    wake(100, 110, "{direct}", 1);
    assert_callbacks(1, 1, 0);
}

static void test_heartbeat_finds_a_change(void **state)
{
    (void)state;
    create_waiting(100);
    heartbeat();
    answer_version(1, PL_OK, true, 110);
    assert_int_equal(world.missed, 1);
    assert_reads_since(2, 100);
    answer_message(2, 110);
    assert_callbacks(1, 1, 0);
    assert_int_equal(world.cursor, 110);
}

/* A failed check is not reported to the owner: the next heartbeat checks again. */
static void test_heartbeat_check_fails(void **state)
{
    (void)state;
    create_waiting(100);
    heartbeat();
    answer_version(1, PL_ERROR_UNAVAILABLE, false, 0);
    assert_callbacks(0, 1, 0);
    assert_int_equal(world.reads_count, 2);
    heartbeat();
    answer_version(2, PL_OK, true, 110);
    assert_reads_since(3, 100);
}

static void test_heartbeat_checks_only_when_waiting(void **state)
{
    (void)state;
    create(100);
    heartbeat(); /* IDLE */
    assert_int_equal(world.reads_count, 0);
    next();
    heartbeat(); /* READING */
    assert_int_equal(world.reads_count, 1);
    assert_int_equal(world.heartbeats, 2);
}

/* During a check, a wake-up starts no read. The check does it when it ends, whatever version it
 * finds. */
static void test_woken_while_checking(void **state)
{
    (void)state;
    create_waiting(100);
    heartbeat();
    wake(100, 110, NULL, 1);
    assert_int_equal(world.reads_count, 2);
    answer_version(1, PL_OK, true, 100); /* read before the commit */
    assert_reads_since(2, 100);
    answer_message(2, 110);
    assert_callbacks(1, 1, 0);

    next();
    heartbeat();
    wake(110, 120, NULL, 1);
    answer_version(3, PL_ERROR_UNAVAILABLE, false, 0);
    assert_reads_since(4, 110);
    assert_int_equal(world.missed, 0);
}

/* The check's result is older than a delta that came during the check. No wake-up was missed. But
 * the same result would come from a mailbox that lost changes, so the follower reads. */
static void test_check_is_overtaken_by_a_delta(void **state)
{
    (void)state;
    create_waiting(100);
    heartbeat();
    wake(100, 110, "{direct}", 1);
    assert_callbacks(1, 1, 0);
    next();
    answer_version(1, PL_OK, true, 100);
    assert_int_equal(world.missed, 0);
    assert_reads_since(2, 110);
    answer_nothing(2, 110);
    assert_callbacks(1, 2, 0);
    wake(110, 120, "{direct}", 1);
    assert_callbacks(2, 2, 0);
}

/* The check is still in flight when the follower reads a page. It abandons the check, and the
 * check's result must not make it lose the page. */
static void test_check_is_overtaken_by_a_read(void **state)
{
    (void)state;
    create_waiting(100);
    heartbeat();
    wake(100, 110, "{direct}", 1);
    wake(110, 120, NULL, 1); /* IDLE */
    next();
    assert_reads_since(2, 110);
    assert_true(world.reads[1]->abandoned);
    assert_false(world.reads[2]->abandoned);
    answer_version(1, PL_OK, true, 100);
    assert_callbacks(1, 1, 0);
    assert_int_equal(world.reads_count, 3);
    destroy();
    assert_true(world.reads[2]->abandoned);
    answer_message(2, 120);
    assert_callbacks(1, 1, 0);
}

/* The same; the page is delivered once. */
static void test_read_outlives_the_check(void **state)
{
    (void)state;
    create_waiting(100);
    heartbeat();
    wake(100, 110, "{direct}", 1);
    wake(110, 120, NULL, 1);
    next();
    answer_message(2, 120);
    assert_callbacks(2, 1, 0);
    next();
    answer_version(1, PL_OK, true, 100); /* much later: has no effect */
    assert_callbacks(2, 1, 0);
    assert_int_equal(world.reads_count, 3);
    heartbeat(); /* the follower can check again */
    assert_int_equal(world.reads_count, 4);
}

static void test_full_page_is_read_on(void **state)
{
    (void)state;
    create(100);
    next();
    answer_page(0, (page_t){.version = 103,
                            .has_more = true,
                            .messages_count = 3,
                            .first_version = 101,
                            .content = "x"});
    assert_true(world.has_more);
    next();
    assert_reads_since(1, 103);
    answer_nothing(1, 103);
    assert_callbacks(1, 1, 0);
}

/* A page above the limit in bytes is cut, and the rest comes with the next delta. */
static void test_long_page_is_cut(void **state)
{
    (void)state;
    char content[DELTA_BYTES_MAX] = "";
    memset(content, 'x', sizeof(content) - 1);
    create(100);
    next();
    answer_page(
        0, (page_t){.version = 102, .messages_count = 2, .first_version = 101, .content = content});
    assert_callbacks(1, 0, 0);
    assert_true(world.has_more);
    assert_int_equal(world.cursor, 101);
    next();
    assert_reads_since(1, 101);
}

static void test_error_then_retry(void **state)
{
    (void)state;
    create_waiting(100);
    wake(90, 110, NULL, 1);
    fail_read(1, PL_ERROR_UNAVAILABLE);
    assert_callbacks(0, 1, 1);
    assert_int_equal(world.error, PL_ERROR_UNAVAILABLE);
    wake(110, 120, "{direct}", 1); /* IDLE: remembered only */
    assert_callbacks(0, 1, 1);
    next();
    assert_reads_since(2, 100);
    answer_page(
        2, (page_t){.version = 120, .messages_count = 2, .first_version = 110, .content = "x"});
    assert_callbacks(1, 1, 1);
}

/* After an error it reads, even without a wake-up. */
static void test_error_of_the_first_read(void **state)
{
    (void)state;
    create(PL_FOLLOW_FROM_NOW);
    next();
    answer_version(0, PL_ERROR_DEADLINE, false, 0);
    assert_callbacks(0, 0, 1);
    next();
    answer_version(1, PL_OK, true, 100);
    assert_callbacks(0, 1, 1);
    destroy();

    create(100);
    next();
    fail_read(2, PL_ERROR_DEADLINE);
    next();
    assert_reads_since(3, 100);
}

static void test_full_lane_is_an_error(void **state)
{
    (void)state;
    create(100);
    world.is_lane_full = true;
    next();
    assert_callbacks(0, 0, 0); /* not during next() */
    pl_op_t *refused = world.refused;
    assert_non_null(refused);
    world.refused = NULL;
    world.is_lane_full = false;
    refused->error = PL_ERROR_OVERLOADED;
    refused->on_done(refused);
    assert_callbacks(0, 0, 1);
    assert_int_equal(world.error, PL_ERROR_OVERLOADED);
    next();
    assert_reads_since(0, 100);
}

/* Only a successful read of the mailbox confirms a cursor. */
static void test_cursor_is_confirmed_by_a_read(void **state)
{
    (void)state;
    create(9000);
    assert_int_equal(pl_follower_cursor(world.follower), PL_FOLLOW_FROM_NOW);
    next();
    wake(9000, 9010, "{direct}", 1);
    assert_int_equal(pl_follower_cursor(world.follower), PL_FOLLOW_FROM_NOW);
    fail_read(0, PL_ERROR_UNAVAILABLE);
    assert_int_equal(pl_follower_cursor(world.follower), PL_FOLLOW_FROM_NOW);
    next();
    answer_nothing(1, 9010);
    assert_int_equal(pl_follower_cursor(world.follower), 9010);
}

static void test_destroyed_while_reading(void **state)
{
    (void)state;
    create(PL_FOLLOW_FROM_NOW);
    next();
    destroy();
    assert_true(world.reads[0]->abandoned);
    answer_version(0, PL_OK, true, 100);

    create(100);
    next();
    destroy();
    answer_message(1, 110);
    assert_callbacks(0, 0, 0);

    create(100);
    destroy(); /* without any next() */
    assert_int_equal(world.reads_count, 2);
    pl_follower_destroy(&world.follower); /* NULL already: has no effect */
}

static void test_destroyed_in_a_callback(void **state)
{
    (void)state;
    create_waiting(100);
    world.destroys = true;
    wake(100, 110, "{direct}", 1);
    assert_null(world.follower);

    create(100);
    next();
    answer_message(1, 110);
    assert_null(world.follower);

    create(100);
    next();
    answer_nothing(2, 100);
    assert_null(world.follower);

    create(PL_FOLLOW_FROM_NOW);
    next();
    answer_version(3, PL_OK, true, 100);
    assert_null(world.follower);

    create(100);
    next();
    fail_read(4, PL_ERROR_UNAVAILABLE);
    assert_null(world.follower);

    create(100);
    heartbeat();
    assert_null(world.follower);
    assert_callbacks(2, 3, 1);
}

static void test_too_many_waiters(void **state)
{
    (void)state;
    world.is_hub_full = true;
    create(100);
    assert_null(world.follower);
    assert_null(world.heartbeat);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_starts_with_a_cursor),
        TEST(test_starts_from_now),
        TEST(test_from_now_is_woken_while_reading),
        TEST(test_unknown_user),
        TEST(test_nothing_new),
        TEST(test_cursor_above_the_mailbox_version),
        TEST(test_direct_delta),
        TEST(test_wakes_that_need_a_read),
        TEST(test_late_wake_has_no_effect),
        TEST(test_woken_while_reading),
        TEST(test_wake_above_the_mailbox_version),
        TEST(test_woken_while_idle),
        TEST(test_heartbeat_finds_nothing),
        TEST(test_heartbeat_finds_a_change),
        TEST(test_heartbeat_check_fails),
        TEST(test_heartbeat_checks_only_when_waiting),
        TEST(test_woken_while_checking),
        TEST(test_check_is_overtaken_by_a_delta),
        TEST(test_check_is_overtaken_by_a_read),
        TEST(test_read_outlives_the_check),
        TEST(test_full_page_is_read_on),
        TEST(test_long_page_is_cut),
        TEST(test_error_then_retry),
        TEST(test_error_of_the_first_read),
        TEST(test_full_lane_is_an_error),
        TEST(test_cursor_is_confirmed_by_a_read),
        TEST(test_destroyed_while_reading),
        TEST(test_destroyed_in_a_callback),
        TEST(test_too_many_waiters),
    };
    return RUN_TESTS(tests);
}
