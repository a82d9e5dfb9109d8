/* Proves: a batch of changes is sent in the form of parley.write_changes; each change gets its own
 * answer and follow-ups, and the first one gets all wakes of the batch; a batch that is decoded
 * again keeps nothing of the first answer. */
#include "store/change.h"

#include <string.h>

#include "base/id.h"
#include "testing.h"

enum {
    NUMBER,
    PART,
    MAILBOX_ID,
    PREVIOUS,
    VERSION,
    ORDINAL,
    TARGET_ID,
    KIND,
    DETAIL,
    MEMBERS,
    COLUMNS
};

#define ALICE INT64_C(100)
#define BOB INT64_C(200)

static PGresult *result_of(int columns)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc attributes[COLUMNS];

    memset(attributes, 0, sizeof(attributes));
    for (int i = 0; i < columns; i++) {
        attributes[i].name = (char *)(uintptr_t) "column"; /* which is copied */
        attributes[i].format = 1;
    }
    assert_true(PQsetResultAttrs(result, columns, attributes));
    return result;
}

static void set_int(PGresult *result, int row, int column, int size, int64_t value)
{
    char wire[8];

    for (int i = 0; i < size; i++)
        wire[i] = (char)((uint64_t)value >> (8 * (size - 1 - i)));
    assert_true(PQsetvalue(result, row, column, wire, size));
}

static void set_text(PGresult *result, int row, int column, const char *text)
{
    assert_true(
        PQsetvalue(result, row, column, (char *)(uintptr_t)text, text ? (int)strlen(text) : -1));
}

/* Of every follow-up. */
#define MEMBERS_COUNT 3

/* A row: its part, and in `keys` the five numbers from the mailbox on. */
static void add(PGresult *result, int number, const char *part, const int64_t *keys,
                const char *kind, const char *detail)
{
    int row = PQntuples(result);

    set_int(result, row, NUMBER, 4, number);
    set_text(result, row, PART, part);
    for (int i = 0; i < 5; i++)
        set_int(result, row, MAILBOX_ID + i, 8, keys[i]);
    set_text(result, row, KIND, kind);
    set_text(result, row, DETAIL, detail);
    if (*part == 'o')
        set_int(result, row, MEMBERS, 4, MEMBERS_COUNT);
}

#define KEYS(...) ((const int64_t[5]){__VA_ARGS__})

static void give(PGresult *result, pl_change_t *changes, size_t count)
{
    pl_op_t *ops[8];

    for (size_t i = 0; i < count; i++)
        ops[i] = &changes[i].op;
    assert_false(pl_change_kind.decode(result, ops, count));
    PQclear(result);
}

static void test_parameters(void **state)
{
    (void)state;
    pl_change_t changes[] = {{.mailbox_id = INT64_C(3) << 50,
                              .companion_id = ALICE,
                              .kind = "message",
                              .argument = "{}"},
                             {.mailbox_id = BOB, .kind = "reaction", .argument = "{\"a\":1}"}};
    pl_op_t *ops[] = {&changes[0].op, &changes[1].op};
    pl_params_t params = {0};

    for (size_t i = 0; i < 2; i++) {
        changes[i].argument_len = strlen(changes[i].argument);
        pl_change_init(&changes[i]);
        assert_ptr_equal(changes[i].op.kind, &pl_change_kind);
    }
    assert_int_equal(changes[0].op.shard, 3);
    pl_change_kind.encode(&params, ops, 2);
    assert_int_equal(params.count, 4);
    PGresult *sent = result_of(4);
    for (int i = 0; i < 4; i++)
        assert_true(
            PQsetvalue(sent, 0, i, params.data.data + params.offsets[i], params.lengths[i]));
    assert_int_equal(pl_result_array(sent, 0, 0).count, 2);
    assert_memory_equal(pl_result_array(sent, 0, 0).elements, "\0\0\0\7message\0\0\0\10reaction",
                        23);
    pl_result_array_t mailboxes = pl_result_array(sent, 0, 1);
    assert_int_equal(pl_result_array_int64(&mailboxes, 0), INT64_C(3) << 50);
    assert_int_equal(pl_result_array_int64(&mailboxes, 1), BOB);
    assert_memory_equal(pl_result_array(sent, 0, 2).elements, "\0\0\0\2{}\0\0\0\7{\"a\":1}", 17);
    pl_result_array_t companions = pl_result_array(sent, 0, 3);
    assert_int_equal(pl_result_array_int64(&companions, 0), ALICE);
    assert_int_equal(pl_result_array_int64(&companions, 1), 0);
    PQclear(sent);
    pl_params_dispose(&params);
}

/* Weights limit batches: an argument with members weighs as many, a job's slice its size. */
static void test_weights(void **state)
{
    (void)state;
    static char large[2048];
    static const struct {
        const char *kind, *argument;
        size_t members_count, weight;
    } cases[] = {
        {"settings", "{}", 0, 1},
        {"message", large, 0, 1 + (sizeof(large) - 1) / 32},
        {"group_message", large, 2, 1 + 2 + (sizeof(large) - 1) / 1024},
        {"group_view", "{}", 3, 4},
        {"erase_slice", "{}", 0, 1001},
        {"group_join", "{}", 0, 201},
        {"kind_of_a_newer_server", "{}", 5, 6},
    };

    memset(large, 'x', sizeof(large) - 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pl_change_t change = {.mailbox_id = BOB,
                              .kind = cases[i].kind,
                              .argument = cases[i].argument,
                              .argument_len = strlen(cases[i].argument),
                              .members_count = cases[i].members_count};
        pl_change_init(&change);
        assert_int_equal(change.op.weight, cases[i].weight);
    }
}

