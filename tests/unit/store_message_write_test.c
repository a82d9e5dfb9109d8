/* Proves: a batch of writes is grouped in the form of parley.write_messages (mailboxes ascending,
 * each copy with its place, times of new messages increasing, a sender's copy with its
 * primary one); each write gets its own part of the answer; and writes are distinguished by
 * their keys. */
#include "store/message_write.h"

#include <string.h>

#include "base/id.h"
#include "testing.h"

#define ALICE INT64_C(100)
#define BOB INT64_C(200)
#define CAROL INT64_C(300)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The parameters of the function, in its order. */
enum {
    MAILBOX_IDS,
    MAILBOX_SLOTS,
    MAILBOX_TIMES,
    FIRST_MAILBOXES,
    FIRST_ORDINALS,
    FIRST_PEERS,
    FIRST_KEYS,
    FIRST_CONTENTS,
    FIRST_TIMES,
    FIRST_OWES,
    COPY_MAILBOXES,
    COPY_ORDINALS,
    COPY_PEERS,
    COPY_FIRSTS,
    COPY_MESSAGES,
    COPY_KEYS,
    COPY_CONTENTS,
    FIRST_EXTRAS,
    COPY_EXTRAS,
    AWAITED_IDS,
    PARAMETERS,
};

static pl_message_write_t first(int64_t mailbox, int64_t sender, const char *key, int64_t received,
                                enum pl_copy_mode copy_mode)
{
    return (pl_message_write_t){
        .mailbox_id = mailbox,
        .peer_id = sender,
        .sender_id = sender,
        .received_us = received,
        .copy_mode = copy_mode,
        .client_message_id = key,
        .client_message_id_len = strlen(key),
        .content = "content",
        .content_len = 7,
    };
}

static pl_message_write_t copy(int64_t sender, int64_t recipient, const char *key, int64_t id)
{
    pl_message_write_t write = first(sender, recipient, key, 0, PL_COPY_NONE);
    write.sender_id = sender;
    write.message_id = id;
    write.content = "copied";
    write.content_len = 6;
    return write;
}

/* ---- the parameters, read like a result ---- */

static PGresult *result_of(int columns)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc attributes[PARAMETERS];

    memset(attributes, 0, sizeof(attributes));
    for (int i = 0; i < columns; i++) {
        attributes[i].name = (char *)(uintptr_t) "column"; /* which is copied */
        attributes[i].format = 1;
    }
    assert_true(PQsetResultAttrs(result, columns, attributes));
    return result;
}

static PGresult *sent_by(pl_message_write_t *writes, size_t count)
{
    pl_op_t *ops[512];
    pl_params_t params = {0};
    PGresult *sent = result_of(PARAMETERS);

    for (size_t i = 0; i < count; i++)
        ops[i] = &writes[i].op;
    pl_message_write_kind.encode(&params, ops, count);
    assert_int_equal(params.count, PARAMETERS);
    for (int i = 0; i < PARAMETERS; i++) {
        assert_false(params.nulls[i]);
        assert_true(
            PQsetvalue(sent, 0, i, params.data.data + params.offsets[i], params.lengths[i]));
    }
    pl_params_dispose(&params);
    return sent;
}

static void expect_int64(const PGresult *sent, int parameter, const int64_t *expected, size_t count)
{
    pl_result_array_t array = pl_result_array(sent, 0, parameter);
    assert_int_equal(array.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pl_result_array_int64(&array, i), expected[i]);
}

