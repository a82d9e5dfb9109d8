/* Proves that the set of known users has what was added last, never what was not, and stays within
 * its bound. */
#include "api/known_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_has_what_was_added(void **state)
{
    pl_known_users_t *set = pl_known_users_create(1024);
    (void)state;

    for (int64_t id = 1; id <= 100; id++) {
        assert_false(pl_known_users_has(set, id));
        pl_known_users_add(set, id);
        pl_known_users_add(set, id);
        assert_true(pl_known_users_has(set, id));
    }
    assert_true(pl_known_users_has(set, 1));
    assert_false(pl_known_users_has(set, 101));
    assert_false(pl_known_users_has(set, INT64_MAX));
    pl_known_users_add(set, INT64_MAX);
    assert_true(pl_known_users_has(set, INT64_MAX));
    pl_known_users_destroy(&set);
    assert_null(set);
}

static void test_is_bounded(void **state)
{
    pl_known_users_t *set = pl_known_users_create(64);
    size_t found = 0;
    (void)state;

    for (int64_t id = 1; id <= 10000; id++) {
        pl_known_users_add(set, id);
        assert_true(pl_known_users_has(set, id));
    }
    for (int64_t id = 1; id <= 10000; id++) {
        found += pl_known_users_has(set, id);
    }
    assert_int_equal(found, 64);
    pl_known_users_destroy(&set);
}

/* In a set of one group: who is asked for stays, who is not leaves. */
static void test_forgets_the_least_recently_used(void **state)
{
    pl_known_users_t *set = pl_known_users_create(4);
    (void)state;

    for (int64_t id = 1; id <= 4; id++) {
        pl_known_users_add(set, id);
    }
    assert_true(pl_known_users_has(set, 1));
    pl_known_users_add(set, 5);
    assert_true(pl_known_users_has(set, 1));
    assert_false(pl_known_users_has(set, 2));
    assert_true(pl_known_users_has(set, 3));
    assert_true(pl_known_users_has(set, 4));
    assert_true(pl_known_users_has(set, 5));
    pl_known_users_destroy(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_what_was_added),
        cmocka_unit_test(test_is_bounded),
        cmocka_unit_test(test_forgets_the_least_recently_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
