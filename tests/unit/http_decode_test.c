/* Proves: percent escapes and integers are accepted in one form only. */
#include "testing.h"

#include <string.h>

#include "http/decode.h"

static ssize_t path(const char *text, char *out)
{
    ssize_t len = pl_decode_path(text, strlen(text), out);
    if (len >= 0)
        out[len] = '\0';
    return len;
}

static void test_escapes(void **state)
{
    (void)state;
    char out[64];
    assert_int_equal(path("a%2Fb%c3%A4+", out), 6);
    assert_string_equal(out, "a/b\xc3\xa4+");
    assert_int_equal(path("", out), 0);
    assert_int_equal(path("%", out), -1);
    assert_int_equal(path("a%4", out), -1);
    assert_int_equal(path("a%4g", out), -1);
    assert_int_equal(path("a%00", out), -1);
    assert_int_equal(path("%%41", out), -1);
    assert_int_equal(pl_decode_path("a\0b", 3, out), -1);
    assert_int_equal(pl_decode_query("a+b%2B", 6, out), 4);
    assert_memory_equal(out, "a b+", 4);
}

static int integer(const char *text, int64_t *value_r)
{
    return pl_decode_integer(text, strlen(text), value_r);
}

static void test_integers(void **state)
{
    (void)state;
    int64_t value = 7;
    static const char *const bad[] = {"",
                                      "-",
                                      "-0",
                                      "00",
                                      "01",
                                      "+1",
                                      "1 ",
                                      " 1",
                                      "1.0",
                                      "1e3",
                                      "0x10",
                                      "9223372036854775808",
                                      "a",
                                      "1a1",
                                      "--1",
                                      "99999999999999999999999",
                                      "-9223372036854775809"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(integer(bad[i], &value), -1);
    assert_int_equal(value, 7);
    assert_int_equal(integer("0", &value), 0);
    assert_int_equal(value, 0);
    assert_int_equal(integer("-12", &value), 0);
    assert_int_equal(value, -12);
    assert_int_equal(integer("9223372036854775807", &value), 0);
    assert_true(value == INT64_MAX);
    assert_int_equal(integer("-9223372036854775808", &value), 0);
    assert_true(value == INT64_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_integers),
    };
    return RUN_TESTS(tests);
}
