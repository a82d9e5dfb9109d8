/* Proves: a group's conversation and messages as JSON, for a member and for a user who has left;
 * and a delta of many groups that is too long is cut, and nothing is lost. */
#include "store/resource_json.h"

#include "base/id.h"
#include "testing.h"

#define VIEW "\"name\":\"Trip\",\"participants\":[\"7\",\"8\"],\"memberStates\":[]"
#define STATE                                                                      \
    "\"unreadCount\":3,\"readUpTo\":\"0\",\"clearedUpTo\":\"0\",\"mutedUntil\":0," \
    "\"archived\":false,\"pinned\":false,\"markedUnread\":false}"

/* Takes over the buffer and terminates it. */
static void assert_json(pl_buffer_t *out, const char *expected)
{
    pl_buffer_append_char(out, '\0');
    assert_string_equal(out->data, expected);
    pl_buffer_dispose(out);
    *out = (pl_buffer_t)PL_BUFFER_EMPTY;
}

static int64_t group(unsigned sequence)
{
    return pl_id_make(0, 0, PL_ID_GROUP, sequence);
}

static void test_group_conversation(void **state)
{
    pl_buffer_t out = PL_BUFFER_EMPTY;
    pl_conversation_t conversation = {
        .user_id = 7,
        .peer_id = group(1),
        .last_message_id = 200,
        .version = 110,
        .state = {.unread_count = 3},
        .snippet = "hi",
        .snippet_len = 2,
        .view = VIEW,
        .view_len = sizeof(VIEW) - 1,
    };
    (void)state;

    pl_conversation_to_json(&out, &conversation);
    assert_json(&out, "{\"conversationId\":\"257\"," VIEW
                      ",\"snippet\":\"hi\",\"lastUpdatedTimestamp\":110,\"lastMessageTimestamp\":"
                      "100,\"lastMessageId\":\"200\"," STATE);
    /* A user who has left. */
    conversation.view_len = 0;
    pl_conversation_to_json(&out, &conversation);
    assert_json(&out,
                "{\"conversationId\":\"257\",\"participants\":[\"7\"],\"memberStates\":[{"
                "\"userId\":\"7\",\"deliveredUpTo\":\"200\",\"readUpTo\":\"0\"}],\"snippet\":\"hi\""
                ",\"lastUpdatedTimestamp\":110,\"lastMessageTimestamp\":100,\"lastMessageId\":"
                "\"200\"," STATE);
}

static void test_system_message(void **state)
{
    static const char extra[] = "\"messageType\":\"system\",\"systemEvent\":{}";
    pl_buffer_t out = PL_BUFFER_EMPTY;
    const pl_message_t message = {
        .user_id = 7,
        .peer_id = group(1),
        .message_id = 200,
        .version = 110,
        .sender_id = 8,
        .client_message_id = "\001200",
        .client_message_id_len = 4,
        .content = "",
        .extra = extra,
        .extra_len = sizeof(extra) - 1,
    };
    (void)state;

    pl_message_to_json(&out, &message);
    assert_json(&out, "{\"messageId\":\"200\",\"conversationId\":\"257\",\"senderId\":\"8\","
                      "\"participants\":[],\"sentTimestamp\":100,\"lastUpdatedTimestamp\":110,"
                      "\"messageType\":\"system\",\"systemEvent\":{}}");
}

/* ---- deltas ---- */

/* Columns of fetch_updates. */
enum { KIND, PEER_ID, MESSAGE_ID, SENDER_ID, KEY, TEXT, VERSION, EXTRA, STATUS, UNREAD, READ };
enum { FLAGS = READ + 6, VIEW_COLUMN, MAILBOX_VERSION, IS_DELTA, HAS_MORE, COLUMNS };

static void set(PGresult *result, int row, int column, const void *value, size_t len)
{
    assert_true(PQsetvalue(result, row, column, (char *)(uintptr_t)value, (int)len));
}

static void set_integer(PGresult *result, int row, int column, int64_t value, size_t size)
{
    char wire[8];
    for (size_t i = 0; i < size; i++)
        wire[i] = (char)((uint64_t)value >> (8 * (size - 1 - i)));
    set(result, row, column, wire, size);
}

/* Three groups, each with a message and its conversation row. */
static PGresult *groups_page(size_t view_len)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc columns[COLUMNS];
    char view[1000];

    memset(columns, 0, sizeof(columns));
    memset(view, 'v', sizeof(view));
    for (int i = 0; i < COLUMNS; i++) {
        columns[i].name = (char *)(uintptr_t) "c";
        columns[i].format = 1;
    }
    assert_true(PQsetResultAttrs(result, COLUMNS, columns));
    set(result, 0, KIND, "h", 1);
    set_integer(result, 0, VERSION, 105, 8);
    set(result, 0, IS_DELTA, "\1", 1);
    set(result, 0, HAS_MORE, "\0", 1);
    for (int row = 1; row <= 6; row++) {
        int n = row <= 3 ? row : row - 3;
        set(result, row, KIND, row <= 3 ? "m" : "c", 1);
        set_integer(result, row, PEER_ID, group((unsigned)n), 8);
        set_integer(result, row, MESSAGE_ID, 200 + n, 8);
        set_integer(result, row, VERSION, 100 + n, 8);
        set(result, row, TEXT, "x", 1);
        set_integer(result, row, SENDER_ID, 8, 8);
        set(result, row, KEY, "k", 1);
        set_integer(result, row, UNREAD, 0, 4);
        for (int column = READ; column < FLAGS; column++)
            set_integer(result, row, column, 0, 8);
        set_integer(result, row, FLAGS, 0, 4);
        set(result, row, VIEW_COLUMN, view, row <= 3 ? 0 : view_len);
    }
    return result;
}

static size_t occurrences(const char *text, const char *wanted)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, wanted)) != NULL; at++)
        count++;
    return count;
}

static void assert_cut(size_t view_len, size_t rows, int64_t version)
{
    pl_page_read_t read = {.op = {.kind = &pl_updates_read_kind}, .user_id = 7, .since = 100};
    pl_op_t *ops[] = {&read.op};
    pl_buffer_t out = PL_BUFFER_EMPTY;
    pl_page_t page;

    assert_true(pl_updates_read_kind.decode(groups_page(view_len), ops, 1));
    assert_true(pl_page_head(&read, &page));
    pl_delta_to_json(&out, &read, &page, 1000);
    pl_buffer_append_char(&out, '\0');
    assert_int_equal(page.version, version);
    assert_int_equal(page.has_more, rows < 3);
    assert_int_equal(occurrences(out.data, "\"messageContent\""), rows);
    assert_int_equal(occurrences(out.data, "\"snippet\""), rows);
    pl_buffer_dispose(&out);
    pl_page_read_dispose(&read);
}

static void test_delta_of_groups_is_cut(void **state)
{
    (void)state;
    assert_cut(10, 3, 105);
    assert_cut(400, 2, 102);
    assert_cut(500, 2, 102);
    assert_cut(501, 1, 101);
    /* At least one. */
    assert_cut(1000, 1, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_group_conversation),
        cmocka_unit_test(test_system_message),
        cmocka_unit_test(test_delta_of_groups_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
