/* Proves: each read gets its own rows of a statement, newest first, without the extra rows that
 * show that there are more; a page without rows keeps none; a read that is sent again has only the
 * second answer; and equal reads of a batch share one answer. */
#include "store/page.h"

#include <endian.h>
#include <string.h>

#include "testing.h"

#define COLUMNS 10
#define READS 4

/* A row of fetch_messages; message_id 0: none. */
typedef struct row {
    int32_t read;
    int64_t mailbox_version;
    bool is_delta;
    int64_t message_id;
} row_t;

/* Of a test whose rows have other contents than "content": that of each row. */
static const char *const *contents;

static void set(PGresult *result, int row, int column, const void *value, int len)
{
    assert_true(PQsetvalue(result, row, column, (char *)(uintptr_t)value, len));
}

static void set_int64(PGresult *result, int row, int column, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    set(result, row, column, &wire, sizeof(wire));
}

static PGresult *result_of(const row_t *rows, size_t count)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[COLUMNS];

    memset(columns, 0, sizeof(columns));
    for (int i = 0; i < COLUMNS; i++) {
        columns[i].name = (char *)(uintptr_t) "column"; /* which is copied */
        columns[i].format = 1;
    }
    assert_true(PQsetResultAttrs(result, COLUMNS, columns));
    for (int i = 0; i < (int)count; i++) {
        uint32_t read = htobe32((uint32_t)rows[i].read);
        set(result, i, 0, &read, sizeof(read));
        set_int64(result, i, 1, rows[i].mailbox_version);
        set(result, i, 2, rows[i].is_delta ? "\1" : "\0", 1);
        if (rows[i].message_id == 0) {
            assert_true(PQsetvalue(result, i, 3, NULL, -1));
            continue;
        }
        set_int64(result, i, 3, rows[i].message_id);
        set_int64(result, i, 4, 7);
        set(result, i, 5, "key", 3);
        const char *content = contents != NULL ? contents[i] : "content";
        set(result, i, 6, content, (int)strlen(content));
        set_int64(result, i, 7, rows[i].message_id / 2);
    }
    return result;
}

static pl_page_read_t reads[READS];
static pl_op_t *ops[READS];

static int start(void **state)
{
    (void)state;
    contents = NULL;
    for (int i = 0; i < READS; i++) {
        reads[i] = (pl_page_read_t){.op = {.kind = &pl_messages_read_kind},
                                    .user_id = 100 + i,
                                    .peer_id = 7,
                                    .page_size = 2};
        ops[i] = &reads[i].op;
    }
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (int i = 0; i < READS; i++)
        pl_page_read_dispose(&reads[i]);
    return 0;
}

static void decode(const row_t *rows, size_t count, bool keeps)
{
    PGresult *result = result_of(rows, count);
    bool kept = pl_messages_read_kind.decode(result, ops, READS);

    assert_int_equal(kept, keeps);
    if (!kept)
        PQclear(result);
}

static void assert_page(int index, int64_t version, bool is_delta, bool has_more, size_t length)
{
    pl_page_t head;

    assert_true(pl_page_head(&reads[index], &head));
    assert_int_equal(head.version, version);
    assert_int_equal(head.is_delta, is_delta);
    assert_int_equal(head.has_more, has_more);
    assert_int_equal(pl_page_length(&reads[index]), length);
}

static void assert_message(int index, size_t row, int64_t message_id)
{
    pl_message_t message;

    pl_page_message(&reads[index], row, &message);
    assert_int_equal(message.user_id, 100 + index);
    assert_int_equal(message.message_id, message_id);
    assert_int_equal(message.version, message_id / 2);
    assert_int_equal(message.sender_id, 7);
    assert_int_equal(message.content_len, 7);
    assert_memory_equal(message.content, "content", 7);
}

/* Reads 1 to 4, in the order in which the function gives them; the third's user does not exist. */
static const row_t answer[] = {{4, 40, true, 66},
                               {1, 10, false, 90},
                               {1, 10, false, 88},
                               {1, 10, false, 86},
                               {2, 20, false, 0}};

static void test_each_read_has_its_rows(void **state)
{
    pl_page_t head;
    (void)state;

    decode(answer, 5, true);
    assert_page(0, 10, false, true, 2);
    assert_message(0, 0, 90);
    assert_message(0, 1, 88);
    assert_page(1, 20, false, false, 0);
    assert_false(pl_page_head(&reads[2], &head));
    assert_int_equal(pl_page_length(&reads[2]), 0);
    assert_page(3, 40, true, false, 1);

    pl_page_read_dispose(&reads[0]);
    assert_message(3, 0, 66);
    assert_null(reads[1].rows);
    assert_non_null(reads[3].rows);
}

