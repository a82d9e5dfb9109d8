/* Proves: the list is sorted, and the passwords in it and the username are found in either case. */
#include "auth/common_password.h"

#include <string.h>

#include "testing.h"

static bool is_common(const char *password, const char *username)
{
    return pl_password_is_common(password, strlen(password), username);
}

static void test_list(void **state)
{
    (void)state;
    assert_int_equal(pl_common_password_count, 10000);
    for (size_t i = 0; i < pl_common_password_count; i++) {
        size_t len = strlen(pl_common_passwords[i]);
        assert_true(len >= 8 && len < PL_COMMON_PASSWORD_SIZE);
        assert_true(i == 0 || strcmp(pl_common_passwords[i - 1], pl_common_passwords[i]) < 0);
        assert_true(is_common(pl_common_passwords[i], NULL));
    }
}

static void test_common(void **state)
{
    (void)state;
    assert_true(is_common("password", NULL));
    assert_true(is_common("PassWord", "alice"));
    assert_true(is_common("12345678", "alice"));
    assert_true(is_common("iloveyou", NULL));
    assert_false(is_common("correct horse battery", "alice"));
    assert_false(is_common("", NULL));
    assert_false(
        is_common("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", NULL));
    assert_false(pl_password_is_common("password\0", 9, NULL));
}

static void test_username(void **state)
{
    char longest[64];
    (void)state;
    assert_true(is_common("Alice.Liddell", "alice.liddell"));
    assert_false(is_common("alice.liddell1", "alice.liddell"));
    memset(longest, 'z', sizeof(longest));
    assert_false(pl_password_is_common(longest, sizeof(longest), NULL));
    assert_true(
        pl_password_is_common(longest, sizeof(longest),
                              "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_common),
        cmocka_unit_test(test_username),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