static void test_each_gets_its_own(void **state)
{
    (void)state;
    pl_change_t changes[3] = {0};
    PGresult *result = result_of(COLUMNS);

    add(result, 1, "o", KEYS(BOB, 0, 7001, 1, ALICE), "message", "{\"m\":1}");
    add(result, 1, "o", KEYS(BOB, 0, 7001, 2, ALICE + 1), "other", "{\"m\":2}");
    add(result, 1, "r", KEYS(0), "done", "{\"version\":7001}");
    add(result, 2, "r", KEYS(0), "no-mailbox", "{}");
    add(result, 3, "r", KEYS(0), "missing", "{\"x\":3}");
    add(result, 0, "w", KEYS(BOB, 6000, 7001), NULL, NULL);
    add(result, 0, "w", KEYS(ALICE, 5000, 7002), NULL, NULL);
    give(result, changes, 3);

    assert_true(pl_change_is(&changes[0], "done"));
    assert_true(pl_change_is(&changes[1], "no-mailbox"));
    assert_true(pl_change_is(&changes[2], "missing"));
    assert_false(pl_change_is(&changes[2], "done"));
    assert_string_equal(changes[0].detail, "{\"version\":7001}");
    assert_int_equal(changes[0].detail_len, 16);
    assert_string_equal(changes[2].detail, "{\"x\":3}");
    assert_int_equal(changes[0].follow_ups_count, 2);
    assert_int_equal(changes[1].follow_ups_count, 0);
    const pl_follow_up_t *follow_up = &changes[0].follow_ups[1];
    assert_int_equal(follow_up->mailbox_id, BOB);
    assert_int_equal(follow_up->version, 7001);
    assert_int_equal(follow_up->ordinal, 2);
    assert_int_equal(follow_up->target_id, ALICE + 1);
    assert_string_equal(follow_up->kind, "other");
    assert_string_equal(follow_up->argument, "{\"m\":2}");
    assert_int_equal(follow_up->members_count, MEMBERS_COUNT);
    assert_int_equal(changes[0].wakes_count, 2);
    assert_int_equal(changes[0].wakes[1].user_id, ALICE);
    assert_int_equal(changes[0].wakes[1].previous, 5000);
    assert_int_equal(changes[0].wakes[1].version, 7002);
    for (size_t i = 0; i < 3; i++)
        pl_change_dispose(&changes[i]);
    assert_null(changes[0].detail);
    assert_int_equal(changes[0].follow_ups_count, 0);
    assert_int_equal(changes[0].wakes_count, 0);
}

/* The transaction failed after its first answer. */
static void test_decoded_again(void **state)
{
    (void)state;
    pl_change_t change = {0};
    PGresult *result = result_of(COLUMNS);

    add(result, 1, "o", KEYS(BOB, 0, 7001, 1, ALICE), "message", "{}");
    add(result, 1, "r", KEYS(0), "done", "{\"version\":7001}");
    add(result, 0, "w", KEYS(BOB, 6000, 7001), NULL, NULL);
    give(result, &change, 1);
    result = result_of(COLUMNS);
    add(result, 1, "r", KEYS(0), "message-not-found", "{}");
    give(result, &change, 1);
    assert_true(pl_change_is(&change, "message-not-found"));
    assert_string_equal(change.detail, "{}");
    assert_int_equal(change.follow_ups_count, 0);
    assert_int_equal(change.wakes_count, 0);
    pl_change_dispose(&change);
}

typedef struct told {
    pl_commit_listener_t listener;
    size_t calls;
    int64_t user_id;
} told_t;

static void on_change(pl_commit_listener_t *listener, const pl_mailbox_wake_t *wakes, size_t count)
{
    told_t *told = (told_t *)listener;
    told->calls++;
    assert_int_equal(count, 1);
    told->user_id = wakes[0].user_id;
}

static void test_waiters_are_woken(void **state)
{
    (void)state;
    told_t told = {.listener = {.on_change = on_change}};
    pl_change_t change = {0};
    pl_op_t *ops[] = {&change.op};
    PGresult *result = result_of(COLUMNS);

    pl_change_kind.on_committed(&told, ops, 1);
    assert_int_equal(told.calls, 0);
    add(result, 1, "r", KEYS(0), "done", "{}");
    add(result, 0, "w", KEYS(BOB, 6000, 7001), NULL, NULL);
    give(result, &change, 1);
    pl_change_kind.on_committed(&told, ops, 1);
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.user_id, BOB);
    pl_change_kind.on_committed(NULL, ops, 1);
    pl_change_dispose(&change);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameters),        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_each_gets_its_own), cmocka_unit_test(test_decoded_again),
        cmocka_unit_test(test_waiters_are_woken),
    };
    return RUN_TESTS(tests);
}
