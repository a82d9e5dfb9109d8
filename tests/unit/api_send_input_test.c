/* Proves what sendMessage accepts from a body and how it refuses: all wrong fields are reported at
 * once, ids and limits are exact, and a sender must be the caller or be named by an admin. */
#include "api/send_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/id.h"

static const pl_token_claims_t alice = {.user_id = 1024};
static const pl_token_claims_t admin = {.user_id = 1024, .admin = true};

static pl_refusal_t refusal;

/* Decodes; returns true if it is accepted. */
static bool decode(const char *body, const pl_token_claims_t *caller, pl_send_input_t *input)
{
    memset(&refusal, 0x55, sizeof(refusal));
    return pl_send_input_decode(body, strlen(body), caller, input, &refusal) == 0;
}

static void assert_accepted(const char *body, const pl_token_claims_t *caller, int64_t sender,
                            int64_t recipient)
{
    pl_send_input_t input;

    if (!decode(body, caller, &input))
        fail_msg("refused with %s: %s", pl_problem_code(refusal.problem), body);
    assert_int_equal(input.order.sender_id, sender);
    assert_int_equal(input.order.peer_id, recipient);
    pl_send_input_dispose(&input);
}

static void assert_refused(const char *body, const pl_token_claims_t *caller, pl_problem_t problem)
{
    pl_send_input_t input;

    if (decode(body, caller, &input))
        fail_msg("accepted: %s", body);
    assert_null(input.json);
    assert_string_equal(pl_problem_code(refusal.problem), pl_problem_code(problem));
}

/* 422 with exactly these pointers, in this order, separated by spaces. */
static void assert_wrong(const char *body, const char *pointers)
{
    char found[512] = "";

    assert_refused(body, &alice, PL_PROBLEM_VALIDATION_FAILED);
    for (size_t i = 0; i < refusal.fields.count; i++) {
        strcat(found, i > 0 ? " " : "");
        strcat(found, refusal.fields.items[i].pointer);
        assert_true(strlen(refusal.fields.items[i].detail) > 0);
    }
    assert_string_equal(found, pointers);
}

#define TEXTS "\"clientMessageId\":\"c\",\"messageContent\":\"m\""

