/* Proves that a flow runs its steps in their order; that a step which waits goes on when it is
 * resumed; that failures, absent users and abandonment end a flow with their outcomes; and
 * that on_end is called once and never inside pl_flow_start.
 *
 * The lanes, the loop and the checks are this file's own. */
#include "core/flow.h"

#include <string.h>

#include "testing.h"

#define DEADLINE_MS 5000

static struct {
    pl_op_t *submitted;
    bool is_full;
    pl_deferred_t *deferred;
    int user_asked;
    bool user_exists;
    bool user_answers_later;
    pl_user_check_t *user_waits;
    char trace[256]; /* the steps' functions that ran */
    int ended;
    pl_outcome_t outcome;
} world;

static char loop, lane; /* only their addresses are used */
static pl_core_t core = {.loop = (pl_loop_t *)&loop};

pl_loop_t *pl_loop_current(void)
{
    return (pl_loop_t *)&loop;
}

void pl_loop_defer(pl_loop_t *of, pl_deferred_t *deferred)
{
    assert_ptr_equal(of, &loop);
    assert_null(world.deferred);
    world.deferred = deferred;
}

uint64_t pl_core_deadline_ms(const pl_core_t *of)
{
    assert_ptr_equal(of, &core);
    return DEADLINE_MS;
}

pl_lane_t *pl_cluster_read_lane(const pl_cluster_t *cluster, int shard)
{
    (void)cluster;
    (void)shard;
    return (pl_lane_t *)&lane;
}

int pl_lane_submit(pl_lane_t *to, pl_op_t *op)
{
    assert_ptr_equal(to, &lane);
    if (world.is_full)
        return -1;
    world.submitted = op;
    return 0;
}

bool pl_user_check_start(pl_user_checks_t *checks, pl_user_check_t *check)
{
    (void)checks;
    world.user_asked++;
    check->exists = world.user_exists;
    world.user_waits = world.user_answers_later ? check : NULL;
    return !world.user_answers_later;
}

/* No flow of these tests uses the other checks. */
bool pl_actor_check_start(pl_core_t *of, pl_actor_check_t *check)
{
    (void)of;
    (void)check;
    fail();
    return true;
}

bool pl_reply_check_start(pl_reply_checks_t *checks, pl_reply_check_t *check)
{
    (void)checks;
    (void)check;
    fail();
    return true;
}

int pl_password_work_hash(pl_password_work_t *work, pl_password_pool_t *pool, const char *password,
                          size_t len)
{
    (void)work;
    (void)pool;
    (void)password;
    (void)len;
    fail();
    return -1;
}

int pl_password_work_verify(pl_password_work_t *work, pl_password_pool_t *pool,
                            const char *password, size_t len, const char *hash)
{
    (void)work;
    (void)pool;
    (void)password;
    (void)len;
    (void)hash;
    fail();
    return -1;
}

static const pl_op_kind_t kind = {.name = "statement"};

typedef struct subject {
    pl_flow_t flow;
    pl_op_t op;
    bool reads; /* the operation is a read */
    int again;  /* times that the step is begun again */
} subject_t;

static subject_t *subject_of(pl_flow_t *flow)
{
    return H2O_STRUCT_FROM_MEMBER(subject_t, flow, flow);
}

static void note(const char *what)
{
    strcat(world.trace, world.trace[0] != '\0' ? " " : "");
    strcat(world.trace, what);
}

static pl_turn_t begin_first(pl_flow_t *flow)
{
    (void)flow;
    note("first");
    return PL_TURN_NEXT;
}

static pl_turn_t begin_op(pl_flow_t *flow)
{
    subject_t *subject = subject_of(flow);

    note("op");
    subject->op.kind = &kind;
    return subject->reads ? pl_flow_read(flow, &subject->op)
                          : pl_flow_submit(flow, (pl_lane_t *)&lane, &subject->op);
}

static pl_turn_t judge_op(pl_flow_t *flow)
{
    note(flow->error == PL_OK ? "judged" : "judged-error");
    return subject_of(flow)->again-- > 0 ? PL_TURN_AGAIN : PL_TURN_NEXT;
}

