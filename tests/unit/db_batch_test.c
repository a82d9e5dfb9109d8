/* Proves: a batch keeps the order of submission within a kind and shard, respects its limits, runs
 * no key twice, and gives an operation that is retried alone a batch of its own. */
#include "db/batch.h"
#include "testing.h"

static const pl_op_kind_t many = {.name = "many", .sql_tail = "()", .max_ops = SIZE_MAX};
static const pl_op_kind_t global = {.name = "global", .max_ops = SIZE_MAX};
static const pl_op_kind_t either = {
    .name = "either", .sql_tail = "()", .sql_shards = "()", .max_ops = SIZE_MAX};
static const pl_op_kind_t few = {.name = "few", .max_ops = 2};
static const pl_op_kind_t single = {.name = "single", .max_ops = 1};

static pl_op_t ops[32];
static pl_queue_t queue;
static pl_batch_t batch;

static void submit(int index, const pl_op_kind_t *kind, int shard)
{
    ops[index] = (pl_op_t){.kind = kind, .shard = shard};
    pl_queue_add(&queue, &ops[index]);
}

static int start(void **state)
{
    (void)state;
    pl_queue_init(&queue, false);
    pl_batch_init(&batch, 8);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pl_queue_dispose(&queue);
    return 0;
}

static void assert_statement(size_t index, const pl_op_kind_t *kind, int shard, const int *expected,
                             size_t count)
{
    const pl_batch_statement_t *statement = &batch.statements[index];
    assert_ptr_equal(statement->kind, kind);
    assert_int_equal(statement->shard, shard);
    assert_int_equal(statement->count, count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(statement->ops[i], &ops[expected[i]]);
}

static void test_groups_by_kind_and_shard(void **state)
{
    (void)state;
    submit(0, &many, 1);
    submit(1, &many, 2);
    submit(2, &single, 1);
    submit(3, &many, 1);
    submit(4, &single, 1);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.count, 5);
    assert_int_equal(batch.statements_count, 4);
    assert_statement(0, &many, 1, (int[]){0, 3}, 2);
    assert_statement(1, &many, 2, (int[]){1}, 1);
    assert_statement(2, &single, 1, (int[]){2}, 1);
    assert_statement(3, &single, 1, (int[]){4}, 1);
    assert_true(pl_queue_is_empty(&queue));
}

/* One statement is for all shards of the database, and takes their locks in one order. */
static void test_statement_without_schema_serves_all_shards(void **state)
{
    (void)state;
    submit(0, &global, 1);
    submit(1, &global, 2);
    submit(2, &global, 1);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.statements_count, 1);
    assert_statement(0, &global, 1, (int[]){0, 1, 2}, 3);
}

/* Operations of several shards share a statement if the kind has one for several shards. Operations
 * of one shard use the shard's statement. */
static void test_statement_for_several_shards(void **state)
{
    (void)state;
    submit(0, &either, 1);
    submit(1, &many, 2);
    submit(2, &either, 1);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.statements_count, 2);
    assert_statement(0, &either, 1, (int[]){0, 2}, 2);
    assert_false(batch.statements[0].is_mixed);
    pl_batch_clear(&batch);

    submit(0, &either, 1);
    submit(1, &either, 2);
    submit(2, &either, 1);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.statements_count, 1);
    assert_statement(0, &either, 1, (int[]){0, 1, 2}, 3);
    assert_true(batch.statements[0].is_mixed);
    pl_batch_clear(&batch);

    submit(0, &either, 3);
    pl_batch_fill(&batch, &queue);
    assert_false(batch.statements[0].is_mixed);
}

static void test_full_statement_starts_another(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        submit(i, &few, 0);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.statements_count, 3);
    assert_statement(0, &few, 0, (int[]){0, 1}, 2);
    assert_statement(1, &few, 0, (int[]){2, 3}, 2);
    assert_statement(2, &few, 0, (int[]){4}, 1);
}

static void test_limit(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        submit(i, &many, 0);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.count, 8);
    assert_ptr_equal(pl_queue_first(&queue), &ops[8]);
}

static void test_heavy_operations_do_not_share(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++)
        submit(i, &many, 0);
    ops[0].weight = PL_STATEMENT_WEIGHT_MAX / 2;
    ops[1].weight = PL_STATEMENT_WEIGHT_MAX / 2;
    ops[2].weight = 1;
    ops[3].weight = PL_BATCH_WEIGHT_MAX - PL_STATEMENT_WEIGHT_MAX - 1;
    ops[4].weight = 1;
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.statements_count, 3);
    assert_statement(0, &many, 0, (int[]){0, 1}, 2);
    assert_statement(1, &many, 0, (int[]){2}, 1);
    assert_statement(2, &many, 0, (int[]){3}, 1);
    assert_ptr_equal(pl_queue_first(&queue), &ops[4]);
    pl_batch_clear(&batch);

    /* The first operation is taken, however heavy it is. */
    ops[4].weight = 10 * PL_BATCH_WEIGHT_MAX;
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.count, 1);
    pl_batch_clear(&batch);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.count, 1);
}