static void expect_int32(const PGresult *sent, int parameter, const int32_t *expected, size_t count)
{
    pl_result_array_t array = pl_result_array(sent, 0, parameter);
    assert_int_equal(array.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(pl_result_array_int32(&array, i), expected[i]);
}

/* `expected` has the texts, each ended by a comma. */
static void expect_text(const PGresult *sent, int parameter, const char *expected)
{
    pl_result_array_t array = pl_result_array(sent, 0, parameter);
    const char *at = array.elements;
    char text[256] = "";
    size_t length = 0;

    for (size_t i = 0; i < array.count; i++) {
        const unsigned char *wire = (const unsigned char *)at;
        size_t size = (size_t)wire[2] << 8 | wire[3];
        assert_true(length + size + 2 < sizeof(text));
        memcpy(text + length, at + 4, size);
        length += size;
        text[length++] = ',';
        at += 4 + size;
    }
    text[length] = '\0';
    assert_string_equal(text, expected);
}

#define EXPECT_INT64(sent, parameter, ...)                            \
    expect_int64((sent), (parameter), (const int64_t[]){__VA_ARGS__}, \
                 COUNT(((const int64_t[]){__VA_ARGS__})))
#define EXPECT_INT32(sent, parameter, ...)                            \
    expect_int32((sent), (parameter), (const int32_t[]){__VA_ARGS__}, \
                 COUNT(((const int32_t[]){__VA_ARGS__})))

enum { ALICE_TO_BOB, CAROL_TO_BOB, ALICES_COPY, BOB_TO_ALICE, ALICE_TO_BOB_AGAIN, WRITES };

/* Bob's mailbox gets four copies, Alice's three. Alice's copy of a message to Carol is of time
 * 7,000. */
static void mixed(pl_message_write_t *writes)
{
    writes[ALICE_TO_BOB] = first(BOB, ALICE, "k1", 5000, PL_COPY_HERE);
    writes[CAROL_TO_BOB] = first(BOB, CAROL, "k2", 4000, PL_COPY_OUTBOX);
    writes[ALICES_COPY] = copy(ALICE, CAROL, "k3", 14000);
    writes[BOB_TO_ALICE] = first(ALICE, BOB, "k4", 6000, PL_COPY_HERE);
    writes[ALICE_TO_BOB_AGAIN] = first(BOB, ALICE, "k5", 9000, PL_COPY_NONE);
}

static void test_a_mixed_batch_is_grouped(void **state)
{
    (void)state;
    pl_message_write_t writes[WRITES];

    mixed(writes);
    PGresult *sent = sent_by(writes, WRITES);
    EXPECT_INT64(sent, MAILBOX_IDS, ALICE, BOB);
    EXPECT_INT32(sent, MAILBOX_SLOTS, 3, 4);
    EXPECT_INT64(sent, MAILBOX_TIMES, 7001, 9000);

    EXPECT_INT32(sent, FIRST_MAILBOXES, 2, 2, 1, 2);
    EXPECT_INT32(sent, FIRST_ORDINALS, 1, 2, 3, 4);
    EXPECT_INT64(sent, FIRST_PEERS, ALICE, CAROL, BOB, ALICE);
    expect_text(sent, FIRST_KEYS, "k1,k2,k4,k5,");
    expect_text(sent, FIRST_CONTENTS, "content,content,content,content,");
    /* Carol's time is from a clock behind, Bob's is before that of the copy before it. */
    EXPECT_INT64(sent, FIRST_TIMES, 5000, 5001, 7001, 9000);
    pl_result_array_t has_entry = pl_result_array(sent, 0, FIRST_OWES);
    assert_int_equal(has_entry.count, 4);
    for (size_t i = 0; i < has_entry.count; i++)
        assert_int_equal(pl_result_array_bool(&has_entry, i), i == 1);

    EXPECT_INT32(sent, COPY_MAILBOXES, 1, 1, 2);
    EXPECT_INT32(sent, COPY_ORDINALS, 1, 2, 3);
    EXPECT_INT64(sent, COPY_PEERS, BOB, CAROL, ALICE);
    EXPECT_INT32(sent, COPY_FIRSTS, 1, 0, 3);
    EXPECT_INT64(sent, COPY_MESSAGES, 0, 14000, 0);
    expect_text(sent, COPY_KEYS, "k1,k3,k4,");
    expect_text(sent, COPY_CONTENTS, "content,copied,content,");
    PQclear(sent);
}

static void test_one_first_written_copy(void **state)
{
    (void)state;
    pl_message_write_t write = first(BOB, ALICE, "k", 5000, PL_COPY_OUTBOX);

    PGresult *sent = sent_by(&write, 1);
    EXPECT_INT64(sent, MAILBOX_IDS, BOB);
    EXPECT_INT32(sent, MAILBOX_SLOTS, 1);
    EXPECT_INT64(sent, FIRST_TIMES, 5000);
    for (int i = COPY_MAILBOXES; i < PARAMETERS; i++)
        assert_int_equal(pl_result_array(sent, 0, i).count, 0);
    PQclear(sent);
}

static void test_one_copy(void **state)
{
    (void)state;
    pl_message_write_t write = copy(ALICE, BOB, "k", 14000);

    PGresult *sent = sent_by(&write, 1);
    EXPECT_INT64(sent, MAILBOX_IDS, ALICE);
    EXPECT_INT64(sent, MAILBOX_TIMES, 7000);
    EXPECT_INT64(sent, COPY_MESSAGES, 14000);
    for (int i = FIRST_MAILBOXES; i <= FIRST_OWES; i++)
        assert_int_equal(pl_result_array(sent, 0, i).count, 0);
    PQclear(sent);
}

/* The extra of one message is in both of its copies; the others have null. */
static void test_extras(void **state)
{
    (void)state;
    pl_message_write_t writes[] = {first(BOB, ALICE, "k1", 5000, PL_COPY_HERE),
                                   first(BOB, CAROL, "k2", 5000, PL_COPY_OUTBOX),
                                   copy(ALICE, CAROL, "k3", 14000)};

    writes[0].extra = "{a}";
    writes[0].extra_len = 3;
    PGresult *sent = sent_by(writes, COUNT(writes));
    static const char null[] = "\xff\xff\xff\xff", given[] = "\0\0\0\3{a}";
    for (int parameter = FIRST_EXTRAS; parameter <= COPY_EXTRAS; parameter++) {
        pl_result_array_t extras = pl_result_array(sent, 0, parameter);
        assert_int_equal(extras.count, 2);
        assert_memory_equal(extras.elements, given, 7);
        assert_memory_equal(extras.elements + 7, null, 4);
    }
    PQclear(sent);
}

/* For any number: mailboxes ascend; ordinals count and times rise within each. */
static void test_a_large_batch(void **state)
{
    (void)state;
    enum { MANY = 300, MAILBOXES = 7 };
    static pl_message_write_t writes[MANY];
    int64_t last_time[MAILBOXES] = {0};
    int32_t last_ordinal[MAILBOXES] = {0};

    for (int i = 0; i < MANY; i++) /* mailboxes 6, 2, 5, 1, 4, 0, 3, ...; times go back */
        writes[i] = first(1000 + (6 + 3 * i) % MAILBOXES, 50 + i, "k", 90000 - 100 * i,
                          PL_COPY_HERE);
    PGresult *sent = sent_by(writes, MANY);
    pl_result_array_t ids = pl_result_array(sent, 0, MAILBOX_IDS);
    assert_int_equal(ids.count, MAILBOXES + MANY);
    for (size_t i = 1; i < ids.count; i++)
        assert_true(pl_result_array_int64(&ids, i - 1) < pl_result_array_int64(&ids, i));

    pl_result_array_t mailboxes = pl_result_array(sent, 0, FIRST_MAILBOXES);
    pl_result_array_t ordinals = pl_result_array(sent, 0, FIRST_ORDINALS);
    pl_result_array_t times = pl_result_array(sent, 0, FIRST_TIMES);
    pl_result_array_t firsts = pl_result_array(sent, 0, COPY_FIRSTS);
    assert_int_equal(mailboxes.count, MANY);
    assert_int_equal(firsts.count, MANY);
    for (size_t i = 0; i < MANY; i++) {
        size_t mailbox = (size_t)pl_result_array_int32(&mailboxes, i) - 1;
        assert_int_equal(pl_result_array_int64(&ids, mailbox), writes[i].mailbox_id);
        size_t at = (size_t)(writes[i].mailbox_id - 1000);
        assert_int_equal(pl_result_array_int32(&ordinals, i), ++last_ordinal[at]);
        assert_true(pl_result_array_int64(&times, i) >= writes[i].received_us);
        assert_true(pl_result_array_int64(&times, i) > last_time[at]);
        last_time[at] = pl_result_array_int64(&times, i);
        assert_int_equal(pl_result_array_int32(&firsts, i), i + 1);
    }
    PQclear(sent);
}

/* ---- the answer ---- */

enum {
    MAILBOX_PREVIOUS,
    MAILBOX_VERSIONS,
    FIRST_MESSAGES,
    FIRST_VERSIONS,
    FIRST_EQUALS,
    COPY_VERSIONS,
    CONVERSATION_USERS,
    CONVERSATION_PEERS,
    CONVERSATION_UNREAD,
    CONVERSATION_READ,
    CONVERSATION_PEER_READ,
    CONVERSATION_PEER_DELIVERED,
    CONVERSATION_CLEARED,
    CONVERSATION_MUTED,
    CONVERSATION_FLAGS,
    COLUMNS,
};

/* An array column: `size` bytes an element, 8 for bigint, 4 for integer, 1 for boolean. */
static void set_array(PGresult *answer, int column, int size, const int64_t *values, size_t count)
{
    char wire[512] = {0};
    size_t length = 20;

    wire[3] = 1;
    wire[15] = (char)count;
    wire[19] = 1;
    for (size_t i = 0; i < count; i++) {
        wire[length + 3] = (char)size;
        length += 4;
        for (int byte = size - 1; byte >= 0; byte--)
            wire[length++] = (char)((uint64_t)values[i] >> (8 * byte));
    }
    assert_true(length <= sizeof(wire));
    assert_true(PQsetvalue(answer, 0, column, wire, (int)length));
}

#define SET(answer, column, size, ...)                                    \
    set_array((answer), (column), (size), (const int64_t[]){__VA_ARGS__}, \
              COUNT(((const int64_t[]){__VA_ARGS__})))

/* Of `count` new conversations. */
static void set_states(PGresult *answer, size_t count)
{
    static const int64_t zeros[8] = {0};

    for (int column = CONVERSATION_READ; column < CONVERSATION_FLAGS; column++)
        set_array(answer, column, 8, zeros, count);
    set_array(answer, CONVERSATION_FLAGS, 4, zeros, count);
}

/* A row of NULLs. */
static PGresult *empty_answer(void)
{
    PGresult *answer = result_of(COLUMNS);
    for (int i = 0; i < COLUMNS; i++)
        assert_true(PQsetvalue(answer, 0, i, NULL, -1));
    return answer;
}

static void give(PGresult *answer, pl_message_write_t *writes, size_t count)
{
    pl_op_t *ops[WRITES];

    for (size_t i = 0; i < count; i++)
        ops[i] = &writes[i].op;
    PQclear(sent_by(writes, count));
    assert_false(pl_message_write_kind.decode(answer, ops, count));
    PQclear(answer);
}

static void expect_change(const pl_mailbox_change_t *change, int64_t version, int64_t previous,
                          int64_t after, int32_t unread)
{
    assert_int_equal(change->version, version);
    assert_int_equal(change->mailbox_previous, previous);
    assert_int_equal(change->mailbox_version, after);
    assert_int_equal(change->conversation.unread_count, unread);
}

static void test_all_are_stored(void **state)
{
    (void)state;
    pl_message_write_t writes[WRITES];
    PGresult *answer = empty_answer();

    mixed(writes);
    SET(answer, MAILBOX_PREVIOUS, 8, 1000, 2000);
    SET(answer, MAILBOX_VERSIONS, 8, 7003, 9004);
    SET(answer, FIRST_MESSAGES, 8, 10000, 10003, 14003, 18000);
    SET(answer, FIRST_VERSIONS, 8, 9001, 9002, 7003, 9004);
    SET(answer, COPY_VERSIONS, 8, 7001, 7002, 9003);
    SET(answer, CONVERSATION_USERS, 8, ALICE, ALICE, BOB, BOB);
    SET(answer, CONVERSATION_PEERS, 8, BOB, CAROL, ALICE, CAROL);
    SET(answer, CONVERSATION_UNREAD, 4, 11, 12, 21, 23);
    set_states(answer, 4);
    give(answer, writes, WRITES);

    static const int64_t ids[] = {10000, 10003, 14000, 14003, 18000};
    for (size_t i = 0; i < WRITES; i++) {
        assert_int_equal(writes[i].status, PL_WRITE_STORED);
        assert_int_equal(writes[i].stored_id, ids[i]);
    }
    expect_change(&writes[ALICE_TO_BOB].change, 9001, 2000, 9004, 21);
    expect_change(&writes[ALICE_TO_BOB].copy_change, 7001, 1000, 7003, 11);
    expect_change(&writes[CAROL_TO_BOB].change, 9002, 2000, 9004, 23);
    expect_change(&writes[ALICES_COPY].change, 7002, 1000, 7003, 12);
    expect_change(&writes[BOB_TO_ALICE].change, 7003, 1000, 7003, 11);
    expect_change(&writes[BOB_TO_ALICE].copy_change, 9003, 2000, 9004, 21);
    expect_change(&writes[ALICE_TO_BOB_AGAIN].change, 9004, 2000, 9004, 21);
}

/* The first is a retry, Bob's is refused, the copy existed: each operation gets its own answer. */
static void test_retries_and_refusals(void **state)
{
    (void)state;
    pl_message_write_t writes[WRITES];
    PGresult *answer = empty_answer();

    mixed(writes);
    SET(answer, MAILBOX_PREVIOUS, 8, 1000, 2000);
    SET(answer, MAILBOX_VERSIONS, 8, 1000, 9004);
    SET(answer, FIRST_MESSAGES, 8, 3000, 10003, 1500, 18000);
    SET(answer, FIRST_VERSIONS, 8, 2000, 9002, 1000, 9004);
    SET(answer, FIRST_EQUALS, 1, true, true, false, true);
    SET(answer, COPY_VERSIONS, 8, 0, 0, 0);
    SET(answer, CONVERSATION_USERS, 8, BOB, BOB);
    SET(answer, CONVERSATION_PEERS, 8, CAROL, ALICE);
    SET(answer, CONVERSATION_UNREAD, 4, 23, 21);
    set_states(answer, 2);
    give(answer, writes, WRITES);

    assert_int_equal(writes[ALICE_TO_BOB].status, PL_WRITE_DUPLICATE);
    assert_int_equal(writes[ALICE_TO_BOB].stored_id, 3000);
    expect_change(&writes[ALICE_TO_BOB].change, 2000, 2000, 9004, 0);
    assert_int_equal(writes[ALICE_TO_BOB].copy_change.version, 0);
    assert_int_equal(writes[CAROL_TO_BOB].status, PL_WRITE_STORED);
    expect_change(&writes[CAROL_TO_BOB].change, 9002, 2000, 9004, 23);
    assert_int_equal(writes[ALICES_COPY].status, PL_WRITE_DUPLICATE);
    assert_int_equal(writes[ALICES_COPY].stored_id, 14000);
    expect_change(&writes[ALICES_COPY].change, 0, 1000, 1000, 0);
    assert_int_equal(writes[BOB_TO_ALICE].status, PL_WRITE_REUSED);
    assert_int_equal(writes[BOB_TO_ALICE].stored_id, 1500);
    expect_change(&writes[BOB_TO_ALICE].change, 1000, 1000, 1000, 0);
    assert_int_equal(writes[BOB_TO_ALICE].copy_change.version, 0);
    assert_int_equal(writes[ALICE_TO_BOB_AGAIN].status, PL_WRITE_STORED);
    expect_change(&writes[ALICE_TO_BOB_AGAIN].change, 9004, 2000, 9004, 21);
}

/* Copies alone: the columns of primary copies are NULL. */
static void test_copies_alone(void **state)
{
    (void)state;
    pl_message_write_t writes[] = {copy(BOB, ALICE, "k1", 14000), copy(ALICE, CAROL, "k2", 16000)};
    PGresult *answer = empty_answer();

    SET(answer, MAILBOX_PREVIOUS, 8, 1000, 2000);
    SET(answer, MAILBOX_VERSIONS, 8, 8000, 9000);
    SET(answer, COPY_VERSIONS, 8, 9000, 8000);
    SET(answer, CONVERSATION_USERS, 8, ALICE, BOB);
    SET(answer, CONVERSATION_PEERS, 8, CAROL, ALICE);
    SET(answer, CONVERSATION_UNREAD, 4, 1, 2);
    set_states(answer, 2);
    give(answer, writes, COUNT(writes));
    expect_change(&writes[0].change, 9000, 2000, 9000, 2);
    expect_change(&writes[1].change, 8000, 1000, 8000, 1);
}

/* ---- keys ---- */

static uint64_t key_of(pl_message_write_t write)
{
    pl_message_write_init(&write);
    assert_ptr_equal(write.op.kind, &pl_message_write_kind);
    return write.op.key;
}

static void test_keys(void **state)
{
    (void)state;
    pl_message_write_t sent = first(BOB, ALICE, "k1", 5000, PL_COPY_HERE);
    pl_message_write_t again = first(BOB, ALICE, "k1", 6000, PL_COPY_OUTBOX);
    const pl_message_write_t others[] = {
        first(BOB, ALICE, "k2", 5000, PL_COPY_HERE),
        first(BOB, CAROL, "k1", 5000, PL_COPY_HERE),
        first(CAROL, ALICE, "k1", 5000, PL_COPY_HERE),
        first(ALICE, BOB, "k1", 5000, PL_COPY_HERE),
        copy(ALICE, BOB, "k1", 10000),
        copy(ALICE, BOB, "k1", 10002),
    };

    again.content = "other";
    again.content_len = 5;
    assert_int_not_equal(key_of(sent), 0);
    assert_true(key_of(sent) == key_of(again));
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_true(key_of(sent) != key_of(others[i]));
        for (size_t j = 0; j < i; j++)
            assert_true(key_of(others[j]) != key_of(others[i]));
    }
    sent.mailbox_id = INT64_C(7) << 50 | 1;
    pl_message_write_init(&sent);
    assert_int_equal(sent.op.shard, 7);
}