static void test_target(void **state)
{
    (void)state;
    assert_accepted("{\"recipientId\":\"2048\"," TEXTS "}", &alice, 1024, 2048);
    assert_accepted("{\"conversationId\":\"1024-2048\"," TEXTS "}", &alice, 1024, 2048);
    assert_accepted("{\"conversationId\":\"2-1024\"," TEXTS "}", &alice, 1024, 2);
    assert_accepted("{\"recipientId\":\"9223372036854775551\"," TEXTS "}", &alice, 1024,
                    INT64_MAX - 256);
    /* A note to oneself. */
    assert_accepted("{\"recipientId\":\"1024\"," TEXTS "}", &alice, 1024, 1024);
    assert_accepted("{\"conversationId\":\"1024-1024\"," TEXTS "}", &alice, 1024, 1024);
    assert_refused("{\"conversationId\":\"2048-2048\"," TEXTS "}", &alice,
                   PL_PROBLEM_CONVERSATION_NOT_FOUND);
    /* A group. */
    assert_refused("{\"recipientId\":\"9223372036854775807\"," TEXTS "}", &alice,
                   PL_PROBLEM_RECIPIENT_NOT_FOUND);

    assert_wrong("{" TEXTS "}", "/recipientId");
    assert_wrong("{\"recipientId\":\"2048\",\"conversationId\":\"1024-2048\"," TEXTS "}",
                 "/conversationId");
    assert_wrong("{\"recipientId\":2048," TEXTS "}", "/recipientId");
    assert_wrong("{\"recipientId\":null," TEXTS "}", "/recipientId");
    assert_wrong("{\"conversationId\":null," TEXTS "}", "/conversationId");
    static const char *const bad_ids[] = {
        "",    "0",   "-1", "+1", "01",    " 1",
        "1 ",  "1.0", "x",  "1x", "0x10",  "9223372036854775808",
        "1-2", "1e3", "٣",  "1_", "1\\n2", "18446744073709551617"};
    for (size_t i = 0; i < sizeof(bad_ids) / sizeof(bad_ids[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "{\"recipientId\":\"%s\"," TEXTS "}", bad_ids[i]);
        assert_wrong(body, "/recipientId");
    }
    static const char *const bad_conversations[] = {"",      "1024",       "2048-1024", "256-256",
                                                    "1024-", "-1024",      "1-1024-2",  "01-1024",
                                                    "1--2",  "1024-2048 ", "a-b"};
    for (size_t i = 0; i < sizeof(bad_conversations) / sizeof(bad_conversations[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "{\"conversationId\":\"%s\"," TEXTS "}", bad_conversations[i]);
        assert_wrong(body, "/conversationId");
    }
}

static void test_conversations_of_others(void **state)
{
    pl_send_input_t input;
    char body[200];
    (void)state;

    assert_refused("{\"conversationId\":\"1-2\"," TEXTS "}", &alice,
                   PL_PROBLEM_CONVERSATION_NOT_FOUND);
    snprintf(body, sizeof(body), "{\"conversationId\":\"%lld\"," TEXTS "}",
             (long long)pl_id_make(1, 5, PL_ID_GROUP, 1));
    /* Membership is checked by the group, not here. */
    assert_true(decode(body, &alice, &input));
    assert_int_equal(input.order.peer_id, pl_id_make(1, 5, PL_ID_GROUP, 1));
    pl_send_input_dispose(&input);
    assert_refused("{\"conversationId\":\"1024-2048\",\"senderId\":\"3072\"," TEXTS "}", &admin,
                   PL_PROBLEM_CONVERSATION_NOT_FOUND);
}

static void test_sender(void **state)
{
    (void)state;
    assert_accepted("{\"recipientId\":\"2048\",\"senderId\":\"1024\"," TEXTS "}", &alice, 1024,
                    2048);
    assert_accepted("{\"recipientId\":\"2048\",\"senderId\":\"3072\"," TEXTS "}", &admin, 3072,
                    2048);
    assert_accepted("{\"conversationId\":\"2048-3072\",\"senderId\":\"3072\"," TEXTS "}", &admin,
                    3072, 2048);
    assert_refused("{\"recipientId\":\"2048\",\"senderId\":\"3072\"," TEXTS "}", &alice,
                   PL_PROBLEM_FORBIDDEN);
    assert_refused("{\"recipientId\":\"1024\",\"senderId\":\"2048\"," TEXTS "}", &alice,
                   PL_PROBLEM_FORBIDDEN);
    assert_wrong("{\"recipientId\":\"2048\",\"senderId\":1024," TEXTS "}", "/senderId");
    assert_wrong("{\"recipientId\":\"2048\",\"senderId\":\"x\"," TEXTS "}", "/senderId");
    /* A group cannot be a sender. */
    assert_wrong("{\"recipientId\":\"2048\",\"senderId\":\"9223372036854775807\"," TEXTS "}",
                 "/senderId");
}

static void test_reply_to(void **state)
{
    pl_send_input_t input;
    (void)state;

    assert_true(decode("{\"recipientId\":\"2048\"," TEXTS "}", &alice, &input));
    assert_int_equal(input.order.reply_to, 0);
    pl_send_input_dispose(&input);
    assert_true(decode("{\"recipientId\":\"2048\",\"replyTo\":\"9223372036854775807\"," TEXTS "}",
                       &alice, &input));
    assert_true(input.order.reply_to == INT64_MAX);
    pl_send_input_dispose(&input);
    static const char *const wrong[] = {"7",
                                        "null",
                                        "true",
                                        "[]",
                                        "\"\"",
                                        "\"0\"",
                                        "\"-7\"",
                                        "\"07\"",
                                        "\"7 \"",
                                        "\"x\"",
                                        "\"9223372036854775808\""};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char body[200];
        snprintf(body, sizeof(body), "{\"recipientId\":\"2048\",\"replyTo\":%s," TEXTS "}",
                 wrong[i]);
        assert_wrong(body, "/replyTo");
    }
}

static void test_unknown_fields(void **state)
{
    (void)state;
    assert_refused("{\"recipientId\":\"5\",\"clientMessageId\":\"c\",\"messageContent\":\"m\","
                   "\"content\":\"m\"}",
                   &alice, PL_PROBLEM_UNKNOWN_FIELD);
    assert_int_equal(refusal.fields.count, 1);
    assert_string_equal(refusal.fields.items[0].pointer, "/content");
    assert_refused("{\"a~b\":1,\"messageContent\":5}", &alice, PL_PROBLEM_UNKNOWN_FIELD);
    assert_string_equal(refusal.fields.items[0].pointer, "");
}

static void test_all_wrong_fields_at_once(void **state)
{
    (void)state;
    assert_wrong("{}", "/recipientId /clientMessageId /messageContent");
    assert_wrong("{\"recipientId\":1,\"senderId\":true,\"clientMessageId\":\"\","
                 "\"messageContent\":\"\",\"replyTo\":\"\"}",
                 "/recipientId /senderId /clientMessageId /messageContent /replyTo");
}

static void test_client_message_id(void **state)
{
    static const char *const good[] = {"x",
                                       " ",
                                       "~",
                                       "a b",
                                       "\\\"\\\\/",
                                       "0123456789012345678901234567890123456789012345678901234567"
                                       "890123"};
    static const char *const bad[] = {"",
                                      "é",
                                      "\\t",
                                      "\\u007f",
                                      "\\n",
                                      "0123456789012345678901234567890123456789012345678901234567"
                                      "8901234"};
    char body[400];
    (void)state;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(body, sizeof(body),
                 "{\"recipientId\":\"2\",\"messageContent\":\"m\",\"clientMessageId\":\"%s\"}",
                 good[i]);
        assert_accepted(body, &alice, 1024, 2);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(body, sizeof(body),
                 "{\"recipientId\":\"2\",\"messageContent\":\"m\",\"clientMessageId\":\"%s\"}",
                 bad[i]);
        assert_wrong(body, "/clientMessageId");
    }
}

