/* Proves: the content of an export's lines; a page of messages that is too long is cut, but never
 * before its first message, and has the conversations and the cursor of the cut page; the lines are
 * counted; and the open invitations are in the page that has reached their change. */
#include "store/export.h"

#include <endian.h>
#include <string.h>

#include "testing.h"

/* Columns of fetch_updates. */
#define COLUMNS 20
enum {
    KIND,
    PEER_ID,
    MESSAGE_ID,
    SENDER_ID,
    CLIENT_MESSAGE_ID,
    TEXT,
    VERSION,
    IS_DELTA = 18,
    HAS_MORE,
};

static void set(PGresult *result, int row, int column, const void *value, int len)
{
    assert_true(PQsetvalue(result, row, column, (char *)(uintptr_t)value, len));
}

static void set_int64(PGresult *result, int row, int column, int64_t value)
{
    uint64_t wire = htobe64((uint64_t)value);
    set(result, row, column, &wire, sizeof(wire));
}

static PGresult *result_with(int columns_count)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[COLUMNS];

    memset(columns, 0, sizeof(columns));
    for (int i = 0; i < columns_count; i++) {
        columns[i].name = (char *)(uintptr_t) "column"; /* which is copied */
        columns[i].format = 1;
    }
    assert_true(PQsetResultAttrs(result, columns_count, columns));
    return result;
}

/* The page that was read: its head, messages of versions 10, 20 and 30, and conversations of 15 and
 * 30. */
/* Conversation 30 may be followed by the open invitations, changed at that version. */
static void read_page(pl_page_read_t *read, bool has_more, bool has_invitations)
{
    static const struct {
        const char *kind;
        int64_t version;
    } rows[] = {{"h", 30}, {"m", 10}, {"m", 20}, {"m", 30}, {"c", 15}, {"c", 30}, {"i", 30}};
    int count = (int)(sizeof(rows) / sizeof(rows[0])) - !has_invitations;
    PGresult *result = result_with(COLUMNS);
    pl_op_t *op = &read->op;

    for (int i = 0; i < count; i++) {
        for (int column = 0; column < COLUMNS; column++)
            assert_true(PQsetvalue(result, i, column, NULL, -1));
        set(result, i, KIND, rows[i].kind, 1);
        set_int64(result, i, PEER_ID, 7);
        set_int64(result, i, MESSAGE_ID, rows[i].version * 2);
        set_int64(result, i, SENDER_ID, 7);
        set(result, i, CLIENT_MESSAGE_ID, "key", 3);
        set(result, i, TEXT, "ten bytes!", 10);
        set_int64(result, i, VERSION, rows[i].version);
    }
    set(result, 0, IS_DELTA, "\0", 1);
    if (has_invitations)
        set(result, count - 1, TEXT, "[{}]", 4);
    set(result, 0, HAS_MORE, has_more ? "\1" : "\0", 1);
    *read = (pl_page_read_t){.op = {.kind = &pl_updates_read_kind}, .user_id = 100, .page_size = 3};
    assert_true(pl_updates_read_kind.decode(result, &op, 1));
}

static int count_of(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        count++;
    return count;
}

static void assert_updates(size_t max_bytes, int messages, int conversations, int64_t version,
                           bool has_more)
{
    pl_export_counts_t counts = {.blocks = 3, .messages = 40};
    pl_buffer_t out = PL_BUFFER_EMPTY;
    pl_page_read_t read;
    pl_page_t page;

    read_page(&read, false, false);
    assert_true(pl_page_head(&read, &page));
    pl_export_updates(&out, &read, &page, max_bytes, &counts);
    const char *text = pl_buffer_terminate(&out);
    assert_int_equal(count_of(text, "{\"type\":\"message\",\"message\":{\"messageId\":\""),
                     messages);
    assert_int_equal(count_of(text, "{\"type\":\"conversation\",\"conversation\":{"),
                     conversations);
    assert_int_equal(count_of(text, "}}\n"), messages + conversations);
    assert_int_equal(counts.blocks, 3);
    assert_int_equal(counts.messages, 40 + messages);
    assert_int_equal(counts.conversations, conversations);
    assert_int_equal(page.version, version);
    assert_int_equal(page.has_more, has_more);
    pl_buffer_dispose(&out);
    pl_page_read_dispose(&read);
}

