/* Proves: the delta that is built from a committed batch equals a read from the version before the
 * batch; retries change nothing; if the batch does not have all data, the delta is left to a
 * read. */
#include "base/id.h"
#include "push/commit_delta.h"
#include "testing.h"

#define ALICE INT64_C(100)
#define BOB INT64_C(200)
#define CAROL INT64_C(250)

static bool everyone(void *arg, int64_t user_id)
{
    (void)arg;
    (void)user_id;
    return true;
}

static bool only(void *arg, int64_t user_id)
{
    return user_id == *(const int64_t *)arg;
}

static pl_message_write_t write_of(int64_t mailbox, int64_t sender, const char *content, int64_t id,
                                   int64_t version, int64_t previous, int64_t after)
{
    return (pl_message_write_t){
        .mailbox_id = mailbox,
        .peer_id = sender,
        .sender_id = sender,
        .client_message_id = "c1",
        .client_message_id_len = 2,
        .content = content,
        .content_len = strlen(content),
        .status = PL_WRITE_STORED,
        .stored_id = id,
        .change =
            {version,
             previous,
             after,
             true,
             {.unread_count = 7, .read_up_to = 1900, .peer_read_up_to = 1800, .pinned = true}},
    };
}

static void test_one_message(void **state)
{
    (void)state;
    pl_message_write_t write = write_of(BOB, ALICE, "hi \"you\"", 2000, 1001, 990, 1001);
    pl_op_t *ops[] = {&write.op};
    pl_commit_deltas_t deltas;
    pl_wake_t wake;

    pl_commit_deltas_build(&deltas, ops, 1, everyone, NULL);
    assert_int_equal(deltas.count, 1);
    pl_commit_deltas_get(&deltas, 0, &wake);
    assert_int_equal(wake.user_id, BOB);
    assert_int_equal(wake.previous, 990);
    assert_int_equal(wake.version, 1001);
    static const char expected[] =
        "{\"messages\":[{\"messageId\":\"2000\",\"conversationId\":\"100-200\",\"senderId\":"
        "\"100\","
        "\"participants\":[\"100\",\"200\"],\"messageContent\":\"hi \\\"you\\\"\","
        "\"sentTimestamp\":1000,\"clientMessageId\":\"c1\",\"lastUpdatedTimestamp\":1001,"
        "\"messageType\":\"user\"}],"
        "\"conversations\":[{\"conversationId\":\"100-200\",\"conversationType\":\"direct\","
        "\"participants\":[\"100\",\"200\"],\"memberCount\":2,\"isMember\":true,"
        "\"othersDeliveredUpTo\":\"0\",\"othersReadUpTo\":\"1800\",\"memberStates\":["
        "{\"userId\":\"200\",\"deliveredUpTo\":\"2000\",\"readUpTo\":\"1900\"},"
        "{\"userId\":\"100\",\"deliveredUpTo\":\"0\",\"readUpTo\":\"1800\"}],"
        "\"snippet\":\"hi \\\"you\\\"\",\"lastUpdatedTimestamp\":1001,"
        "\"lastMessageTimestamp\":1000,\"lastMessageId\":\"2000\",\"unreadCount\":7,"
        "\"readUpTo\":\"1900\","
        "\"clearedUpTo\":\"0\",\"mutedUntil\":0,\"archived\":false,\"pinned\":true,"
        "\"markedUnread\":false}],"
        "\"isDeltaUpdate\":true,\"lastUpdatedTimestamp\":1001,\"hasMore\":false}";
    assert_int_equal(wake.delta_len, sizeof(expected) - 1);
    assert_memory_equal(wake.delta, expected, wake.delta_len);
    pl_commit_deltas_dispose(&deltas);
}

