/* Proves: conversations of each type as JSON, a group's message, and a system message. */
#include "store/resource_json.h"

#include "base/id.h"
#include "testing.h"

#define VIEW "\"name\":\"Trip\",\"memberCount\":2,\"isMember\":true"
#define OTHERS "\"othersDeliveredUpTo\":\"190\",\"othersReadUpTo\":\"180\""
#define REST REST_READ("170")
#define REST_READ(up_to)                                                            \
    "\"snippet\":\"hi\",\"lastUpdatedTimestamp\":110,\"lastMessageTimestamp\":100," \
    "\"lastMessageId\":\"200\",\"unreadCount\":3,\"readUpTo\":\"" up_to             \
    "\",\"clearedUpTo\":\"0\","                                                     \
    "\"mutedUntil\":0,\"archived\":false,\"pinned\":false,\"markedUnread\":false}"

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

static void assert_conversation(int64_t peer_id, const char *view, const char *expected)
{
    pl_buffer_t out = PL_BUFFER_EMPTY;
    const pl_conversation_t conversation = {
        .user_id = 7,
        .peer_id = peer_id,
        .last_message_id = 200,
        .version = 110,
        .state = {.unread_count = 3,
                  .read_up_to = 170,
                  .peer_read_up_to = 180,
                  .peer_delivered_up_to = 190},
        .snippet = "hi",
        .snippet_len = 2,
        .view = view,
        .view_len = strlen(view),
    };

    pl_conversation_to_json(&out, &conversation);
    assert_json(&out, expected);
}

static void test_conversation_types(void **state)
{
    (void)state;
    assert_conversation(group(1), VIEW,
                        "{\"conversationId\":\"257\",\"conversationType\":\"group\","
                        "\"participants\":[]," VIEW "," OTHERS "," REST);
    assert_conversation(group(1), "",
                        "{\"conversationId\":\"257\",\"conversationType\":\"group\","
                        "\"participants\":[],\"memberCount\":0,\"isMember\":false," OTHERS
                        "," REST);
    assert_conversation(6, "",
                        "{\"conversationId\":\"6-7\",\"conversationType\":\"direct\","
                        "\"participants\":[\"6\",\"7\"],\"memberCount\":2,\"isMember\":true," OTHERS
                        ",\"memberStates\":["
                        "{\"userId\":\"7\",\"deliveredUpTo\":\"200\",\"readUpTo\":\"170\"},"
                        "{\"userId\":\"6\",\"deliveredUpTo\":\"190\",\"readUpTo\":\"180\"}]," REST);
    assert_conversation(
        7, "",
        "{\"conversationId\":\"7-7\",\"conversationType\":\"self\","
        "\"participants\":[\"7\"],\"memberCount\":1,\"isMember\":true,"
        "\"othersDeliveredUpTo\":\"200\",\"othersReadUpTo\":\"200\",\"memberStates\":["
        "{\"userId\":\"7\",\"deliveredUpTo\":\"200\",\"readUpTo\":\"200\"}]," REST_READ("200"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation_types),
        cmocka_unit_test(test_system_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
