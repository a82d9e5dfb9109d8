/* Proves: a key counts as seen in the sweep after the one that added it, and only then. */
#include <stdlib.h>

#include "relay/seen.h"
#include "testing.h"

static void test_known_for_one_sweep(void **state)
{
    (void)state;
    pl_seen_t seen;

    pl_seen_init(&seen);
    assert_false(pl_seen_add(&seen, 1, 2, 3));
    assert_false(pl_seen_add(&seen, 1, 2, 3)); /* still the same sweep */
    pl_seen_end_sweep(&seen);
    assert_false(pl_seen_add(&seen, 3, 2, 1));
    assert_true(pl_seen_add(&seen, 1, 2, 3));
    pl_seen_end_sweep(&seen);
    pl_seen_end_sweep(&seen);
    assert_false(pl_seen_add(&seen, 1, 2, 3));
    free(seen.before);
    free(seen.now);
}

static void test_more_than_fits(void **state)
{
    (void)state;
    pl_seen_t seen;
    int known = 0;

    pl_seen_init(&seen);
    for (int64_t i = 0; i < 200000; i++)
        assert_false(pl_seen_add(&seen, i, i, i));
    pl_seen_end_sweep(&seen);
    for (int64_t i = 0; i < 200000; i++)
        known += pl_seen_add(&seen, i, i, i);
    assert_in_range(known, 40000, 65536);
    free(seen.before);
    free(seen.now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_for_one_sweep),
        cmocka_unit_test(test_more_than_fits),
    };
    return RUN_TESTS(tests);
}
