/* Proves: a plain queue keeps the order of arrival; a queue that takes turns gives one operation of
 * each user in turn, in each user's own order, and no batch more of one user than its part;
 * operations that run again come first; those that are past their deadline or abandoned leave. */
#include "db/queue.h"

#include "base/random.h"
#include "testing.h"

#define OPS 300

static pl_op_t ops[OPS];
static pl_queue_t queue;

static void add(int index, int64_t user_id, size_t weight)
{
    ops[index] = (pl_op_t){.user_id = user_id, .weight = weight, .deadline_ms = 100};
    pl_queue_add(&queue, &ops[index]);
}

static void take(int expected)
{
    pl_op_t *op = pl_queue_first(&queue);

    assert_ptr_equal(op, &ops[expected]);
    pl_queue_take(&queue, op->weight);
}

static void test_a_plain_queue_keeps_the_order(void **state)
{
    (void)state;
    pl_queue_init(&queue, false);
    for (int i = 0; i < 6; i++)
        add(i, i % 2, PL_BATCH_USER_WEIGHT_MAX);
    pl_queue_begin_batch(&queue);
    for (int i = 0; i < 6; i++)
        take(i);
    assert_true(pl_queue_is_empty(&queue));
    assert_null(pl_queue_first(&queue));
}

static void test_users_take_turns(void **state)
{
    (void)state;
    pl_queue_init(&queue, true);
    for (int i = 0; i < 4; i++)
        add(i, 1, 1);
    add(4, 2, 1);
    add(5, 2, 1);
    add(6, 3, 1);
    pl_queue_begin_batch(&queue);
    take(0);
    take(4);
    take(6);
    take(1);
    add(7, 4, 1); /* the first turn after those who are there */
    take(5);
    take(2);
    take(7);
    take(3);
    assert_true(pl_queue_is_empty(&queue));
}

static void test_a_batch_has_a_part_of_each_user(void **state)
{
    (void)state;
    pl_queue_init(&queue, true);
    for (int i = 0; i < 3; i++)
        add(i, 1, PL_BATCH_USER_WEIGHT_MAX / 2);
    add(3, 1, 1);
    add(4, 2, PL_BATCH_USER_WEIGHT_MAX * 10); /* one operation in any case */
    add(5, 2, 1);
    pl_queue_begin_batch(&queue);
    take(0);
    take(4);
    take(1);
    assert_null(pl_queue_first(&queue));
    assert_false(pl_queue_is_empty(&queue));
    add(6, 1, 1);
    add(7, 3, 1);
    take(7);
    assert_null(pl_queue_first(&queue));
    pl_queue_begin_batch(&queue);
    take(5);
    take(2);
    take(3);
    take(6);
    assert_true(pl_queue_is_empty(&queue));
}

/* What another operation's result answers costs the batch nothing. */
static void test_equal_operations_cost_nothing(void **state)
{
    (void)state;
    pl_queue_init(&queue, true);
    for (int i = 0; i < 5; i++)
        add(i, 1, PL_BATCH_USER_WEIGHT_MAX - 1);
    pl_queue_begin_batch(&queue);
    take(0);
    for (int i = 1; i < 4; i++) {
        assert_ptr_equal(pl_queue_first(&queue), &ops[i]);
        pl_queue_take(&queue, 0);
    }
    take(4);
    assert_true(pl_queue_is_empty(&queue));
}

static void test_what_runs_again_is_first(void **state)
{
    (void)state;
    pl_queue_init(&queue, true);
    add(0, 1, 1);
    for (int i = 2; i > 0; i--) {
        ops[i] = (pl_op_t){.user_id = 2, .weight = PL_BATCH_USER_WEIGHT_MAX};
        pl_queue_add_first(&queue, &ops[i]);
    }
    pl_queue_begin_batch(&queue);
    take(1);
    take(2);
    take(0);
    assert_true(pl_queue_is_empty(&queue));
}

static void assert_expired(uint64_t now_ms, const int *expected, size_t count)
{
    h2o_linklist_t expired;

    h2o_linklist_init_anchor(&expired);
    pl_queue_take_expired(&queue, now_ms, &expired);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(expired.next, &ops[expected[i]].link);
        h2o_linklist_unlink(expired.next);
    }
    assert_true(h2o_linklist_is_empty(&expired));
}

static void test_expired_and_abandoned_ones_leave(void **state)
{
    (void)state;
    pl_queue_init(&queue, true);
    add(0, 1, PL_BATCH_USER_WEIGHT_MAX);
    add(1, 1, 1);
    add(2, 2, 1);
    add(3, 2, 1);
    pl_queue_begin_batch(&queue);
    take(0); /* user 1 rests */
    ops[2].abandoned = true;
    assert_expired(99, (int[]){2}, 1);
    ops[3].deadline_ms = 200;
    assert_expired(100, (int[]){1}, 1);
    take(3);
    assert_true(pl_queue_is_empty(&queue));
}

/* Many users who come and go: nothing is lost, and each user's operations keep their order. */
static void test_each_user_keeps_its_order(void **state)
{
    static int last[OPS];
    int added = 0, taken = 0;
    (void)state;

    pl_queue_init(&queue, true);
    memset(last, -1, sizeof(last));
    while (taken < OPS) {
        if (added < OPS && pl_random_below(3) > 0) {
            add(added++, (int64_t)pl_random_below(20) * PL_QUEUE_BUCKETS, pl_random_below(200));
            continue;
        }
        pl_queue_begin_batch(&queue);
        for (pl_op_t *op; (op = pl_queue_first(&queue)) != NULL; taken++) {
            pl_queue_take(&queue, op->weight);
            int *before = &last[op->user_id / PL_QUEUE_BUCKETS];
            assert_true((int)(op - ops) > *before);
            *before = (int)(op - ops);
        }
    }
    assert_true(pl_queue_is_empty(&queue));
}

static int stop(void **state)
{
    (void)state;
    pl_queue_dispose(&queue);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_plain_queue_keeps_the_order, stop),
        cmocka_unit_test_teardown(test_users_take_turns, stop),
        cmocka_unit_test_teardown(test_a_batch_has_a_part_of_each_user, stop),
        cmocka_unit_test_teardown(test_equal_operations_cost_nothing, stop),
        cmocka_unit_test_teardown(test_what_runs_again_is_first, stop),
        cmocka_unit_test_teardown(test_expired_and_abandoned_ones_leave, stop),
        cmocka_unit_test_teardown(test_each_user_keeps_its_order, stop),
    };
    return RUN_TESTS(tests);
}