static char *body_with_content(size_t bytes)
{
    char *body = malloc(bytes + 100);
    int head = sprintf(body, "{\"recipientId\":\"2\",\"clientMessageId\":\"c\","
                             "\"messageContent\":\"");

    memset(body + head, 'x', bytes);
    strcpy(body + head + bytes, "\"}");
    return body;
}

static void test_content_size(void **state)
{
    pl_send_input_t input;
    char *body = body_with_content(65535);
    (void)state;

    assert_true(decode(body, &alice, &input));
    assert_int_equal(input.order.content_len, 65535);
    assert_int_equal(input.order.content[65534], 'x');
    pl_send_input_dispose(&input);
    free(body);
    body = body_with_content(65536);
    assert_refused(body, &alice, PL_PROBLEM_MESSAGE_TOO_LARGE);
    assert_non_null(strstr(refusal.detail, "65536"));
    free(body);
    assert_wrong("{\"recipientId\":\"2\",\"clientMessageId\":\"c\",\"messageContent\":5}",
                 "/messageContent");
}

static void test_texts_are_decoded(void **state)
{
    pl_send_input_t input;
    (void)state;

    assert_true(decode("{\"recipientId\":\"2\",\"clientMessageId\":\"\\u0041\","
                       "\"messageContent\":\"\\ud83d\\ude00\\n\"}",
                       &alice, &input));
    assert_int_equal(input.order.client_message_id_len, 1);
    assert_memory_equal(input.order.client_message_id, "A", 1);
    assert_int_equal(input.order.content_len, 5);
    assert_memory_equal(input.order.content, "\xf0\x9f\x98\x80\n", 5);
    pl_send_input_dispose(&input);
}

static void test_bad_json(void **state)
{
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "{",
        "{}x",
        "{\"recipientId\":\"2\",\"recipientId\":\"2\"," TEXTS "}",
        "{\"recipientId\":\"2\",\"clientMessageId\":\"c\",\"messageContent\":\"\\u0000\"}"};
    (void)state;

    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_refused(bodies[i], &alice, PL_PROBLEM_INVALID_JSON);
        assert_true(strlen(refusal.detail) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_conversations_of_others),
        cmocka_unit_test(test_sender),
        cmocka_unit_test(test_reply_to),
        cmocka_unit_test(test_unknown_fields),
        cmocka_unit_test(test_all_wrong_fields_at_once),
        cmocka_unit_test(test_client_message_id),
        cmocka_unit_test(test_content_size),
        cmocka_unit_test(test_texts_are_decoded),
        cmocka_unit_test(test_bad_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