/* Three messages of two conversations in one mailbox, and a copy in the sender's mailbox. */
static void test_batch_is_grouped_by_mailbox(void **state)
{
    (void)state;
    pl_message_write_t writes[] = {
        write_of(BOB, ALICE, "one", 2000, 1001, 990, 1003),
        write_of(BOB, CAROL, "two", 2002, 1002, 990, 1003),
        write_of(BOB, ALICE, "three", 2004, 1003, 990, 1003),
    };
    writes[2].copy_mode = PL_COPY_HERE;
    writes[2].copy_change = (pl_mailbox_change_t){1500, 995, 1500, true, {.unread_count = 0}};
    pl_op_t *ops[] = {&writes[0].op, &writes[1].op, &writes[2].op};
    pl_commit_deltas_t deltas;
    pl_wake_t wake;

    pl_commit_deltas_build(&deltas, ops, 3, everyone, NULL);
    assert_int_equal(deltas.count, 2);
    pl_commit_deltas_get(&deltas, 0, &wake);
    assert_int_equal(wake.user_id, ALICE);
    assert_int_equal(wake.messages_count, 1);
    assert_int_equal(wake.previous, 995);
    pl_commit_deltas_get(&deltas, 1, &wake);
    assert_int_equal(wake.user_id, BOB);
    assert_int_equal(wake.messages_count, 3);
    /* Carol's conversation changed at 1002, Alice's at 1003: once each, in the order of
     * versions. */
    char *text = strndup(wake.delta, wake.delta_len);
    char *conversations = strstr(text, "\"conversations\"");
    assert_non_null(conversations);
    char *carol = strstr(conversations, "\"conversationId\":\"200-250\"");
    char *alice = strstr(conversations, "\"conversationId\":\"100-200\"");
    assert_true(carol != NULL && alice != NULL && carol < alice);
    assert_null(strstr(alice + 1, "\"conversationId\""));
    assert_non_null(strstr(alice, "\"snippet\":\"three\""));
    free(text);
    pl_commit_deltas_dispose(&deltas);
}

static void test_retry_wakes_without_delta(void **state)
{
    (void)state;
    pl_message_write_t write = write_of(BOB, ALICE, "hi", 2000, 1001, 1005, 1005);
    write.status = PL_WRITE_DUPLICATE;
    pl_op_t *ops[] = {&write.op};
    pl_commit_deltas_t deltas;
    pl_wake_t wake;

    pl_commit_deltas_build(&deltas, ops, 1, everyone, NULL);
    assert_int_equal(deltas.count, 1);
    pl_commit_deltas_get(&deltas, 0, &wake);
    assert_null(wake.delta);
    assert_int_equal(wake.version, 1005);
    pl_commit_deltas_dispose(&deltas);
}

/* The same key twice in one batch is one message in the delta. */
static void test_retry_in_the_same_batch(void **state)
{
    (void)state;
    pl_message_write_t writes[] = {
        write_of(BOB, ALICE, "hi", 2000, 1001, 990, 1002),
        write_of(BOB, ALICE, "hi", 2000, 1001, 990, 1002),
    };
    writes[1].status = PL_WRITE_DUPLICATE;
    pl_op_t *ops[] = {&writes[0].op, &writes[1].op};
    pl_commit_deltas_t deltas;
    pl_wake_t wake;

    pl_commit_deltas_build(&deltas, ops, 2, everyone, NULL);
    pl_commit_deltas_get(&deltas, 0, &wake);
    assert_int_equal(wake.messages_count, 1);
    assert_non_null(wake.delta);
    pl_commit_deltas_dispose(&deltas);
}

/* A copy that is written late may not be the newest message of its conversation; then the state of
 * the conversation is unknown. */
static void test_late_copy_is_read(void **state)
{
    (void)state;
    pl_message_write_t write = write_of(ALICE, BOB, "late", 1000, 1001, 990, 1001);
    write.sender_id = ALICE;
    write.message_id = 1000; /* sent at 500, before the mailbox's version of 990 */
    pl_op_t *ops[] = {&write.op};
    pl_commit_deltas_t deltas;
    pl_wake_t wake;

    pl_commit_deltas_build(&deltas, ops, 1, everyone, NULL);
    pl_commit_deltas_get(&deltas, 0, &wake);
    assert_null(wake.delta);
    assert_int_equal(wake.version, 1001);
    pl_commit_deltas_dispose(&deltas);
}

static void test_only_mailboxes_with_waiters(void **state)
{
    (void)state;
    int64_t wanted = CAROL;
    pl_message_write_t writes[] = {
        write_of(BOB, ALICE, "one", 2000, 1001, 990, 1001),
        write_of(CAROL, ALICE, "two", 2002, 1002, 990, 1002),
    };
    pl_op_t *ops[] = {&writes[0].op, &writes[1].op};
    pl_commit_deltas_t deltas;

    pl_commit_deltas_build(&deltas, ops, 2, only, &wanted);
    assert_int_equal(deltas.count, 1);
    assert_int_equal(deltas.items[0].user_id, CAROL);
    pl_commit_deltas_dispose(&deltas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_message),
        cmocka_unit_test(test_batch_is_grouped_by_mailbox),
        cmocka_unit_test(test_retry_wakes_without_delta),
        cmocka_unit_test(test_retry_in_the_same_batch),
        cmocka_unit_test(test_late_copy_is_read),
        cmocka_unit_test(test_only_mailboxes_with_waiters),
    };
    return RUN_TESTS(tests);
}
