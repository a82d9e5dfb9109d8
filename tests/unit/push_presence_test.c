/* Proves: each sign of life makes a user online, for the right time; watchers are notified once
 * when a user comes and once when the user goes; the table is bounded and forgets the user who has
 * been offline the longest; several threads may use it at once. This file simulates the hub and the
 * time. */
#include "push/presence.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "testing.h"

#define TIMEOUT_MS 30000
#define ALICE INT64_C(11)
#define BOB INT64_C(22)
#define MAX_USERS 8
#define THREADS 4
#define ROUNDS 20000

static atomic_size_t notified;
static _Atomic int64_t notified_last;

void pl_hub_send_event(pl_hub_t *hub, int64_t user_id, const pl_event_t *event)
{
    (void)hub;
    assert_int_equal(event->len, 0);
    atomic_fetch_add(&notified, 1);
    atomic_store(&notified_last, user_id);
}

static bool is_online(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    return pl_presence_read(presence, user_id, now_ms).is_online;
}

static int64_t last_seen(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    return pl_presence_read(presence, user_id, now_ms).last_seen_us;
}

static void enter(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    assert_int_equal(pl_presence_enter(presence, user_id, now_ms), 0);
}

static void announce(pl_presence_t *presence, int64_t user_id, int64_t now_ms)
{
    assert_int_equal(pl_presence_announce(presence, user_id, now_ms), 0);
}

static int set_up(void **state)
{
    notified = 0;
    notified_last = 0;
    *state = pl_presence_create(MAX_USERS, TIMEOUT_MS, NULL);
    return 0;
}

static int tear_down(void **state)
{
    pl_presence_t *presence = *state;
    pl_presence_destroy(&presence);
    assert_null(presence);
    return 0;
}

static void test_unknown(void **state)
{
    assert_false(is_online(*state, ALICE, 0));
    assert_int_equal(last_seen(*state, ALICE, 0), 0);
    pl_presence_expire(*state, 1000000);
    assert_int_equal(notified, 0);
}

static void test_open_streams(void **state)
{
    enter(*state, ALICE, 1000);
    enter(*state, ALICE, 2000);
    assert_int_equal(notified, 1);
    assert_int_equal(notified_last, ALICE);
    pl_presence_expire(*state, 1000000);
    assert_true(is_online(*state, ALICE, 1000000));
    int64_t before = pl_clock_now_us();
    assert_true(last_seen(*state, ALICE, 1000000) > before);

    pl_presence_leave(*state, ALICE, 1000000);
    pl_presence_expire(*state, 2000000);
    assert_true(is_online(*state, ALICE, 2000000));
    pl_presence_leave(*state, ALICE, 2000000);
    int64_t seen = last_seen(*state, ALICE, 2000000);
    assert_true(seen > before);
    assert_true(is_online(*state, ALICE, 2000000 + TIMEOUT_MS - 1));
    assert_false(is_online(*state, ALICE, 2000000 + TIMEOUT_MS));
    assert_int_equal(notified, 1);
    pl_presence_expire(*state, 2000000 + TIMEOUT_MS - 1);
    assert_int_equal(notified, 1);
    pl_presence_expire(*state, 2000000 + TIMEOUT_MS);
    assert_int_equal(notified, 2);
    pl_presence_expire(*state, 3000000);
    assert_int_equal(notified, 2);
    assert_int_equal(last_seen(*state, ALICE, 3000000), seen);
}

static void test_announcements(void **state)
{
    announce(*state, ALICE, 0);
    announce(*state, BOB, 10000);
    announce(*state, ALICE, 20000);
    assert_int_equal(notified, 2);
    /* Alice's last sign of life is later than Bob's. */
    pl_presence_expire(*state, 10000 + TIMEOUT_MS);
    assert_int_equal(notified, 3);
    assert_int_equal(notified_last, BOB);
    assert_true(is_online(*state, ALICE, 20000 + TIMEOUT_MS - 1));
    pl_presence_expire(*state, 20000 + TIMEOUT_MS);
    assert_int_equal(notified, 4);
    assert_int_equal(notified_last, ALICE);
}

