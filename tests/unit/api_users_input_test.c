/* Proves what createUser, createSession and updateMe accept from a body: every limit is exact. */
#include "api/users_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static pl_refusal_t refusal;

static bool account(const char *body, pl_account_input_t *input)
{
    memset(&refusal, 0x55, sizeof(refusal));
    return pl_account_input_decode(body, strlen(body), 8, input, &refusal) == 0;
}

static bool session(const char *body, pl_account_input_t *input)
{
    memset(&refusal, 0x55, sizeof(refusal));
    return pl_session_input_decode(body, strlen(body), input, &refusal) == 0;
}

static bool profile(const char *body, pl_profile_input_t *input)
{
    memset(&refusal, 0x55, sizeof(refusal));
    return pl_profile_input_decode(body, strlen(body), 8, input, &refusal) == 0;
}

/* The last body was refused with exactly these pointers, separated by spaces. */
static void assert_refused(const char *pointers)
{
    char found[512] = "";

    assert_int_equal(refusal.problem, PL_PROBLEM_VALIDATION_FAILED);
    for (size_t i = 0; i < refusal.fields.count; i++) {
        strcat(found, i > 0 ? " " : "");
        strcat(found, refusal.fields.items[i].pointer);
    }
    assert_string_equal(found, pointers);
}

static void assert_pointers(const pl_account_input_t *input, const char *pointers)
{
    assert_null(input->json);
    assert_refused(pointers);
}

static void test_account(void **state)
{
    pl_account_input_t input;
    (void)state;

    assert_true(account("{\"username\":\"Alice.B_c-9\"}", &input));
    assert_string_equal(input.order.username, "alice.b_c-9");
    assert_null(input.order.display_name);
    assert_null(input.order.password);
    pl_account_input_dispose(&input);

    assert_true(account("{\"username\":\"abc\",\"displayName\":\"\\u00dc x\","
                        "\"password\":\"12345678\"}",
                        &input));
    assert_int_equal(input.order.display_name_len, 4);
    assert_memory_equal(input.order.display_name, "Ü x", 4);
    assert_int_equal(input.order.password_len, 8);
    pl_account_input_dispose(&input);

    assert_false(account("{}", &input));
    assert_pointers(&input, "/username");
    assert_false(account("{\"username\":5,\"displayName\":null,\"password\":[]}", &input));
    assert_pointers(&input, "/username /displayName /password");
    assert_false(account("[]", &input));
    assert_int_equal(refusal.problem, PL_PROBLEM_INVALID_JSON);
}

static void test_session(void **state)
{
    pl_account_input_t input;
    (void)state;

    assert_true(session("{\"username\":\"ALICE\",\"password\":\"12345678\"}", &input));
    assert_string_equal(input.order.username, "alice");
    assert_null(input.order.display_name);
    pl_account_input_dispose(&input);
    assert_false(session("{\"username\":\"alice\"}", &input));
    assert_pointers(&input, "/password");
    assert_false(session("{}", &input));
    assert_pointers(&input, "/username /password");
}

static void assert_username(const char *name, bool is_good)
{
    pl_account_input_t input;
    char body[200];

    snprintf(body, sizeof(body), "{\"username\":\"%s\"}", name);
    assert_int_equal(account(body, &input), is_good);
    if (is_good)
        pl_account_input_dispose(&input);
    else
        assert_pointers(&input, "/username");
}

static void test_username(void **state)
{
    (void)state;
    assert_username("abc", true);
    assert_username("...", true);
    assert_username("0123456789012345678901234567890123456789012345678901234567890123", true);
    assert_username("ab", false);
    assert_username("01234567890123456789012345678901234567890123456789012345678901234", false);
    assert_username("a b", false);
    assert_username("a@b", false);
    assert_username("\\u00fcml", false);
    assert_username("abc\\n", false);
    assert_username("", false);
}