static pl_turn_t begin_user(pl_flow_t *flow)
{
    note("user");
    return pl_flow_check_user(flow, 7);
}

static pl_turn_t begin_last(pl_flow_t *flow)
{
    (void)flow;
    note("last");
    return PL_TURN_NEXT;
}

static const pl_step_t op_steps[] = {
    {"first", .begin = begin_first},
    {"op", begin_op, .judge = judge_op},
    {"last", .begin = begin_last},
    {.name = NULL},
};
static const pl_step_t judging_steps[] = {
    {"op", begin_op, .judge = judge_op, .judges_errors = true},
    {"last", .begin = begin_last},
    {.name = NULL},
};
static const pl_step_t changing_steps[] = {
    {"op", begin_op, .judge = judge_op, .changes = true},
    {"last", .begin = begin_last},
    {.name = NULL},
};
static const pl_step_t user_steps[] = {
    {"user", begin_user, .absent = PL_OUTCOME_USER_NOT_FOUND},
    {"last", .begin = begin_last},
    {.name = NULL},
};

static void on_end(pl_flow_t *flow)
{
    world.ended++;
    world.outcome = flow->outcome;
}

static void start(subject_t *subject, const pl_step_t *steps)
{
    pl_flow_start(&subject->flow, &core, steps, on_end);
    assert_int_equal(world.ended, 0);
}

static void answer(enum pl_error_code error)
{
    pl_op_t *op = world.submitted;

    assert_non_null(op);
    world.submitted = NULL;
    op->error = error;
    strcpy(op->sqlstate, error == PL_ERROR_SQL ? "42501" : "");
    op->on_done(op);
}

static void run_deferred(void)
{
    pl_deferred_t *deferred = world.deferred;

    assert_non_null(deferred);
    world.deferred = NULL;
    deferred->run(deferred);
}

static void assert_ended(enum pl_outcome_code code, const char *trace)
{
    assert_int_equal(world.ended, 1);
    assert_string_equal(pl_outcome_name(world.outcome.code), pl_outcome_name(code));
    assert_string_equal(world.trace, trace);
}

static int set_up(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    return 0;
}

static void test_steps_run_in_order(void **state)
{
    subject_t subject = {.again = 0};
    (void)state;

    start(&subject, op_steps);
    assert_string_equal(world.trace, "first op");
    assert_int_equal(subject.op.deadline_ms, DEADLINE_MS);
    answer(PL_OK);
    assert_ended(PL_OUTCOME_DONE, "first op judged last");
}

static void test_a_step_is_begun_again(void **state)
{
    subject_t subject = {.again = 2};
    (void)state;

    start(&subject, op_steps);
    answer(PL_OK);
    answer(PL_OK);
    answer(PL_OK);
    assert_ended(PL_OUTCOME_DONE, "first op judged op judged op judged last");
}

static void test_a_failure_ends_the_flow(void **state)
{
    subject_t subject = {.again = 0};
    (void)state;

    start(&subject, op_steps);
    answer(PL_ERROR_SQL);
    assert_ended(PL_OUTCOME_FAILED, "first op");
    assert_string_equal(world.outcome.step, "op");
    assert_string_equal(world.outcome.statement, "statement");
    assert_string_equal(world.outcome.sqlstate, "42501");
}

static void test_a_lost_read_has_changed_nothing(void **state)
{
    subject_t read = {.reads = true}, change = {.again = 0};
    (void)state;

    start(&read, op_steps);
    answer(PL_ERROR_OUTCOME_UNKNOWN);
    assert_ended(PL_OUTCOME_UNAVAILABLE, "first op");
    set_up(NULL);
    start(&change, changing_steps);
    answer(PL_ERROR_OUTCOME_UNKNOWN);
    assert_ended(PL_OUTCOME_OUTCOME_UNKNOWN, "op");
}

static void test_a_judge_may_handle_errors(void **state)
{
    subject_t subject = {.again = 0};
    (void)state;

    start(&subject, judging_steps);
    answer(PL_ERROR_UNAVAILABLE);
    assert_ended(PL_OUTCOME_DONE, "op judged-error last");
}

