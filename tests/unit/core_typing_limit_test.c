/* Proves that a typing event is passed on once in an interval for each user and conversation, also
 * by several threads at once, and that a full table passes none on twice. */
#include "core/typing_limit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "testing.h"

#define INTERVAL_MS 1000
#define THREADS 4
#define PEERS 1000

static void test_once_in_an_interval(void **state)
{
    pl_typing_limit_t *limit = pl_typing_limit_create(64, INTERVAL_MS);
    (void)state;

    assert_true(pl_typing_limit_take(limit, 1, 2, 5));
    assert_false(pl_typing_limit_take(limit, 1, 2, 5));
    assert_false(pl_typing_limit_take(limit, 1, 2, 1004));
    assert_true(pl_typing_limit_take(limit, 1, 2, 1005));
    /* The interval begins when an event was passed on, not at the last request. */
    assert_false(pl_typing_limit_take(limit, 1, 2, 2004));
    assert_true(pl_typing_limit_take(limit, 1, 2, 2005));
    pl_typing_limit_destroy(&limit);
    assert_null(limit);
}

static void test_users_and_conversations_have_their_own_limits(void **state)
{
    pl_typing_limit_t *limit = pl_typing_limit_create(64, INTERVAL_MS);
    (void)state;

    assert_true(pl_typing_limit_take(limit, 1, 2, 5));
    assert_true(pl_typing_limit_take(limit, 1, 3, 5));
    assert_true(pl_typing_limit_take(limit, 2, 1, 5));
    assert_false(pl_typing_limit_take(limit, 2, 1, 5));
    pl_typing_limit_destroy(&limit);
}

static void test_a_full_table_passes_none_on_twice(void **state)
{
    pl_typing_limit_t *limit = pl_typing_limit_create(16, INTERVAL_MS);
    bool told[PEERS] = {false};
    size_t count = 0;
    (void)state;

    for (int64_t peer = 0; peer < PEERS; peer++) {
        told[peer] = pl_typing_limit_take(limit, 1, peer + 1, 0);
        count += told[peer];
    }
    assert_int_equal(count, 16);
    for (int64_t peer = 0; peer < PEERS; peer++)
        assert_false(pl_typing_limit_take(limit, 1, peer + 1, INTERVAL_MS - 1));
    assert_true(pl_typing_limit_take(limit, 2, 1, INTERVAL_MS));
    pl_typing_limit_destroy(&limit);
}

static pl_typing_limit_t *shared;
static atomic_size_t passed;

static void *take_all(void *arg)
{
    (void)arg;
    for (int64_t peer = 1; peer <= PEERS; peer++)
        if (pl_typing_limit_take(shared, 1, peer, 0))
            atomic_fetch_add(&passed, 1);
    return NULL;
}

static void test_threads_at_once(void **state)
{
    pthread_t threads[THREADS];
    (void)state;

    shared = pl_typing_limit_create((size_t)PEERS * 64, INTERVAL_MS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(passed, PEERS);
    pl_typing_limit_destroy(&shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_in_an_interval),
        cmocka_unit_test(test_users_and_conversations_have_their_own_limits),
        cmocka_unit_test(test_a_full_table_passes_none_on_twice),
        cmocka_unit_test(test_threads_at_once),
    };
    return RUN_TESTS(tests);
}
