/* Proves that user checks share one read per id, remember existing users only, report errors, and
 * are answered in the order of their start: also a check that starts while others still wait for
 * an answer that has come. Promise 4 needs this for a send that has to look up its users.
 *
 * The lanes are this file's own: reads wait until a test answers them. */
#include "core/user_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/id.h"
#include "store/mailbox.h"

#define SHARDS 4
#define CHECKS_MAX 16

static struct {
    pl_op_t *reads[CHECKS_MAX];
    size_t reads_count;
    bool is_full;
    bool is_away;
    /* Ids of checks in the order of their answers. */
    int told[CHECKS_MAX];
    size_t told_count;
} world;

bool pl_cluster_can_have_id(const pl_cluster_t *cluster, int64_t id)
{
    (void)cluster;
    return pl_id_shard(id) < SHARDS;
}

/* Only their addresses are used. */
static char check_lane, read_lane;

pl_lane_t *pl_cluster_check_lane(const pl_cluster_t *cluster, int64_t mailbox_id)
{
    (void)cluster;
    (void)mailbox_id;
    return (pl_lane_t *)&check_lane;
}

pl_lane_t *pl_cluster_read_lane(const pl_cluster_t *cluster, int shard)
{
    (void)cluster;
    assert_in_range(shard, 0, SHARDS - 1);
    return (pl_lane_t *)&read_lane;
}

int pl_lane_submit(pl_lane_t *lane, pl_op_t *op)
{
    if (world.is_full)
        return -1;
    assert_ptr_equal(op->kind, lane == (pl_lane_t *)&check_lane ? &pl_version_check_kind
                                                                : &pl_version_read_kind);
    assert_true(op->deadline_ms > 0);
    world.reads[world.reads_count++] = op;
    return 0;
}

bool pl_lane_is_connected(const pl_lane_t *lane)
{
    (void)lane;
    return !world.is_away;
}

static void answer_read(size_t index, enum pl_error_code error, bool found)
{
    pl_op_t *op = world.reads[index];
    H2O_STRUCT_FROM_MEMBER(pl_version_read_t, op, op)->found = found;
    op->error = error;
    op->on_done(op);
}

/* The check lane does not find the user, so the shard is asked. */
static void answer_absent(size_t index)
{
    size_t count = world.reads_count;

    answer_read(index, PL_OK, false);
    assert_int_equal(world.reads_count, count + 1);
    assert_ptr_equal(world.reads[count], world.reads[index]);
    assert_ptr_equal(world.reads[count]->kind, &pl_version_read_kind);
}

typedef struct asker {
    pl_user_check_t check;
    pl_user_checks_t *checks;
    int number;
    struct asker *asks_next; /* started from on_done, for the same user */
} asker_t;

static void told(asker_t *asker)
{
    world.told[world.told_count++] = asker->number;
}

static void on_done(pl_user_check_t *check);

static void ask(pl_user_checks_t *checks, asker_t *asker, int number, int64_t user_id)
{
    memset(&asker->check, 0, sizeof(asker->check));
    asker->checks = checks;
    asker->number = number;
    asker->check.user_id = user_id;
    asker->check.on_done = on_done;
    if (pl_user_check_start(checks, &asker->check))
        told(asker);
}

static void on_done(pl_user_check_t *check)
{
    asker_t *asker = H2O_STRUCT_FROM_MEMBER(asker_t, check, check);

    told(asker);
    if (asker->asks_next != NULL)
        ask(asker->checks, asker->asks_next, asker->number + 10, check->user_id);
}

static void assert_told(size_t count, const int *numbers)
{
    assert_int_equal(world.told_count, count);
    assert_memory_equal(world.told, numbers, count * sizeof(numbers[0]));
}

typedef struct fixture {
    pl_known_users_t *known;
    pl_user_checks_t *checks;
} fixture_t;

static int set_up(void **state)
{
    static fixture_t fixture;

    memset(&world, 0, sizeof(world));
    fixture.known = pl_known_users_create(64, NULL);
    fixture.checks = pl_user_checks_create(NULL, fixture.known, 10, CHECKS_MAX);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *fixture = *state;
    pl_user_checks_destroy(&fixture->checks);
    pl_known_users_destroy(&fixture->known);
    return 0;
}

static int64_t user(unsigned shard)
{
    return pl_id_make(shard, 1000, PL_ID_USER, 1);
}

static void test_one_read_for_all_checks(void **state)
{
    fixture_t *fixture = *state;
    asker_t askers[4] = {0};

    ask(fixture->checks, &askers[0], 1, user(1));
    ask(fixture->checks, &askers[1], 2, user(2));
    ask(fixture->checks, &askers[2], 3, user(1));
    assert_int_equal(world.reads_count, 2);
    assert_int_equal(world.told_count, 0);
    answer_read(0, PL_OK, true);
    assert_told(2, (const int[]){1, 3});
    assert_true(askers[0].check.exists && askers[2].check.exists);
    answer_absent(1);
    assert_told(2, (const int[]){1, 3});
    answer_read(2, PL_OK, false);
    assert_told(3, (const int[]){1, 3, 2});
    assert_false(askers[1].check.exists);
    assert_int_equal(askers[1].check.error, PL_OK);

    ask(fixture->checks, &askers[3], 4, user(1));
    assert_told(4, (const int[]){1, 3, 2, 4});
    assert_true(askers[3].check.exists);
    assert_int_equal(world.reads_count, 3);
}

static void test_absence_is_not_remembered(void **state)
{
    fixture_t *fixture = *state;
    asker_t askers[2] = {0};

    ask(fixture->checks, &askers[0], 1, user(1));
    answer_absent(0);
    answer_read(1, PL_OK, false);
    ask(fixture->checks, &askers[1], 2, user(1));
    assert_int_equal(world.reads_count, 3);
    answer_read(2, PL_OK, true);
    assert_true(askers[1].check.exists);
}