static void test_announcement_beside_a_stream(void **state)
{
    enter(*state, ALICE, 0);
    announce(*state, ALICE, 1000);
    pl_presence_expire(*state, 1000000);
    assert_true(is_online(*state, ALICE, 1000000));
    pl_presence_leave(*state, ALICE, 1000000);
    announce(*state, ALICE, 1010000);
    assert_true(is_online(*state, ALICE, 1010000 + TIMEOUT_MS - 1));
    assert_int_equal(notified, 1);
}

/* After the time is over and before the timer runs, a watcher may have read "offline". So the next
 * sign of life must notify the watchers. */
static void test_sign_after_the_time_and_before_the_timer(void **state)
{
    announce(*state, ALICE, 0);
    assert_false(is_online(*state, ALICE, TIMEOUT_MS));
    announce(*state, ALICE, TIMEOUT_MS);
    assert_int_equal(notified, 2);
    pl_presence_expire(*state, TIMEOUT_MS);
    assert_int_equal(notified, 2);
    assert_true(is_online(*state, ALICE, TIMEOUT_MS));
}

static void test_many_users_expire_at_once(void **state)
{
    enum { CROWD = 1000 };
    pl_presence_t *presence = pl_presence_create(CROWD, TIMEOUT_MS, NULL);
    (void)state;

    for (int64_t user = 1; user <= CROWD; user++)
        announce(presence, user, 0);
    assert_int_equal(notified, CROWD);
    assert_int_equal(pl_presence_count(presence).online, CROWD);
    pl_presence_expire(presence, TIMEOUT_MS);
    assert_int_equal(notified, 2 * CROWD);
    assert_int_equal(pl_presence_count(presence).online, 0);
    assert_int_equal(pl_presence_count(presence).known, CROWD);
    pl_presence_destroy(&presence);
}

static void test_forgets_the_user_offline_the_longest(void **state)
{
    for (int64_t user = 1; user <= MAX_USERS; user++)
        announce(*state, user, user);
    announce(*state, 1, MAX_USERS + 1);
    pl_presence_expire(*state, 1000000);
    enter(*state, 100, 1000000);
    assert_int_equal(last_seen(*state, 2, 1000000), 0);
    assert_true(last_seen(*state, 1, 1000000) > 0 && last_seen(*state, 3, 1000000) > 0);
    assert_int_equal(pl_presence_count(*state).known, MAX_USERS);
    assert_int_equal(pl_presence_count(*state).online, 1);
}

static void test_full_of_online_users(void **state)
{
    for (int64_t user = 1; user < MAX_USERS; user++)
        enter(*state, user, 0);
    announce(*state, MAX_USERS, 0);
    assert_int_equal(pl_presence_enter(*state, 100, 0), -1);
    assert_int_equal(pl_presence_announce(*state, 100, 0), -1);
    assert_int_equal(notified, MAX_USERS);
    /* Users in the table can give further signs of life. */
    enter(*state, 1, 0);
    announce(*state, 2, 0);
    pl_presence_expire(*state, TIMEOUT_MS);
    enter(*state, 100, TIMEOUT_MS);
    assert_int_equal(last_seen(*state, MAX_USERS, TIMEOUT_MS), 0);
}

static void *come_and_go(void *arg)
{
    pl_presence_t *presence = arg;

    for (int64_t i = 0; i < ROUNDS; i++) {
        int64_t user = 1 + i % 3;
        enter(presence, user, i);
        announce(presence, user, i);
        pl_presence_expire(presence, i);
        assert_true(is_online(presence, user, i));
        pl_presence_leave(presence, user, i);
    }
    return NULL;
}

static void test_threads_at_once(void **state)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, *state), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(notified, 3);
    assert_int_equal(pl_presence_count(*state).known, 3);
    pl_presence_expire(*state, ROUNDS + TIMEOUT_MS);
    assert_int_equal(notified, 6);
    assert_int_equal(pl_presence_count(*state).online, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open_streams, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_announcements, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_announcement_beside_a_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sign_after_the_time_and_before_the_timer, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_many_users_expire_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgets_the_user_offline_the_longest, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_full_of_online_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_at_once, set_up, tear_down),
    };
    return RUN_TESTS(tests);
}