static void assert_display_name(const char *unit, size_t times, bool is_good)
{
    pl_account_input_t input;
    char body[1000] = "{\"username\":\"abc\",\"displayName\":\"";

    for (size_t i = 0; i < times; i++)
        strcat(body, unit);
    strcat(body, "\"}");
    assert_int_equal(account(body, &input), is_good);
    if (is_good)
        pl_account_input_dispose(&input);
    else
        assert_pointers(&input, "/displayName");
}

static void test_display_name_counts_code_points(void **state)
{
    (void)state;
    assert_display_name("x", 0, false);
    assert_display_name("x", 1, true);
    assert_display_name("\xf0\x9f\x98\x80", 100, true);
    assert_display_name("\xf0\x9f\x98\x80", 101, false);
    assert_display_name("x", 101, false);
}

static void assert_password(size_t bytes, bool is_good)
{
    pl_account_input_t input;
    char body[1200] = "{\"username\":\"abc\",\"password\":\"";
    size_t head = strlen(body);

    memset(body + head, 'x', bytes);
    strcpy(body + head + bytes, "\"}");
    assert_int_equal(account(body, &input), is_good);
    if (is_good) {
        assert_int_equal(input.order.password_len, bytes);
        pl_account_input_dispose(&input);
    } else {
        assert_pointers(&input, "/password");
    }
}

/* At least 8 characters, at most 1,024 bytes; a login takes any password that could be one. */
static void test_password_lengths(void **state)
{
    pl_account_input_t input;
    (void)state;
    assert_false(
        account("{\"username\":\"abc\",\"password\":\"\\u00fc\\u00fc\\u00fc\\u00fc\"}", &input));
    assert_pointers(&input, "/password");
    assert_true(session("{\"username\":\"abc\",\"password\":\"x\"}", &input));
    pl_account_input_dispose(&input);
    assert_false(session("{\"username\":\"abc\",\"password\":\"\"}", &input));
    assert_pointers(&input, "/password");
    assert_password(0, false);
    assert_password(7, false);
    assert_password(8, true);
    assert_password(1024, true);
    assert_password(1025, false);
}

static void test_profile(void **state)
{
    pl_profile_input_t input;
    (void)state;

    assert_true(profile("{\"displayName\":\"A\",\"password\":\"12345678\","
                        "\"currentPassword\":\"87654321\",\"readReceipts\":false,"
                        "\"showPresence\":true,\"groupInvites\":\"contacts\"}",
                        &input));
    assert_int_equal(input.change.display_name_len, 1);
    assert_memory_equal(input.change.password, "12345678", 8);
    assert_memory_equal(input.change.current_password, "87654321", 8);
    assert_false(*input.change.read_receipts);
    assert_true(*input.change.show_presence);
    assert_string_equal(input.change.group_invites, "contacts");
    pl_profile_input_dispose(&input);

    assert_true(profile("{\"readReceipts\":true}", &input));
    assert_null(input.change.display_name);
    assert_null(input.change.password);
    assert_null(input.change.current_password);
    assert_true(*input.change.read_receipts);
    assert_null(input.change.show_presence);
    assert_null(input.change.group_invites);
    pl_profile_input_dispose(&input);

    assert_false(
        profile("{\"displayName\":null,\"password\":\"1234567\",\"currentPassword\":1,"
                "\"readReceipts\":\"true\",\"showPresence\":0,\"groupInvites\":\"Nobody\"}",
                &input));
    assert_null(input.json);
    assert_refused("/displayName /password /currentPassword /readReceipts /showPresence "
                   "/groupInvites");
}

static void test_empty_profile_change_is_refused(void **state)
{
    pl_profile_input_t input;
    (void)state;

    assert_false(profile("{}", &input));
    assert_refused("/displayName");
    assert_false(profile("{\"currentPassword\":\"12345678\"}", &input));
    assert_refused("/displayName");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account),
        cmocka_unit_test(test_session),
        cmocka_unit_test(test_username),
        cmocka_unit_test(test_display_name_counts_code_points),
        cmocka_unit_test(test_password_lengths),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_empty_profile_change_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