/* A user whom the check lane does not find may be in a shard that has left the database. */
static void test_the_shard_decides(void **state)
{
    fixture_t *fixture = *state;
    asker_t askers[3] = {0};

    ask(fixture->checks, &askers[0], 1, user(1));
    answer_absent(0);
    answer_read(1, PL_ERROR_SQL, false);
    assert_int_equal(askers[0].check.error, PL_ERROR_SQL);

    ask(fixture->checks, &askers[1], 2, user(1));
    answer_absent(2);
    answer_read(3, PL_OK, true);
    assert_true(askers[1].check.exists);

    ask(fixture->checks, &askers[2], 3, user(2));
    world.is_full = true;
    answer_read(4, PL_OK, false);
    assert_int_equal(askers[2].check.error, PL_ERROR_OVERLOADED);
    assert_told(3, (const int[]){1, 2, 3});
}

static void test_missing_shard(void **state)
{
    fixture_t *fixture = *state;
    asker_t asker = {0};

    ask(fixture->checks, &asker, 1, user(SHARDS));
    assert_told(1, (const int[]){1});
    assert_false(asker.check.exists);
    assert_int_equal(asker.check.error, PL_OK);
    assert_int_equal(world.reads_count, 0);
}

static void test_errors_end_all_checks(void **state)
{
    fixture_t *fixture = *state;
    asker_t askers[3] = {0};

    ask(fixture->checks, &askers[0], 1, user(1));
    ask(fixture->checks, &askers[1], 2, user(1));
    answer_read(0, PL_ERROR_UNAVAILABLE, true);
    assert_told(2, (const int[]){1, 2});
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(askers[i].check.error, PL_ERROR_UNAVAILABLE);
        assert_false(askers[i].check.exists);
    }
    world.is_full = true;
    ask(fixture->checks, &askers[2], 3, user(1));
    assert_int_equal(askers[2].check.error, PL_ERROR_OVERLOADED);
    assert_told(3, (const int[]){1, 2, 3});
}

/* The user becomes known while two checks wait: a third one is still answered after them. */
static void test_no_check_overtakes_waiting_ones(void **state)
{
    fixture_t *fixture = *state;
    asker_t askers[3] = {0};

    ask(fixture->checks, &askers[0], 1, user(1));
    ask(fixture->checks, &askers[1], 2, user(1));
    pl_known_users_add(fixture->known, user(1));
    ask(fixture->checks, &askers[2], 3, user(1));
    assert_int_equal(world.told_count, 0);
    answer_read(0, PL_OK, true);
    assert_told(3, (const int[]){1, 2, 3});
    assert_int_equal(world.reads_count, 1);
}

/* A check that starts inside the first one's on_done is answered after the second. */
static void test_no_check_overtakes_during_the_answers(void **state)
{
    fixture_t *fixture = *state;
    asker_t askers[3] = {0};

    askers[0].asks_next = &askers[2];
    ask(fixture->checks, &askers[0], 1, user(1));
    ask(fixture->checks, &askers[1], 2, user(1));
    answer_read(0, PL_OK, true);
    assert_told(3, (const int[]){1, 2, 11});
    assert_true(askers[2].check.exists);
    assert_int_equal(world.reads_count, 1);
}

/* A check that must not wait ends at once, unless others wait already: these are not overtaken. */
static void test_must_not_wait(void **state)
{
    fixture_t *fixture = *state;
    asker_t patient = {0}, hasty = {0}, later = {0};

    world.is_away = true;
    hasty.check.user_id = user(1);
    hasty.check.must_not_wait = true;
    assert_true(pl_user_check_start(fixture->checks, &hasty.check));
    assert_int_equal(hasty.check.error, PL_ERROR_UNAVAILABLE);
    assert_int_equal(world.reads_count, 0);

    ask(fixture->checks, &patient, 1, user(1));
    later.check.user_id = user(1);
    later.check.must_not_wait = true;
    later.check.on_done = on_done;
    later.number = 2;
    assert_false(pl_user_check_start(fixture->checks, &later.check));
    answer_read(0, PL_OK, true);
    assert_told(2, (int[]){1, 2});
    assert_true(later.check.exists);
}

static void test_cancelled_checks_are_not_answered(void **state)
{
    fixture_t *fixture = *state;
    asker_t askers[3] = {0};

    for (int i = 0; i < 3; i++)
        ask(fixture->checks, &askers[i], i + 1, user(1));
    pl_user_check_cancel(fixture->checks, &askers[1].check);
    answer_read(0, PL_OK, true);
    assert_told(2, (const int[]){1, 3});
}

/* Cancelled checks do not count for the limit. */
static void test_cancelled_checks_do_not_count(void **state)
{
    fixture_t *fixture = *state;
    asker_t first = {0}, askers[4 * CHECKS_MAX] = {0};

    ask(fixture->checks, &first, 0, user(1));
    for (size_t i = 0; i < 4 * CHECKS_MAX; i++) {
        ask(fixture->checks, &askers[i], 1, user(1));
        assert_int_equal(world.told_count, 0);
        pl_user_check_cancel(fixture->checks, &askers[i].check);
    }
    answer_read(0, PL_OK, true);
    assert_told(1, (const int[]){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_read_for_all_checks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_absence_is_not_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_shard_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_shard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_errors_end_all_checks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_check_overtakes_waiting_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_check_overtakes_during_the_answers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_must_not_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled_checks_are_not_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cancelled_checks_do_not_count, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
