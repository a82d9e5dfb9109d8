/* Proves that a reply is accepted if the sender's mailbox has the replied-to message, or the
 * recipient's mailbox if the sender wrote it; that it is accepted if no database answers in time;
 * and that no send of a pair overtakes another, while those of other pairs do not wait.
 *
 * The lanes are this file's own: reads wait until a test answers them. */
#include "core/reply_check.h"

#include <string.h>

#include "base/id.h"
#include "store/message_check.h"
#include "testing.h"

#define WAITING_MAX 8

static struct {
    pl_op_t *reads[WAITING_MAX * 2];
    size_t reads_count;
    bool is_full;
    bool is_away;
    pl_timer_t *timer; /* the last one that was armed */
    int told[WAITING_MAX * 2];
    size_t told_count;
} world;

/* Only their addresses are used. */
static char read_lane, timeouts;

pl_lane_t *pl_cluster_read_lane(const pl_cluster_t *cluster, int shard)
{
    (void)cluster;
    (void)shard;
    return (pl_lane_t *)&read_lane;
}

int pl_lane_submit(pl_lane_t *lane, pl_op_t *op)
{
    (void)lane;
    if (world.is_full)
        return -1;
    assert_ptr_equal(op->kind, &pl_message_check_kind);
    assert_true(op->deadline_ms > 0);
    world.reads[world.reads_count++] = op;
    return 0;
}

bool pl_lane_is_connected(const pl_lane_t *lane)
{
    (void)lane;
    return !world.is_away;
}

void pl_timer_arm(pl_timer_queue_t *queue, pl_timer_t *timer)
{
    assert_ptr_equal(queue, &timeouts);
    world.timer = timer;
}

void pl_timer_disarm(pl_timer_t *timer)
{
    if (world.timer == timer)
        world.timer = NULL;
}

static pl_message_check_t *read_at(size_t index)
{
    return H2O_STRUCT_FROM_MEMBER(pl_message_check_t, op, world.reads[index]);
}

static void answer(size_t index, enum pl_error_code error, bool found)
{
    read_at(index)->found = found;
    world.reads[index]->error = error;
    world.reads[index]->on_done(world.reads[index]);
}

typedef struct send {
    pl_reply_check_t check;
    int number;
} send_t;

static void on_done(pl_reply_check_t *check)
{
    world.told[world.told_count++] = H2O_STRUCT_FROM_MEMBER(send_t, check, check)->number;
}

static int64_t alice, bob, carol;

static void begin(pl_reply_checks_t *checks, send_t *send, int number, int64_t recipient,
                  int64_t message)
{
    memset(send, 0, sizeof(*send));
    send->number = number;
    send->check.sender_id = alice;
    send->check.recipient_id = recipient;
    send->check.message_id = message;
    send->check.on_done = on_done;
    if (pl_reply_check_start(checks, &send->check))
        on_done(&send->check);
}

static void assert_told(size_t count, const int *numbers)
{
    assert_int_equal(world.told_count, count);
    assert_memory_equal(world.told, numbers, count * sizeof(numbers[0]));
}

static int set_up(void **state)
{
    memset(&world, 0, sizeof(world));
    alice = pl_id_make(0, 1000, PL_ID_USER, 1);
    bob = pl_id_make(1, 1000, PL_ID_USER, 1);
    carol = pl_id_make(2, 1000, PL_ID_USER, 1);
    *state = pl_reply_checks_create(NULL, (pl_timer_queue_t *)&timeouts, 10, WAITING_MAX);
    return 0;
}

static int tear_down(void **state)
{
    pl_reply_checks_destroy((pl_reply_checks_t **)state);
    return 0;
}

/* Alice has the lower id: her messages are even. */
#define OWN 20000
#define OTHERS 20001

static void test_asks_the_senders_mailbox(void **state)
{
    send_t sends[2];

    begin(*state, &sends[0], 1, bob, OTHERS);
    begin(*state, &sends[1], 2, carol, OTHERS);
    assert_int_equal(world.told_count, 0);
    assert_int_equal(read_at(0)->mailbox_id, alice);
    assert_int_equal(read_at(0)->peer_id, bob);
    assert_int_equal(read_at(0)->message_id, OTHERS);
    assert_int_equal(read_at(0)->op.shard, 0);
    answer(1, PL_OK, false);
    answer(0, PL_OK, true);
    assert_told(2, (const int[]){2, 1});
    assert_int_equal(sends[0].check.error, PL_OK);
    assert_true(sends[0].check.exists);
    assert_int_equal(sends[1].check.error, PL_OK);
    assert_false(sends[1].check.exists);
    assert_null(world.timer);
}

