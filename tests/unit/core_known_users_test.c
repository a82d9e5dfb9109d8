/* Proves that the set of known users has the users added last and no others, stays within its
 * limit, and forgets erased users at once and all users after two turns. */
#include "core/known_users.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_has_what_was_added(void **state)
{
    pl_known_users_t *set = pl_known_users_create(1024, NULL);
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
    pl_known_users_t *set = pl_known_users_create(64, NULL);
    size_t found = 0;
    (void)state;

    for (int64_t id = 1; id <= 10000; id++) {
        pl_known_users_add(set, id);
        assert_true(pl_known_users_has(set, id));
    }
    for (int64_t id = 1; id <= 10000; id++)
        found += pl_known_users_has(set, id);
    assert_int_equal(found, 64);
    pl_known_users_destroy(&set);
}

/* In a set of one group: users that are asked for stay, others are replaced. */
static void test_forgets_the_least_recently_used(void **state)
{
    pl_known_users_t *set = pl_known_users_create(4, NULL);
    (void)state;

    for (int64_t id = 1; id <= 4; id++)
        pl_known_users_add(set, id);
    assert_true(pl_known_users_has(set, 1));
    pl_known_users_add(set, 5);
    assert_true(pl_known_users_has(set, 1));
    assert_false(pl_known_users_has(set, 2));
    assert_true(pl_known_users_has(set, 3));
    assert_true(pl_known_users_has(set, 4));
    assert_true(pl_known_users_has(set, 5));
    pl_known_users_destroy(&set);
}

static void test_forgets_in_two_turns(void **state)
{
    pl_known_users_t *set = pl_known_users_create(64, NULL);
    (void)state;

    pl_known_users_add(set, 1);
    pl_known_users_add(set, 2);
    pl_known_users_turn(set);
    assert_true(pl_known_users_has(set, 1));
    assert_true(pl_known_users_has(set, 2));
    pl_known_users_add(set, 2);
    pl_known_users_turn(set);
    assert_false(pl_known_users_has(set, 1));
    assert_true(pl_known_users_has(set, 2));
    pl_known_users_turn(set);
    assert_false(pl_known_users_has(set, 2));
    pl_known_users_destroy(&set);
}

static void test_forgets_the_erased(void **state)
{
    pl_erased_users_t *erased = pl_erased_users_create();
    pl_erased_users_add(erased, 1);
    pl_known_users_t *set = pl_known_users_create(64, erased),
                     *other = pl_known_users_create(64, erased);
    (void)state;

    for (int64_t id = 1; id <= 3; id++) {
        pl_known_users_add(set, id);
        pl_known_users_turn(set);
        pl_known_users_add(set, id);
        pl_known_users_add(other, id);
    }
    assert_true(pl_known_users_has(other, 1));
    pl_erased_users_add(erased, 2);
    pl_erased_users_add(erased, 7);
    assert_false(pl_known_users_has(set, 2));
    assert_true(pl_known_users_has(set, 3));
    assert_false(pl_known_users_has(other, 2));
    assert_true(pl_known_users_has(other, 1));
    /* More than are kept. */
    for (int64_t id = 100; id < 3000; id++)
        pl_erased_users_add(erased, id);
    assert_false(pl_known_users_has(set, 3));
    pl_known_users_add(set, 3);
    assert_true(pl_known_users_has(set, 3));
    pl_known_users_destroy(&set);
    pl_known_users_destroy(&other);
    pl_erased_users_destroy(&erased);
    assert_null(erased);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_what_was_added),
        cmocka_unit_test(test_is_bounded),
        cmocka_unit_test(test_forgets_the_least_recently_used),
        cmocka_unit_test(test_forgets_in_two_turns),
        cmocka_unit_test(test_forgets_the_erased),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