static void test_one_statement_per_batch(void **state)
{
    (void)state;
    static pl_op_kind_t one_statement;

    one_statement = many;
    one_statement.is_one_statement_per_batch = true;
    for (int i = 0; i < 3; i++) {
        submit(i, &one_statement, 0);
        ops[i].weight = PL_STATEMENT_WEIGHT_MAX / 2;
    }
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.statements_count, 1);
    assert_ptr_equal(pl_queue_first(&queue), &ops[2]);
}

static void test_an_operation_retried_alone_has_its_own_batch(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        submit(i, &many, 0);
    ops[0].is_retried_alone = true;
    ops[2].is_retried_alone = true;

    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.ops[0], &ops[0]);
    pl_batch_clear(&batch);
    pl_batch_fill(&batch,
                  &queue); /* this batch ends before the next operation that is retried alone */
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.ops[0], &ops[1]);
    pl_batch_clear(&batch);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.count, 1);
    assert_ptr_equal(batch.ops[0], &ops[2]);
}

static void fill_and_expect(const int *expected, size_t count)
{
    pl_batch_clear(&batch);
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.count, count);
    for (size_t i = 0; i < count; i++)
        assert_ptr_equal(batch.ops[i], &ops[expected[i]]);
}

static void assert_leaders(const int *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (expected[i] < 0)
            assert_null(batch.leaders[i]);
        else
            assert_ptr_equal(batch.leaders[i], &ops[expected[i]]);
}

/* Only the first operation of a key is in the statement; the others get its result. */
static void test_a_key_is_in_a_statement_once(void **state)
{
    (void)state;
    static const uint64_t keys[] = {7, 8, 7, 0, 7, 0, 8, 9};
    for (int i = 0; i < 8; i++) {
        submit(i, &global, i % 2);
        ops[i].key = keys[i];
    }
    pl_batch_fill(&batch, &queue);
    assert_int_equal(batch.count, 8);
    assert_int_equal(batch.statements_count, 1);
    assert_statement(0, &global, 0, (int[]){0, 1, 3, 5, 7}, 5);
    assert_leaders((int[]){-1, -1, 0, -1, 0, -1, 1, -1}, 8);
    assert_true(pl_queue_is_empty(&queue));
}

static void test_a_repeated_key_counts_for_the_limit(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        submit(i, &global, 0);
        ops[i].key = 1;
    }
    fill_and_expect((int[]){0, 1, 2, 3, 4, 5, 6, 7}, 8);
    pl_batch_clear(&batch);
    pl_batch_fill(&batch, &queue);
    assert_leaders((int[]){-1, 8, 8, 8}, 4);
}

/* Different keys in one slot of the hash table stay different keys. */
static void test_keys_that_collide(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        submit(i, &global, 0);
        ops[i].key = 5 + (uint64_t)(i % 3) * 2 * PL_BATCH_MAX;
    }
    pl_batch_fill(&batch, &queue);
    assert_statement(0, &global, 0, (int[]){0, 1, 2}, 3);
    assert_leaders((int[]){-1, -1, -1, 0, 1, 2}, 6);
}

/* An operation that is retried alone runs itself, even if its key was in an earlier batch. */
static void test_a_key_that_is_retried_alone(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        submit(i, &global, 0);
        ops[i].key = 7;
    }
    ops[1].is_retried_alone = true;
    fill_and_expect((int[]){0}, 1);
    pl_batch_clear(&batch);
    fill_and_expect((int[]){1}, 1);
    assert_leaders((int[]){-1}, 1);
    pl_batch_clear(&batch);
    fill_and_expect((int[]){2}, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_groups_by_kind_and_shard, start, stop),
        cmocka_unit_test_setup_teardown(test_statement_without_schema_serves_all_shards, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_statement_for_several_shards, start, stop),
        cmocka_unit_test_setup_teardown(test_full_statement_starts_another, start, stop),
        cmocka_unit_test_setup_teardown(test_limit, start, stop),
        cmocka_unit_test_setup_teardown(test_heavy_operations_do_not_share, start, stop),
        cmocka_unit_test_setup_teardown(test_one_statement_per_batch, start, stop),
        cmocka_unit_test_setup_teardown(test_an_operation_retried_alone_has_its_own_batch, start,
                                        stop),
        cmocka_unit_test_setup_teardown(test_a_key_is_in_a_statement_once, start, stop),
        cmocka_unit_test_setup_teardown(test_a_repeated_key_counts_for_the_limit, start, stop),
        cmocka_unit_test_setup_teardown(test_keys_that_collide, start, stop),
        cmocka_unit_test_setup_teardown(test_a_key_that_is_retried_alone, start, stop),
    };
    return RUN_TESTS(tests);
}