static void test_updates_are_cut(void **state)
{
    (void)state;
    assert_updates(100000, 3, 2, 30, false);
    assert_updates(1, 1, 0, 10, true);
    assert_updates(300, 2, 1, 20, true);
}

static void assert_invitations(bool has_invitations, size_t max_bytes, int lines)
{
    pl_export_counts_t counts = {0};
    pl_buffer_t out = PL_BUFFER_EMPTY;
    pl_page_read_t read;
    pl_page_t page;

    read_page(&read, false, has_invitations);
    assert_true(pl_page_head(&read, &page));
    pl_export_updates(&out, &read, &page, max_bytes, &counts);
    assert_int_equal(
        count_of(pl_buffer_terminate(&out), "{\"type\":\"invitations\",\"invitations\":[{}]}\n"),
        lines);
    pl_buffer_dispose(&out);
    pl_page_read_dispose(&read);
}

static void test_invitations(void **state)
{
    (void)state;
    assert_invitations(true, 100000, 1);
    assert_invitations(true, 1, 0); /* the page ends before their change */
    assert_invitations(false, 100000, 0);
}

static void test_account(void **state)
{
    pl_account_t account = {.user_id = 7,
                            .username = "ann",
                            .display_name = "A\n\"",
                            .created_us = 5,
                            .password_hash = "$argon2id$",
                            .show_presence = true,
                            .group_invites = "nobody"};
    pl_buffer_t out = PL_BUFFER_EMPTY;
    (void)state;

    pl_export_account(&out, &account);
    assert_string_equal(
        pl_buffer_terminate(&out),
        "{\"type\":\"account\",\"account\":{\"userId\":\"7\",\"username\":\"ann\","
        "\"displayName\":\"A\\n\\\"\",\"createdTimestamp\":5,\"hasPassword\":true}}\n"
        "{\"type\":\"settings\",\"settings\":{\"readReceipts\":false,"
        "\"showPresence\":true,\"groupInvites\":\"nobody\"}}\n");
    pl_buffer_clear(&out);
    account.password_hash = NULL;
    pl_export_account(&out, &account);
    assert_non_null(strstr(pl_buffer_terminate(&out), "\"hasPassword\":false"));
    pl_buffer_dispose(&out);
}

static void test_blocks(void **state)
{
    pl_blocks_export_t blocks = {.result = result_with(2)};
    pl_export_counts_t counts = {.blocks = 1};
    pl_buffer_t out = PL_BUFFER_EMPTY;
    int64_t last = 0;
    (void)state;

    for (int i = 0; i < 2; i++) {
        set_int64(blocks.result, i, 0, 50 + i);
        set_int64(blocks.result, i, 1, 9);
    }
    assert_int_equal(pl_export_blocks(&out, &blocks, &last, &counts), 2);
    assert_int_equal(last, 51);
    assert_int_equal(counts.blocks, 3);
    assert_string_equal(
        pl_buffer_terminate(&out),
        "{\"type\":\"block\",\"block\":{\"userId\":\"50\",\"blockedTimestamp\":9}}\n"
        "{\"type\":\"block\",\"block\":{\"userId\":\"51\",\"blockedTimestamp\":9}}\n");
    pl_buffer_dispose(&out);
    pl_blocks_export_dispose(&blocks);
}

static void test_end(void **state)
{
    const pl_export_counts_t counts = {
        .sessions = 4, .blocks = 1, .conversations = 2, .messages = 3};
    pl_buffer_t out = PL_BUFFER_EMPTY;
    (void)state;

    pl_export_end(&out, &counts, 77);
    assert_string_equal(pl_buffer_terminate(&out),
                        "{\"type\":\"end\",\"end\":{\"sessions\":4,\"blocks\":1,"
                        "\"conversations\":2,"
                        "\"messages\":3,\"lastUpdatedTimestamp\":77}}\n");
    pl_buffer_dispose(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_updates_are_cut),
        cmocka_unit_test(test_invitations),
        cmocka_unit_test(test_account),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