static void test_a_full_lane(void **state)
{
    subject_t subject = {.again = 0};
    (void)state;

    world.is_full = true;
    start(&subject, op_steps);
    run_deferred();
    assert_ended(PL_OUTCOME_OVERLOADED, "first op");
    assert_int_equal(subject.op.error, PL_ERROR_OVERLOADED);
}

static void test_on_end_is_never_called_inside_start(void **state)
{
    subject_t subject = {.again = 0};
    (void)state;

    world.user_exists = true;
    start(&subject, user_steps);
    assert_string_equal(world.trace, "user last");
    run_deferred();
    assert_ended(PL_OUTCOME_DONE, "user last");
}

static void test_an_absent_user_ends_the_flow(void **state)
{
    subject_t now = {.again = 0}, later = {.again = 0};
    (void)state;

    start(&now, user_steps);
    run_deferred();
    assert_ended(PL_OUTCOME_USER_NOT_FOUND, "user");
    set_up(NULL);
    world.user_answers_later = true;
    start(&later, user_steps);
    world.user_waits->on_done(world.user_waits);
    assert_ended(PL_OUTCOME_USER_NOT_FOUND, "user");
}

static void test_a_check_that_fails(void **state)
{
    subject_t subject = {.again = 0};
    (void)state;

    world.user_answers_later = true;
    start(&subject, user_steps);
    world.user_waits->error = PL_ERROR_OVERLOADED;
    world.user_waits->on_done(world.user_waits);
    assert_ended(PL_OUTCOME_OVERLOADED, "user");
}

static void test_an_abandoned_read_is_not_sent(void **state)
{
    subject_t subject = {.reads = true};
    (void)state;

    start(&subject, op_steps);
    pl_flow_abandon(&subject.flow);
    assert_true(subject.op.abandoned);
    answer(PL_ERROR_DEADLINE);
    assert_ended(PL_OUTCOME_ABANDONED, "first op");
}

static int abandoned;

static void abandon_reads(pl_flow_t *flow)
{
    (void)flow;
    abandoned++;
}

static pl_turn_t begin_reads(pl_flow_t *flow)
{
    note("reads");
    flow->abandon_reads = abandon_reads;
    return PL_TURN_WAIT;
}

static void test_a_step_abandons_its_own_reads(void **state)
{
    static const pl_step_t steps[] = {
        {"reads", .begin = begin_reads},
        {"reads", .begin = begin_reads},
        {.name = NULL},
    };
    subject_t subject = {.again = 0};
    (void)state;

    abandoned = 0;
    start(&subject, steps);
    pl_flow_resume(&subject.flow, PL_OK);
    assert_int_equal(abandoned, 0);
    pl_flow_abandon(&subject.flow);
    assert_int_equal(abandoned, 1);
    assert_int_equal(world.ended, 0);
    pl_flow_resume(&subject.flow, PL_ERROR_DEADLINE);
    assert_ended(PL_OUTCOME_ABANDONED, "reads reads");
}

static void test_a_change_is_not_abandoned(void **state)
{
    subject_t subject = {.again = 0};
    (void)state;

    start(&subject, changing_steps);
    pl_flow_abandon(&subject.flow);
    assert_false(subject.op.abandoned);
    answer(PL_OK);
    assert_ended(PL_OUTCOME_DONE, "op judged last");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_steps_run_in_order, set_up),
        cmocka_unit_test_setup(test_a_step_is_begun_again, set_up),
        cmocka_unit_test_setup(test_a_failure_ends_the_flow, set_up),
        cmocka_unit_test_setup(test_a_lost_read_has_changed_nothing, set_up),
        cmocka_unit_test_setup(test_a_judge_may_handle_errors, set_up),
        cmocka_unit_test_setup(test_a_full_lane, set_up),
        cmocka_unit_test_setup(test_on_end_is_never_called_inside_start, set_up),
        cmocka_unit_test_setup(test_an_absent_user_ends_the_flow, set_up),
        cmocka_unit_test_setup(test_a_check_that_fails, set_up),
        cmocka_unit_test_setup(test_an_abandoned_read_is_not_sent, set_up),
        cmocka_unit_test_setup(test_a_step_abandons_its_own_reads, set_up),
        cmocka_unit_test_setup(test_a_change_is_not_abandoned, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
