/* Proves: each key keeps a count of its own, also when the table grows and when many keys come and
 * go; a count does not go over its limit. */
#include "base/tally.h"

#include "base/random.h"
#include "testing.h"

#define KEYS 500
#define STEPS 50000

static void test_a_count_keeps_its_limit(void **state)
{
    pl_tally_t *tally = pl_tally_create();
    (void)state;

    assert_int_equal(pl_tally_add(tally, 7, 2, 3), 0);
    assert_int_equal(pl_tally_add(tally, 7, 2, 3), -1);
    assert_int_equal(pl_tally_count(tally, 7), 2);
    assert_int_equal(pl_tally_add(tally, 7, 1, 3), 0);
    assert_int_equal(pl_tally_add(tally, 8, 4, 3), -1);
    assert_int_equal(pl_tally_count(tally, 8), 0);
    assert_int_equal(pl_tally_add(tally, 0, SIZE_MAX, SIZE_MAX), 0);
    assert_int_equal(pl_tally_add(tally, 0, 1, SIZE_MAX), -1);
    pl_tally_subtract(tally, 0, SIZE_MAX);
    pl_tally_subtract(tally, 7, 3);
    assert_int_equal(pl_tally_count(tally, 7), 0);
    pl_tally_destroy(&tally);
    assert_null(tally);
}

/* Random changes, compared with a plain array. */
static void test_many_keys_come_and_go(void **state)
{
    static size_t expected[KEYS];
    pl_tally_t *tally = pl_tally_create();
    (void)state;

    for (int step = 0; step < STEPS; step++) {
        size_t key = pl_random_below(KEYS);
        size_t count = 1 + pl_random_below(3);
        assert_int_equal(pl_tally_count(tally, (int64_t)key), expected[key]);
        if (pl_random_below(2) == 0 || expected[key] < count) {
            int added = pl_tally_add(tally, (int64_t)key, count, 4);
            assert_int_equal(added, expected[key] + count > 4 ? -1 : 0);
            expected[key] += added == 0 ? count : 0;
        } else {
            pl_tally_subtract(tally, (int64_t)key, count);
            expected[key] -= count;
        }
    }
    for (size_t key = 0; key < KEYS; key++) {
        assert_int_equal(pl_tally_count(tally, (int64_t)key), expected[key]);
        if (expected[key] > 0)
            pl_tally_subtract(tally, (int64_t)key, expected[key]);
    }
    pl_tally_destroy(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_count_keeps_its_limit),
        cmocka_unit_test(test_many_keys_come_and_go),
    };
    return RUN_TESTS(tests);
}