/* The copy of the sender's own message may still be in the outbox. */
static void test_own_message_is_read_from_the_recipients_mailbox(void **state)
{
    send_t sends[3];

    for (int i = 0; i < 3; i++)
        begin(*state, &sends[i], i + 1, i == 2 ? carol : bob, OWN);
    answer(0, PL_OK, false);
    assert_int_equal(world.reads_count, 4);
    assert_ptr_equal(world.reads[3], world.reads[0]);
    assert_int_equal(read_at(3)->mailbox_id, bob);
    assert_int_equal(read_at(3)->peer_id, alice);
    assert_int_equal(read_at(3)->op.shard, 1);
    answer(3, PL_OK, true);
    assert_told(1, (const int[]){1});
    assert_true(sends[0].check.exists);
    answer(1, PL_OK, false);
    answer(4, PL_OK, false);
    assert_false(sends[1].check.exists);
    world.is_full = true;
    answer(2, PL_OK, false);
    assert_int_equal(sends[2].check.error, PL_ERROR_OVERLOADED);
    assert_told(3, (const int[]){1, 2, 3});
}

static void test_without_an_answer_the_reply_is_accepted(void **state)
{
    send_t sends[3];

    world.is_away = true;
    begin(*state, &sends[0], 1, bob, OTHERS);
    assert_true(sends[0].check.exists);
    assert_int_equal(world.reads_count, 0);
    world.is_away = false;
    begin(*state, &sends[1], 2, bob, OTHERS);
    answer(0, PL_ERROR_UNAVAILABLE, false);
    assert_true(sends[1].check.exists);
    begin(*state, &sends[2], 3, bob, OTHERS);
    world.timer->on_fire(world.timer);
    assert_true(sends[2].check.exists);
    assert_told(3, (const int[]){1, 2, 3});
    memset(&sends[2], 0x55, sizeof(sends[2])); /* the send has gone on */
    answer(1, PL_OK, false);
    assert_int_equal(world.told_count, 3);
}

static void test_sends_without_a_reply_go_on(void **state)
{
    send_t sends[3];

    begin(*state, &sends[0], 1, bob, 0);
    begin(*state, &sends[1], 2, bob, OTHERS);
    begin(*state, &sends[2], 3, carol, 0);
    assert_told(2, (const int[]){1, 3});
    assert_int_equal(world.reads_count, 1);
    answer(0, PL_OK, true);
}

static void test_no_send_overtakes(void **state)
{
    send_t sends[5];

    begin(*state, &sends[0], 1, bob, OTHERS);
    begin(*state, &sends[1], 2, bob, 0);
    begin(*state, &sends[2], 3, bob, OTHERS + 2);
    begin(*state, &sends[3], 4, bob, 0);
    answer(1, PL_OK, false);
    assert_int_equal(world.told_count, 0);
    world.is_away = true;
    begin(*state, &sends[4], 5, bob, OTHERS);
    answer(0, PL_OK, true);
    assert_told(5, (const int[]){1, 2, 3, 4, 5});
    assert_false(sends[2].check.exists);
    assert_true(sends[3].check.exists && sends[4].check.exists);
}

static void test_too_many_are_refused(void **state)
{
    send_t sends[WAITING_MAX + 1], other;

    world.is_full = true;
    begin(*state, &other, 100, bob, OTHERS);
    assert_int_equal(other.check.error, PL_ERROR_OVERLOADED);
    world.is_full = false;
    begin(*state, &sends[0], 0, bob, OTHERS);
    for (int i = 1; i <= WAITING_MAX; i++)
        begin(*state, &sends[i], i, bob, 0);
    assert_int_equal(world.told_count, 2);
    assert_int_equal(sends[WAITING_MAX].check.error, PL_ERROR_OVERLOADED);
    begin(*state, &other, 101, carol, 0);
    assert_int_equal(other.check.error, PL_OK);
    answer(0, PL_OK, true);
    assert_int_equal(world.told_count, 3 + WAITING_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_asks_the_senders_mailbox, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_message_is_read_from_the_recipients_mailbox,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_an_answer_the_reply_is_accepted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_sends_without_a_reply_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_send_overtakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_are_refused, set_up, tear_down),
    };
    return RUN_TESTS(tests);
}