/* ---- a retry in the same batch ---- */

static void expect_adopted(pl_message_write_t *write, const pl_message_write_t *leader,
                           enum pl_write_status expected)
{
    write->stored_id = 0;
    assert_true(pl_message_write_kind.adopt(&write->op, &leader->op));
    assert_int_equal(write->status, expected);
    assert_true(write->stored_id == leader->stored_id);
}

static void test_a_retry_takes_the_result_of_the_first(void **state)
{
    (void)state;
    pl_message_write_t leader = first(BOB, ALICE, "k1", 5000, PL_COPY_HERE);
    pl_message_write_t same = first(BOB, ALICE, "k1", 6000, PL_COPY_HERE);
    pl_message_write_t other = first(BOB, ALICE, "k1", 6000, PL_COPY_HERE);
    pl_message_write_t stranger = first(BOB, ALICE, "k2", 6000, PL_COPY_HERE);

    other.content = "other";
    other.content_len = 5;
    leader.stored_id = 10000;
    leader.status = PL_WRITE_STORED;
    expect_adopted(&same, &leader, PL_WRITE_DUPLICATE);
    expect_adopted(&other, &leader, PL_WRITE_REUSED);
    leader.status = PL_WRITE_DUPLICATE;
    expect_adopted(&same, &leader, PL_WRITE_DUPLICATE);
    expect_adopted(&other, &leader, PL_WRITE_REUSED);
    /* The stored content may equal the other one's or neither's: only the database knows. */
    leader.status = PL_WRITE_REUSED;
    expect_adopted(&same, &leader, PL_WRITE_REUSED);
    assert_false(pl_message_write_kind.adopt(&other.op, &leader.op));
    /* replyTo is part of what was sent. */
    leader.status = PL_WRITE_STORED;
    leader.extra = "{\"replyTo\":\"7\"}";
    leader.extra_len = strlen(leader.extra);
    expect_adopted(&same, &leader, PL_WRITE_REUSED);
    same.extra = "{\"replyTo\":\"8\"}";
    same.extra_len = leader.extra_len;
    expect_adopted(&same, &leader, PL_WRITE_REUSED);
    same.extra = leader.extra;
    expect_adopted(&same, &leader, PL_WRITE_DUPLICATE);
    /* Only the hashes are equal. */
    leader.status = PL_WRITE_STORED;
    assert_false(pl_message_write_kind.adopt(&stranger.op, &leader.op));

    pl_message_write_t copied = copy(ALICE, BOB, "k1", 10000), again = copied;
    copied.stored_id = 10000;
    copied.status = PL_WRITE_STORED;
    expect_adopted(&again, &copied, PL_WRITE_DUPLICATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mixed_batch_is_grouped),
        cmocka_unit_test(test_one_first_written_copy),
        cmocka_unit_test(test_one_copy),
        cmocka_unit_test(test_extras),
        cmocka_unit_test(test_a_large_batch),
        cmocka_unit_test(test_all_are_stored),
        cmocka_unit_test(test_retries_and_refusals),
        cmocka_unit_test(test_copies_alone),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_a_retry_takes_the_result_of_the_first),
    };
    return RUN_TESTS(tests);
}