/* Rows above `after` come oldest first, those below `before` newest first. */
static void test_both_sides_are_newest_first(void **state)
{
    static const row_t rows[] = {
        {1, 10, false, 92}, {1, 10, false, 94}, {1, 10, false, 96}, {1, 10, false, 90},
        {1, 10, false, 88}, {2, 20, false, 92}, {2, 20, false, 90}, {2, 20, false, 88},
        {2, 20, false, 86}, {3, 30, false, 90}, {4, 40, false, 92},
    };
    pl_page_t head;
    (void)state;

    for (int i = 0; i < READS; i++) {
        reads[i].after = 91;
        reads[i].newer_limit = 3;
    }
    reads[2].page_size = 0;
    reads[3].newer_limit = 1;
    decode(rows, sizeof(rows) / sizeof(rows[0]), true);
    assert_page(0, 10, false, false, 4);
    assert_message(0, 0, 94);
    assert_message(0, 1, 92);
    assert_message(0, 2, 90);
    assert_message(0, 3, 88);
    assert_page(1, 20, false, true, 3);
    assert_message(1, 0, 92);
    assert_message(1, 2, 88);
    assert_page(2, 30, false, true, 0);
    assert_page(3, 40, false, false, 0);
    for (int i = 0; i < READS; i++) {
        assert_true(pl_page_head(&reads[i], &head));
        assert_int_equal(head.has_more_after, i == 0 || i == 3);
    }

    pl_page_read_dispose(&reads[1]);
    reads[1] = (pl_page_read_t){
        .op = {.kind = &pl_messages_read_kind},
        .user_id = reads[0].user_id,
        .peer_id = 7,
        .page_size = 2,
        .after = 91,
        .newer_limit = 3,
    };
    pl_page_rows_t *shared = reads[0].rows;
    assert_true(pl_messages_read_kind.adopt(ops[1], ops[0]));
    assert_ptr_equal(reads[1].rows, shared);
    reads[1].user_id = 101;
    assert_message(1, 0, 94);
    assert_message(1, 3, 88);
}

/* JSON may write a byte as six. A page with messages on both sides has half of the bytes for each
 * side. */
static void test_a_page_ends_when_its_texts_are_too_large(void **state)
{
    static char escaped[PL_PAGE_BYTES_MAX / 6 / 2], plain[PL_PAGE_BYTES_MAX / 2];
    static const char *const texts[] = {
        escaped, escaped, escaped, plain,   plain,   plain,   escaped,
        escaped, escaped, escaped, escaped, escaped, escaped,
    };
    static const row_t rows[] = {
        {1, 10, false, 90}, {1, 10, false, 88}, {1, 10, false, 86}, {2, 20, false, 90},
        {2, 20, false, 88}, {2, 20, false, 86}, {3, 30, true, 90},  {3, 30, true, 88},
        {3, 30, true, 86},  {4, 40, false, 92}, {4, 40, false, 94}, {4, 40, false, 90},
        {4, 40, false, 88},
    };
    (void)state;

    memset(escaped, 1, sizeof(escaped) - 1);
    memset(plain, 'x', sizeof(plain) - 1);
    for (int i = 0; i < READS; i++)
        reads[i].page_size = 5;
    reads[3].after = 91;
    reads[3].newer_limit = 6;
    contents = texts;
    decode(rows, sizeof(rows) / sizeof(rows[0]), true);
    assert_page(0, 10, false, true, 2);
    assert_page(1, 20, false, true, 1);
    assert_page(2, 30, true, true, 2);
    assert_page(3, 40, false, true, 2);
    assert_true(reads[3].head.has_more_after);
    for (int i = 0; i < READS; i++)
        assert_int_equal(reads[i].is_too_large, i == 2);
}

static void test_an_empty_page_keeps_no_rows(void **state)
{
    const row_t empty[] = {{1, 10, false, 0}, {2, 20, true, 0}, {3, 30, false, 0}};
    (void)state;

    decode(empty, 3, false);
    assert_page(1, 20, true, false, 0);
    decode(NULL, 0, false);
}

static void test_the_second_answer_counts(void **state)
{
    const row_t second[] = {{2, 21, false, 62}, {4, 41, false, 0}};
    pl_page_t head;
    (void)state;

    decode(answer, 5, true);
    decode(second, 2, true);
    assert_false(pl_page_head(&reads[0], &head));
    assert_page(1, 21, false, false, 1);
    assert_message(1, 0, 62);
    assert_page(3, 41, false, false, 0);
}

static void test_equal_reads_share_one_answer(void **state)
{
    (void)state;

    reads[1].user_id = reads[0].user_id;
    reads[2] = reads[0];
    reads[2].since = 1;
    for (int i = 0; i < READS; i++)
        pl_page_read_init(&reads[i]);
    assert_true(reads[0].op.key == reads[1].op.key);
    assert_true(reads[0].op.key != reads[2].op.key);
    reads[3].skip = 1000;
    pl_page_read_init(&reads[3]);
    assert_int_equal(reads[3].op.weight, 1000 + reads[3].page_size);

    decode(answer, 5, true);
    assert_true(pl_messages_read_kind.adopt(ops[1], ops[0]));
    assert_false(pl_messages_read_kind.adopt(ops[2], ops[0]));
    assert_false(pl_messages_read_kind.adopt(ops[3], ops[0]));
    assert_page(1, 10, false, true, 2);
    pl_page_read_dispose(&reads[0]);
    pl_message_t message;
    pl_page_message(&reads[1], 1, &message);
    assert_int_equal(message.message_id, 88);
}

/* The same query of another kind. */
static void test_kinds_are_distinguished(void **state)
{
    (void)state;
    reads[1] = reads[0];
    reads[1].op.kind = &pl_updates_read_kind;
    pl_page_read_init(&reads[0]);
    pl_page_read_init(&reads[1]);
    assert_true(reads[0].op.key != reads[1].op.key);
    assert_false(pl_messages_read_kind.adopt(ops[1], ops[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_read_has_its_rows, start, stop),
        cmocka_unit_test_setup_teardown(test_both_sides_are_newest_first, start, stop),
        cmocka_unit_test_setup_teardown(test_a_page_ends_when_its_texts_are_too_large, start, stop),
        cmocka_unit_test_setup_teardown(test_an_empty_page_keeps_no_rows, start, stop),
        cmocka_unit_test_setup_teardown(test_the_second_answer_counts, start, stop),
        cmocka_unit_test_setup_teardown(test_equal_reads_share_one_answer, start, stop),
        cmocka_unit_test_setup_teardown(test_kinds_are_distinguished, start, stop),
    };
    return RUN_TESTS(tests);
}
